import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../../../main/base/lifetime.ts';
import { MESSENGER_LIMITS, type MessengerLimits } from '../../../main/base/limits.ts';
import type { SipAgent } from '../../../main/sip/agent/agent.ts';
import type { RegistrationStatus } from '../../../main/sip/agent/registration-flow.ts';
import { Registration } from '../../../main/sip/agent/registration.ts';
import { DigestClient } from '../../../main/sip/digest.ts';
import { openEmbeddedAgent } from '../../../main/sip/embedded-agent.ts';
import { Authority, hasOpenssl, type Certificate } from '../../support/certificates.ts';
import { SipPeer } from '../../support/sip-peer.ts';

/** A TLS server that grants every REGISTER. */
async function grantingServer(certificate: Certificate): Promise<{ server: Server; port: number }> {
  const server = createServer(certificate, (socket) => {
    socket.on('error', () => undefined);
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      if (!text.startsWith('REGISTER')) return;
      const line = (name: string) => new RegExp(`^${name}:.*$`, 'm').exec(text)?.[0] ?? '';
      const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Contact'].map((name) => line(name).trim());
      socket.write(`SIP/2.0 200 OK\r\n${copied.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

describe.runIf(hasOpenssl())('TLS before TCP (RFC 3261 §26.3.1)', () => {
  let lifetime: Lifetime;
  let authority: Authority;
  let plain: SipPeer;
  let server: Server;
  let port: number;
  let told: RegistrationStatus[];

  beforeEach(async () => {
    lifetime = new Lifetime();
    told = [];
    authority = new Authority('Test authority');
    plain = lifetime.own(await SipPeer.tcpListener());
  });
  afterEach(async () => {
    await lifetime[Symbol.asyncDispose]();
  });

  async function agentTrusting(...ca: string[]): Promise<SipAgent> {
    const runFolder = tmpdir();
    const opened = await openEmbeddedAgent({ runFolder, host: '127.0.0.1', port: 0, tls: { ca } }, lifetime);
    return opened.agent;
  }

  function register(agent: SipAgent, limits: MessengerLimits = MESSENGER_LIMITS): Registration {
    const ways = [`sip:127.0.0.1:${port};transport=tls`, `sip:127.0.0.1:${plain.port};transport=tcp`];
    const registration = lifetime.own(
      new Registration({
        agent,
        address: 'bob@example.org',
        contact: '<sip:bob@localhost>',
        flows: [ways.map((nextHop) => ({ nextHop }))],
        digest: new DigestClient({ user: 'bob', password: 'secret' }),
        limits,
        onChange: (status) => told.push(status),
      }),
    );
    registration.start();
    return registration;
  }

  async function serve(certificate: Certificate): Promise<void> {
    ({ server, port } = await grantingServer(certificate));
    lifetime.defer(async () => {
      await new Promise((done) => server.close(done));
    });
  }

  it('with a certificate that is trusted: registered, and nothing goes out in the clear', async () => {
    await serve(authority.issue({ names: ['IP:127.0.0.1'] }));
    const registration = register(await agentTrusting(authority.cert));
    await expect.poll(() => told.at(-1)?.status).toBe('registered');
    expect(registration.way.nextHop).toContain('transport=tls');
    expect(plain.connections).toBe(0);
  });

  it.each([
    ['of an authority that nobody trusts', ['IP:127.0.0.1'], false],
    ['of another name', ['DNS:other.example.org'], true],
  ])(
    'with a certificate %s: refused with the sentence, never by TCP instead',
    async (_what, names, trusted) => {
      await serve(authority.issue({ names }));
      register(await agentTrusting(...(trusted ? [authority.cert] : [])));
      await expect.poll(() => told.at(-1)?.status).toBe('refused');
      expect(told.at(-1)).toMatchObject({
        code: 0,
        reason: expect.stringContaining('certificate') as string,
      });
      expect([plain.connections, plain.log]).toEqual([0, []]);
    },
  );

  it('with one that has expired and is renewed: registered by itself, and nothing is said in between', async () => {
    const names = ['IP:127.0.0.1'];
    const expired = authority.issue({ names, fromDay: -3, toDay: -1 });
    await serve(expired);
    let visits = 0;
    server.on('connection', () => (visits += 1));
    register(await agentTrusting(authority.cert), { ...MESSENGER_LIMITS, registrationBaseAllFailedMs: 20 });
    // It was looked at again, and was still what it was.
    await expect.poll(() => visits).toBeGreaterThan(2);
    server.setSecureContext(authority.issue({ names }));
    await expect.poll(() => told.at(-1)?.status).toBe('registered');
    expect(told.map(({ status }) => status)).toEqual(['registering', 'refused', 'registered']);
    expect([plain.connections, plain.log]).toEqual([0, []]);
  });

  it('when nobody listens for TLS: TCP', async () => {
    await serve(authority.issue({ names: ['IP:127.0.0.1'] }));
    await new Promise((done) => server.close(done));
    lifetime.defer(() => undefined);
    const registration = register(await agentTrusting(authority.cert));
    const request = await plain.request('REGISTER');
    await plain.answer(request, 200, {
      contact: `${/<[^>]+>/.exec(request.header('Contact'))?.[0] ?? ''};expires=60`,
    });
    await expect.poll(() => told.at(-1)?.status).toBe('registered');
    expect(registration.way.nextHop).toContain('transport=tcp');
    const left = registration[Symbol.asyncDispose]();
    await plain.answer(await plain.request('REGISTER'), 200);
    await left;
  });
});
