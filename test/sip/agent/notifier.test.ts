import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EVENT_LIMITS, type EventLimits } from '../../../main/base/event-limits.ts';
import { Lifetime } from '../../../main/base/lifetime.ts';
import type { SipAgent } from '../../../main/sip/agent/agent.ts';
import type { NotifierSubscription } from '../../../main/sip/agent/notifier-subscription.ts';
import { Notifier, type EventPackage, type SubscribeVerdict } from '../../../main/sip/agent/notifier.ts';
import { openEmbeddedAgent } from '../../../main/sip/embedded-agent.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { newPeerId, SipPeer, type PeerMessage, type RequestFields } from '../../support/sip-peer.ts';

let lifetime: Lifetime;
let agent: SipAgent;
let port: number;
let peer: SipPeer;
let clock: ManualClock;
let notifier: Notifier;
let weather: Weather;

/** A package of which everybody may know everything; what it says is set by the test. */
class Weather implements EventPackage {
  readonly event = 'weather';
  readonly contentType = 'text/plain';
  readonly minIntervalMs = 5_000;
  readonly now: NotifierSubscription[] = [];
  ended = 0;
  state = 'sun';
  verdict: SubscribeVerdict = { kind: 'active' };

  receiveSubscribe(): Promise<SubscribeVerdict> {
    return Promise.resolve(this.verdict);
  }

  receiveStart(subscription: NotifierSubscription): void {
    this.now.push(subscription);
  }

  receiveEnd(): void {
    this.ended += 1;
  }

  stateFor({ state, version }: NotifierSubscription): string | undefined {
    return state === 'pending' ? undefined : `${version} ${this.state}`;
  }

  change(state: string): void {
    this.state = state;
    for (const subscription of this.now) subscription.notify();
  }
}

beforeEach(async () => {
  lifetime = new Lifetime();
  clock = new ManualClock();
  ({ agent, port } = await openEmbeddedAgent({ runFolder: tmpdir(), host: '127.0.0.1', port: 0 }, lifetime));
  peer = lifetime.own(await SipPeer.udp());
  serve();
});
afterEach(async () => {
  await lifetime[Symbol.asyncDispose]();
});

function serve(limits: Partial<EventLimits> = {}): void {
  notifier = lifetime.own(
    new Notifier({
      agent,
      clock,
      limits: { ...EVENT_LIMITS, ...limits },
      authenticate: async (request) => {
        const user = /sip:(\w+)@/.exec(request.message.headers.get('from') ?? '')?.[1];
        if (user === 'mallory') await request.respond(403);
        return user === 'mallory' ? undefined : user;
      },
    }),
  );
  weather = new Weather();
  notifier.add(weather);
  agent.handle('SUBSCRIBE', (request) => notifier.receiveSubscribe(request));
}

async function subscribe(fields: RequestFields & { from?: string } = {}): Promise<RequestFields> {
  const { from = 'alice', headers = ['Event: weather', 'Expires: 600'], ...more } = fields;
  const request: RequestFields = {
    callId: newPeerId(),
    from: `<sip:${from}@example.org>;tag=${from}`,
    to: '<sip:berlin@example.org>',
    uri: 'sip:berlin@example.org',
    headers,
    ...more,
  };
  await peer.send(peer.build('SUBSCRIBE', request), port);
  return request;
}

/** Subscribed and told for the first time. */
async function begin(fields: RequestFields & { from?: string } = {}) {
  const request = await subscribe(fields);
  const ok = await peer.response(200, 'SUBSCRIBE');
  const first = await peer.request('NOTIFY');
  await peer.answer(first, 200);
  const inDialog = { ...request, to: `<sip:berlin@example.org>;tag=${ok.tag('To')}` };
  return { ok, first, inDialog };
}

const stateOf = (notify: PeerMessage) => notify.header('Subscription-State');
/** Each once: one may come twice when the machine is slow. */
const notifies = () => {
  const all = peer.log.filter(({ startLine }) => startLine.startsWith('NOTIFY '));
  return [...new Map(all.map((one) => [one.header('Call-ID') + one.header('CSeq'), one])).values()];
};
const over = (count: number) => expect.poll(() => notifier.count).toBe(count);

