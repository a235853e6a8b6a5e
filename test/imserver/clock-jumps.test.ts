import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IMSERVER_LIMITS } from '../../main/base/limits.ts';
import { DOMAIN, passwordOf, World } from '../support/im-world.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { answerChallenge, RawDevice } from '../support/raw-device.ts';

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;

describe('the clock of the server is set', () => {
  let world: World;
  let clock: ManualClock;
  let bob: RawDevice;
  beforeEach(async () => {
    clock = new ManualClock();
    world = await World.open(['bob', 'tom'], { clock });
    bob = world.own(await RawDevice.join('bob', world.port));
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  const send = async (body: string) =>
    (await bob.ask('MESSAGE', { uri: `sip:tom@${DOMAIN}`, to: `<sip:tom@${DOMAIN}>`, body })).status;

  /** What waits for Tom, each answered 200. */
  async function fetched(count: number): Promise<string[]> {
    const tom = world.own(await RawDevice.join('tom', world.port));
    const bodies = [];
    for (let index = 0; index < count; index++) {
      const message = await tom.next('MESSAGE');
      bodies.push(message.body);
      await tom.peer.answer(message, 200);
    }
    await expect.poll(() => world.server.deferredCount()).toBe(0);
    await tom.register({ expires: 0 });
    return bodies;
  }

  it.each([
    ['an hour forwards', HOUR_MS],
    ['an hour back', -HOUR_MS],
    ['twenty days back', -20 * DAY_MS],
  ])('%s: people sign in and send on, and what waits arrives in its order', async (_what, jumpMs) => {
    expect(await send('before')).toBe(202);
    clock.set(jumpMs);
    expect(await send('after')).toBe(202);
    expect(await fetched(2)).toEqual(['before', 'after']);
  });

  it('forwards beyond the time that messages are kept: they are gone; back again: none comes twice', async () => {
    expect(await send('early')).toBe(202);
    clock.set(40 * DAY_MS);
    expect(await send('late')).toBe(202);
    await expect
      .poll(() => {
        // The server looks from time to time.
        clock.advance(IMSERVER_LIMITS.deferredSweepMs);
        return world.server.deferredCount();
      })
      .toBe(1);
    expect(await fetched(1)).toEqual(['late']);
    clock.set(-40 * DAY_MS);
    expect(await send('again')).toBe(202);
    const tom = world.own(await RawDevice.join('tom', world.port));
    expect((await tom.next('MESSAGE')).body).toBe('again');
  });

  it('back: a registration ends no later than it would have, measured from when it is refreshed', async () => {
    clock.set(-DAY_MS);
    expect((await bob.register({ expires: 600 })).status).toBe(200);
    clock.advance(700_000);
    expect(world.server.registrar.isOnline('bob')).toBe(false);
  });

  it('a nonce of before the jump is asked for again (stale), and the answer to the new one is right', async () => {
    const tom = world.own(await RawDevice.open('tom', world.port));
    const aor = `<sip:tom@${DOMAIN}>`;
    const request = {
      uri: `sip:${DOMAIN}`,
      from: `${aor};tag=1`,
      to: aor,
      contact: tom.contact,
      callId: 'jump',
    };
    const first = await tom.transact('REGISTER', { ...request, cseq: 1 });
    clock.set(-HOUR_MS);
    const who = { user: 'tom', password: passwordOf('tom'), method: 'REGISTER', uri: request.uri };
    const answer = (challenge: string) => [`Authorization: ${answerChallenge(challenge, who)}`];
    const headers = answer(first.header('WWW-Authenticate'));
    const second = await tom.transact('REGISTER', { ...request, cseq: 2, headers });
    expect([second.status, second.header('WWW-Authenticate')]).toEqual([
      401,
      expect.stringContaining('stale=true'),
    ]);
    const again = answer(second.header('WWW-Authenticate'));
    expect((await tom.transact('REGISTER', { ...request, cseq: 3, headers: again })).status).toBe(200);
  });
});
