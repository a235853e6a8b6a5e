import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../support/manual-clock.ts';
import { SipPeer } from '../support/sip-peer.ts';
import {
  ask,
  startSrf,
  type Srf,
  type SrfDialog,
  type SrfMessage,
  type SrfMode,
  type SrfNode,
  type SrfRequest,
} from '../support/srf.ts';

const SDP = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n';

/** A promise with its ends outside. */
function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { promise, resolve };
}

describe.each<SrfMode>(['connect', 'listen'])('drachtio-srf in %s mode on the engine', (mode) => {
  const stack: { current: AsyncDisposableStack } = { current: new AsyncDisposableStack() };

  beforeEach(() => {
    stack.current = new AsyncDisposableStack();
  });

  afterEach(async () => {
    await stack.current.disposeAsync();
  });

  async function node(
    prepare?: (srf: Srf) => void,
    options?: Parameters<typeof startSrf>[2],
  ): Promise<SrfNode> {
    return stack.current.use(await startSrf(mode, prepare, options));
  }

  describe.each(['', ';transport=tcp'])('two engines, "%s"', (param) => {
    it('REGISTER, MESSAGE and OPTIONS, with bodies that are not ASCII', async () => {
      const seen: string[] = [];
      const handle = (
        request: SrfRequest,
        response: { send: (status: number, options?: object) => void },
      ): void => {
        seen.push(`${request.method} ${request.protocol} ${request.body}`);
        response.send(200, { headers: { 'X-Seen': 'yes' } });
      };
      const to = await node((srf) => {
        srf.register(handle);
        srf.message(handle);
        srf.options(handle);
      });
      const from = await node();
      for (const method of ['REGISTER', 'MESSAGE', 'OPTIONS']) {
        const answer = await ask(from.srf, `sip:x@127.0.0.1:${to.port}${param}`, {
          method,
          headers: { From: '<sip:me@localhost>', 'Content-Type': 'text/plain;charset=utf-8' },
          body: 'hällo wörld ✓',
        });
        expect([answer.status, answer.get('X-Seen')]).toEqual([200, 'yes']);
      }
      const protocol = param === '' ? 'udp' : 'tcp';
      expect(seen).toEqual(
        ['REGISTER', 'MESSAGE', 'OPTIONS'].map((method) => `${method} ${protocol} hällo wörld ✓`),
      );
    });

    it('a call: ringing, answer, ACK, INFO both ways, re-INVITE, BYE of the caller', async () => {
      const accepted = deferred<SrfDialog>();
      const acked = deferred<unknown>();
      const ended = deferred<string>();
      const to = await node((srf) => {
        srf.invite((request, response) => {
          response.send(180);
          void srf.createUAS(request, response, { localSdp: SDP.replace('o=-', 'o=uas') }).then((dialog) => {
            dialog.on('ack', acked.resolve);
            dialog.on('destroy', (_request, reason) => ended.resolve(reason));
            dialog.on('info', (info, answer) => answer.send(200, { headers: { 'X-Echo': info.body } }));
            accepted.resolve(dialog);
          });
        });
      });
      const from = await node();
      const statuses: number[] = [];
      const uac = await from.srf.createUAC(
        `sip:callee@127.0.0.1:${to.port}${param}`,
        { localSdp: SDP },
        { cbProvisional: ({ status }) => statuses.push(status) },
      );
      const uas = await accepted.promise;
      await acked.promise;
      expect(statuses).toEqual([180]);
      expect(uac.remote.sdp).toContain('o=uas');
      expect(uac.id).toBe(uas.id);
      expect([uac.sip.localTag, uac.sip.remoteTag]).toEqual([uas.sip.remoteTag, uas.sip.localTag]);
      const info = await uac.request({
        method: 'INFO',
        headers: { 'Content-Type': 'text/plain' },
        body: 'there',
      });
      expect(info.get('X-Echo')).toBe('there');
      expect((await uas.request({ method: 'INFO' })).status).toBe(200);
      expect(await uac.modify(SDP.replace('1 1', '1 2'))).toContain('o=uas');
      await uac.destroy();
      expect(await ended.promise).toBe('normal release');
      expect([from.engine.load.dialogs, to.engine.load.dialogs]).toEqual([0, 0]);
    });

    it('a call that the called side ends', async () => {
      const accepted = deferred<SrfDialog>();
      const to = await node((srf) => {
        srf.invite((request, response) => {
          void srf.createUAS(request, response, { localSdp: SDP }).then(accepted.resolve);
        });
      });
      const from = await node();
      const uac = await from.srf.createUAC(`sip:callee@127.0.0.1:${to.port}${param}`, { localSdp: SDP });
      const ended = deferred<string>();
      uac.on('destroy', (_request, reason) => ended.resolve(reason));
      await (await accepted.promise).destroy();
      expect(await ended.promise).toBe('normal release');
    });

    it('a call that is refused, and one that is cancelled', async () => {
      const arrived = deferred<SrfRequest>();
      const cancelled = deferred<unknown>();
      const to = await node((srf) => {
        srf.invite((request, response) => {
          if (request.get('X-Busy') === 'yes') {
            response.send(486);
            return;
          }
          request.on('cancel', cancelled.resolve);
          response.send(180);
          arrived.resolve(request);
        });
      });
      const from = await node();
      const uri = `sip:callee@127.0.0.1:${to.port}${param}`;
      await expect(
        from.srf.createUAC(uri, { localSdp: SDP, headers: { 'X-Busy': 'yes' } }),
      ).rejects.toMatchObject({ status: 486 });
      const ringing = deferred<unknown>();
      let sent: SrfRequest | undefined;
      const call = from.srf.createUAC(
        uri,
        { localSdp: SDP },
        {
          cbRequest: (_error, request) => {
            sent = request;
          },
          cbProvisional: ringing.resolve,
        },
      );
      const refused = expect(call).rejects.toMatchObject({ status: 487 });
      await Promise.all([arrived.promise, ringing.promise]);
      sent?.cancel(() => undefined);
      await refused;
      await cancelled.promise;
    });
  });

  it('a B2BUA between a caller and a callee', async () => {
    const callee = await node((srf) => {
      srf.invite((request, response) => {
        void srf.createUAS(request, response, { localSdp: SDP.replace('o=-', 'o=callee') });
      });
    });
    const middle = await node((srf) => {
      srf.invite((request, response) => {
        const target = `sip:callee@127.0.0.1:${callee.port}`;
        void srf.createB2BUA(request, response, target, { localSdpB: request.body }).then(({ uas, uac }) => {
          uas.on('destroy', () => void uac.destroy());
          uac.on('destroy', () => void uas.destroy());
        });
      });
    });
    const caller = await node();
    const uac = await caller.srf.createUAC(`sip:x@127.0.0.1:${middle.port}`, { localSdp: SDP });
    expect(uac.remote.sdp).toContain('o=callee');
    expect(callee.engine.load.dialogs).toBe(1);
    await uac.destroy();
    const deadline = Date.now() + 5_000;
    const busy = (): boolean => [caller, middle, callee].some(({ engine }) => engine.load.dialogs > 0);
    while (busy() && Date.now() < deadline) await new Promise((done) => setImmediate(done));
    expect([caller, middle, callee].map(({ engine }) => engine.load.dialogs)).toEqual([0, 0, 0]);
  });

  it('REGISTER with a digest challenge: srf sends it again to where the challenge came from', async () => {
    await using registrar = await SipPeer.udp();
    const client = await node();
    const answer = ask(client.srf, 'sip:example.test', {
      method: 'REGISTER',
      proxy: `sip:127.0.0.1:${registrar.port}`,
      headers: {
        To: '<sip:bob@example.test>',
        From: '<sip:bob@example.test>',
        Contact: '<sip:bob@localhost>;expires=60',
      },
      auth: { username: 'bob', password: 'secret' },
    });
    const first = await registrar.request('REGISTER');
    await registrar.answer(first, 401, {
      headers: ['WWW-Authenticate: Digest realm="example.test", nonce="n1"'],
    });
    const second = await registrar.request('REGISTER');
    expect(second.header('Authorization')).toContain('username="bob"');
    expect(second.header('Call-ID')).toBe(first.header('Call-ID'));
    expect(second.tag('From')).toBe(first.tag('From'));
    expect(Number.parseInt(second.header('CSeq'), 10)).toBe(Number.parseInt(first.header('CSeq'), 10) + 1);
    await registrar.answer(second, 200);
    expect((await answer).status).toBe(200);
  });

  it('a call that rings reliably: PRACK and its answer by srf itself (RFC 3262)', async () => {
    const pracked = deferred<string>();
    const callee = await node((srf) => {
      srf.invite((request, response) => {
        response.send(
          183,
          { headers: { Require: '100rel' }, body: SDP },
          () => undefined,
          (prack) => {
            pracked.resolve(prack.get('RAck'));
            void srf.createUAS(request, response, { localSdp: SDP });
          },
        );
      });
    });
    const caller = await node();
    const early: SrfMessage[] = [];
    const uac = await caller.srf.createUAC(
      `sip:callee@127.0.0.1:${callee.port}`,
      { localSdp: SDP, headers: { Supported: '100rel' } },
      { cbProvisional: (response) => early.push(response) },
    );
    expect(await pracked.promise).toBe(`${early[0]?.get('RSeq')} ${early[0]?.get('CSeq')}`);
    await uac.destroy();
  });

  it('a subscription: begun, notified, ended by its last NOTIFY (RFC 6665)', async () => {
    const subscribed = deferred<SrfDialog>();
    const notifier = await node((srf) => {
      srf.subscribe((request, response) => {
        const headers = { Expires: '60' };
        void srf.createUAS(request, response, { headers }).then(subscribed.resolve);
      });
    });
    const watcher = await node();
    const watching = await watcher.srf.createUAC(`sip:x@127.0.0.1:${notifier.port}`, {
      method: 'SUBSCRIBE',
      headers: { Event: 'presence', Expires: '60' },
    });
    const states: string[] = [];
    const ended = deferred<unknown>();
    watching.on('notify', (request, response) => {
      states.push(request.get('Subscription-State'));
      response.send(200);
    });
    watching.on('destroy', ended.resolve);
    const dialog = await subscribed.promise;
    for (const state of ['active;expires=60', 'terminated']) {
      const headers = { Event: 'presence', 'Subscription-State': state };
      expect((await dialog.request({ method: 'NOTIFY', headers })).status).toBe(200);
    }
    expect(states).toEqual(['active;expires=60', 'terminated']);
    const deadline = Date.now() + 5_000;
    const busy = (): boolean => [watcher, notifier].some(({ engine }) => engine.load.dialogs > 0);
    while (busy() && Date.now() < deadline) await new Promise((done) => setImmediate(done));
    expect(busy()).toBe(false);
  });

  it('a call whose caller does not refresh it ends with "Session timer expired" (RFC 4028)', async () => {
    const clock = new ManualClock();
    const accepted = deferred<SrfDialog>();
    const acked = deferred<unknown>();
    const callee = await node(
      (srf) => {
        srf.invite((request, response) => {
          void srf.createUAS(request, response, { localSdp: SDP }).then((dialog) => {
            dialog.on('ack', acked.resolve);
            accepted.resolve(dialog);
          });
        });
      },
      { clock },
    );
    await using peer = await SipPeer.udp();
    const headers = ['Supported: timer', 'Session-Expires: 90;refresher=uac'];
    const fields = { callId: 'timer', fromTag: 'caller', headers };
    await peer.send(peer.build('INVITE', { ...fields, body: SDP }), callee.port);
    const ok = await peer.response(200, 'INVITE');
    const ended = deferred<string>();
    (await accepted.promise).on('destroy', (_request, reason) => ended.resolve(reason));
    await peer.send(peer.build('ACK', { ...fields, toTag: ok.tag('To') }), callee.port);
    await peer.fence(callee.port);
    clock.advance(90_000);
    await peer.request('BYE');
    expect(await ended.promise).toBe('Session timer expired');
  });

  it('a call that is never acknowledged ends with "ACK timeout" (RFC 3261 §13.3.1.4)', async () => {
    const clock = new ManualClock();
    const accepted = deferred<SrfDialog>();
    const callee = await node(
      (srf) => {
        srf.invite((request, response) => {
          void srf.createUAS(request, response, { localSdp: SDP }).then(accepted.resolve);
        });
      },
      { clock },
    );
    await using peer = await SipPeer.udp();
    await peer.send(peer.build('INVITE', { body: SDP }), callee.port);
    await peer.response(200, 'INVITE');
    const ended = deferred<string>();
    (await accepted.promise).on('destroy', (_request, reason) => ended.resolve(reason));
    clock.advance(32_000);
    await peer.request('BYE');
    expect(await ended.promise).toBe('ACK timeout');
  });

  it('a request that nobody answers ends with 408', async () => {
    const clock = new ManualClock();
    await using peer = await SipPeer.udp();
    const client = await node(undefined, { clock });
    const call = client.srf.createUAC(`sip:dead@127.0.0.1:${peer.port}`, { localSdp: SDP });
    const refused = expect(call).rejects.toMatchObject({ status: 408 });
    await peer.request('INVITE');
    clock.advance(32_000);
    await refused;
  });
});

describe('drachtio-srf that is dialled', () => {
  it('closes the connection after a request that it does not handle, and is dialled again', async () => {
    await using app = await startSrf('listen', (srf) => {
      srf.message((_request, response) => response.send(200));
    });
    await using peer = await SipPeer.udp();
    await peer.send(peer.build('PUBLISH'), app.port);
    await peer.response(404, 'PUBLISH');
    const deadline = Date.now() + 5_000;
    for (let status = 0; status !== 200;) {
      await peer.send(peer.build('MESSAGE'), app.port);
      ({ status } = await peer.messages.next(
        ({ method, status: code }) => method === 'MESSAGE' && code >= 200,
        'answer',
      ));
      if (Date.now() > deadline) throw new Error('not dialled again');
      await new Promise((done) => setImmediate(done));
    }
    expect(peer.log.some(({ status }) => status === 503)).toBe(true);
  });
});