describe('a subscription with us (RFC 6665 §4.2)', () => {
  it('is granted, and told the state at once, in its dialog', async () => {
    const { ok, first, inDialog } = await begin({ headers: ['Event: weather;id=7;x=y', 'Expires: 600'] });
    expect(ok.header('Expires')).toBe('600');
    expect(first.header('Call-ID')).toBe(inDialog.callId);
    expect(first.header('Event')).toBe('weather;id=7');
    expect(first.header('Contact')).toBe(`<sip:events@127.0.0.1:${port}>`);
    expect(ok.header('Contact')).toBe(first.header('Contact'));
    expect([stateOf(first), first.header('Content-Type'), first.body]).toEqual([
      'active;expires=600',
      'text/plain',
      '0 sun',
    ]);
  });

  it('without Expires gets the package’s time, a long one the longest, a short one 423 (§4.2.1.1)', async () => {
    expect((await begin({ headers: ['Event: weather'] })).ok.header('Expires')).toBe('3600');
    expect((await begin({ headers: ['Event: weather', 'Expires: 99999'] })).ok.header('Expires')).toBe(
      '3600',
    );
    expect((await begin({ headers: ['Event: weather', 'Expires: 60'] })).ok.header('Expires')).toBe('60');
    await subscribe({ headers: ['Event: weather', 'Expires: 59'] });
    expect((await peer.response(423, 'SUBSCRIBE')).header('Min-Expires')).toBe('60');
    await subscribe({ headers: ['Event: weather', 'Expires: soon'] });
    await peer.response(400, 'SUBSCRIBE');
  });

  it('to an unknown package is 489 with those that there are (§4.2.1.1)', async () => {
    await subscribe({ headers: ['Event: tides'] });
    expect((await peer.response(489, 'SUBSCRIBE')).header('Allow-Events')).toBe('weather');
    await subscribe({ headers: [] });
    await peer.response(489, 'SUBSCRIBE');
  });

  it('that cannot read our bodies is 406; a wildcard can', async () => {
    await subscribe({ headers: ['Event: weather', 'Accept: application/pidf+xml'] });
    await peer.response(406, 'SUBSCRIBE');
    await begin({ headers: ['Event: weather', 'Accept: application/pidf+xml, text/*;q=0.5'] });
  });

  it('of somebody who does not say who he is, or is refused, is none', async () => {
    await subscribe({ from: 'mallory' });
    await peer.response(403, 'SUBSCRIBE');
    weather.verdict = { kind: 'refused', status: 404 };
    await subscribe();
    await peer.response(404, 'SUBSCRIBE');
    expect(notifier.count).toBe(0);
  });

  it('is refreshed in its dialog and told again; another subscriber cannot (§4.2.1.2)', async () => {
    const { inDialog } = await begin();
    clock.advance(500_000);
    await peer.send(peer.build('SUBSCRIBE', { ...inDialog, cseq: 2 }), port);
    await peer.response(200, 'SUBSCRIBE');
    const again = await peer.request('NOTIFY');
    await peer.answer(again, 200);
    expect([stateOf(again), again.body]).toEqual(['active;expires=600', '1 sun']);
    const stolen = { ...inDialog, from: '<sip:bob@example.org>;tag=alice', cseq: 3 };
    await peer.send(peer.build('SUBSCRIBE', stolen), port);
    await peer.response(403, 'SUBSCRIBE');
    expect(notifier.count).toBe(1);
  });

  it('ends by Expires 0, with a last NOTIFY (§4.2.1.3)', async () => {
    const { inDialog } = await begin();
    const end = { ...inDialog, cseq: 2, headers: ['Event: weather', 'Expires: 0'] };
    await peer.send(peer.build('SUBSCRIBE', end), port);
    expect((await peer.response(200, 'SUBSCRIBE')).header('Expires')).toBe('0');
    const last = await peer.request('NOTIFY');
    expect(stateOf(last)).toBe('terminated;reason=timeout');
    await peer.answer(last, 200);
    await over(0);
    expect(weather.ended).toBe(1);
    await peer.send(peer.build('SUBSCRIBE', { ...end, cseq: 3 }), port);
    await peer.response(481, 'SUBSCRIBE');
  });

  it('that only fetches is told once (§4.4.3)', async () => {
    const { first } = await begin({ headers: ['Event: weather', 'Expires: 0'] });
    expect([stateOf(first), first.body]).toEqual(['terminated;reason=timeout', '0 sun']);
    await over(0);
  });

  it('that is not refreshed ends with its time', async () => {
    await begin();
    clock.advance(599_999);
    expect(notifies()).toHaveLength(1);
    clock.advance(1);
    const last = await peer.request('NOTIFY');
    expect(stateOf(last)).toBe('terminated;reason=timeout');
    await peer.answer(last, 200);
    await over(0);
  });

  it.each([481, 603, 503])('ends when a NOTIFY is answered %i (§4.2.2)', async (status) => {
    await begin();
    clock.advance(5_000);
    weather.change('rain');
    await peer.answer(await peer.request('NOTIFY'), status);
    await over(0);
  });

  it('pending sees nothing until it is activated, and nothing again when it is suspended', async () => {
    weather.verdict = { kind: 'pending' };
    const { first } = await begin();
    expect([stateOf(first), first.body]).toEqual(['pending;expires=600', '']);
    const [subscription] = weather.now;
    subscription?.activate();
    const active = await peer.request('NOTIFY');
    await peer.answer(active, 200);
    expect([stateOf(active), active.body]).toEqual(['active;expires=600', '1 sun']);
    subscription?.suspend();
    const again = await peer.request('NOTIFY');
    expect([stateOf(again), again.body]).toEqual(['pending;expires=600', '']);
  });

  it('ended by us says why, and when to come again', async () => {
    await begin();
    weather.now[0]?.terminate('probation', 30);
    expect(stateOf(await peer.request('NOTIFY'))).toBe('terminated;reason=probation;retry-after=30');
  });

  it('of a device that has gone is forgotten without a word', async () => {
    await begin();
    notifier.receiveLeft(`sip:127.0.0.1:${peer.port + 1};transport=udp`);
    expect(notifier.count).toBe(1);
    notifier.receiveLeft(`sip:127.0.0.1:${peer.port};transport=udp`);
    expect([notifier.count, weather.ended]).toEqual([0, 1]);
    await peer.fence(port);
    expect(notifies()).toHaveLength(1);
  });
});

describe('what changes often', () => {
  it('is told at once the first time, then together once an interval: the newest state', async () => {
    await begin();
    clock.advance(5_000);
    weather.change('rain');
    const first = await peer.request('NOTIFY');
    expect(first.body).toBe('1 rain');
    await peer.answer(first, 200);
    for (const state of ['snow', 'hail', 'fog']) weather.change(state);
    await peer.fence(port);
    clock.advance(4_999);
    await peer.fence(port);
    expect(notifies()).toHaveLength(2);
    clock.advance(1);
    const second = await peer.request('NOTIFY');
    expect(second.body).toBe('2 fog');
  });

  it('waits for the answer to the NOTIFY before: never two at once', async () => {
    await begin();
    clock.advance(5_000);
    weather.change('rain');
    const first = await peer.request('NOTIFY');
    clock.advance(5_000);
    weather.change('snow');
    clock.advance(5_000);
    await peer.fence(port);
    expect(peer.messages.waiting.filter(({ method }) => method === 'NOTIFY')).toEqual([]);
    await peer.answer(first, 200);
    expect((await peer.request('NOTIFY')).body).toBe('2 snow');
  });

  it('goes out to so many at once as the limit says; the others follow', async () => {
    serve({ maxOpenNotifies: 2 });
    for (const from of ['a', 'b', 'c']) await begin({ from });
    clock.advance(5_000);
    weather.change('rain');
    const first = await peer.request('NOTIFY');
    await peer.request('NOTIFY');
    await peer.fence(port);
    expect(peer.messages.waiting.filter(({ method }) => method === 'NOTIFY')).toEqual([]);
    await peer.answer(first, 200);
    const third = await peer.request('NOTIFY');
    expect([third.body, third.tag('To')]).toEqual(['1 rain', 'c']);
  });
});

describe('as many subscriptions as the limit says, and not one more (503)', () => {
  it.each([
    ['of one subscriber', { maxSubscriptionsPerSubscriber: 2 }, 'alice'],
    ['of all', { maxSubscriptions: 2 }, 'bob'],
  ])('%s', async (_what, limits, next) => {
    serve(limits);
    await begin();
    const { inDialog } = await begin();
    await subscribe({ from: next });
    expect((await peer.response(503, 'SUBSCRIBE')).header('Retry-After')).toBe('120');
    const end = { ...inDialog, cseq: 2, headers: ['Event: weather', 'Expires: 0'] };
    await peer.send(peer.build('SUBSCRIBE', end), port);
    await peer.response(200, 'SUBSCRIBE');
    await peer.answer(await peer.request('NOTIFY'), 200);
    await over(1);
    await begin({ from: next });
  });
});
