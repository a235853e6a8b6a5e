/**
 * PostgreSQL is away while people go on writing and talking, at both nodes. `OUTAGE_MS` makes it longer: with 60000 it is
 * the minute that a database may take to start again.
 */
import { expect, it } from 'vitest';
import { DOMAIN, World } from '../support/im-world.ts';
import { ENGINE_START_MS, Postgres, postgresMissing } from '../support/postgres.ts';
import { RawDevice } from '../support/raw-device.ts';
import { newPeerId, type PeerMessage } from '../support/sip-peer.ts';

const SENDERS = ['ann', 'ben', 'cat', 'dan'];
const OUTAGE_MS = Number(process.env['OUTAGE_MS'] ?? 0);
/** So many messages at least before it, during it and after it. */
const MESSAGES = 20;
const PATIENCE = { timeout: 30_000, interval: 20 };
const ENOUGH = 1_000_000;

const to = (user: string) => ({ uri: `sip:${user}@${DOMAIN}`, to: `<sip:${user}@${DOMAIN}>` });

/** A session that is open; `say` sends something within it and is answered by the other side. */
async function talk(caller: RawDevice, called: RawDevice) {
  const asked = caller.ask('INVITE', { ...to(called.user), body: 'v=0\r\n' });
  const invite = await called.next('INVITE');
  await called.peer.answer(invite, 200, { toTag: newPeerId(), body: 'v=0\r\n' });
  const answer = await asked;
  let cseq = Number.parseInt(answer.header('CSeq'), 10);
  const fields = {
    uri: /<([^>]+)>/.exec(answer.header('Contact'))?.[1] ?? '',
    ...{ from: answer.header('From'), to: answer.header('To'), callId: answer.header('Call-ID') },
  };
  await caller.peer.send(caller.peer.build('ACK', { ...fields, cseq }), caller.server);
  return async (): Promise<PeerMessage> => {
    cseq += 1;
    const answered = caller.transact('INFO', { ...fields, cseq, contact: caller.contact });
    await called.peer.answer(await called.next('INFO'), 200);
    return answered;
  };
}

it.skipIf(postgresMissing !== undefined)(
  'PostgreSQL is gone under load: sessions go on, what is accepted (202) arrives once and in order, the rest is refused (503)',
  async () => {
    await using postgres = await Postgres.start();
    const options = {
      storage: { engine: 'postgresql', url: await postgres.database() },
      limits: { maxDeferredPerUser: ENOUGH, maxDeferredPerSender: ENOUGH, byeMs: 200 },
    };
    await using one = await World.open([...SENDERS, 'bob', 'eve', 'tom'], options);
    await using two = await World.open([], options);
    const bob = one.own(await RawDevice.join('bob', one.port));
    const eve = two.own(await RawDevice.join('eve', two.port));
    await expect.poll(() => one.server.registrar.isOnline('eve'), PATIENCE).toBe(true);
    const say = await talk(bob, eve);

    const [accepted, refused]: [string[], string[]] = [[], []];
    const enough = new AbortController();
    const load = Promise.all(
      SENDERS.map(async (user, index) => {
        const node = index % 2 === 0 ? one : two;
        const device = node.own(await RawDevice.overTcp(user, node.port));
        for (let count = 0; !enough.signal.aborted; count += 1) {
          const text = `${user} ${count}`;
          const answer = await device.ask('MESSAGE', { ...to('tom'), body: text });
          if (answer.status === 202) accepted.push(text);
          else {
            expect([answer.status, answer.header('Retry-After')]).toEqual([503, '10']);
            refused.push(text);
          }
        }
      }),
    );
    load.catch(() => undefined);
    const more = (list: readonly string[], from: number) =>
      Promise.race([load, expect.poll(() => list.length, PATIENCE).toBeGreaterThan(from + MESSAGES)]);

    await more(accepted, 0);
    await postgres.cut();
    const ends = performance.now() + OUTAGE_MS;
    let said = 0;
    do {
      const before = refused.length;
      expect((await say()).status).toBe(200);
      said += 1;
      await more(refused, before);
    } while (performance.now() < ends);
    const during = accepted.length;
    await postgres.resume();
    await more(accepted, during);
    enough.abort();
    await load;

    const tom = two.own(await RawDevice.join('tom', two.port));
    const received: string[] = [];
    const missing = new Set(accepted);
    while (missing.size > 0) {
      const message = await tom.next('MESSAGE');
      await tom.peer.answer(message, 200);
      received.push(message.body);
      missing.delete(message.body);
    }
    await expect.poll(() => two.server.deferredCount(), PATIENCE).toBe(0);
    console.log(
      `accepted ${accepted.length}, refused ${refused.length}, said in the session meanwhile ${said}, arrived ${received.length}`,
    );
    // Whoever was refused keeps it: one that was stored in the moment of the cut may have come all the same.
    expect(new Set(received).size).toBe(received.length);
    const wasRefused = new Set(refused);
    expect(received.filter((text) => !wasRefused.has(text)).toSorted()).toEqual(accepted.toSorted());
    for (const user of SENDERS) {
      const counts = received.filter((text) => text.startsWith(user)).map((text) => Number(text.slice(4)));
      expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    }
  },
  ENGINE_START_MS + 120_000 + 3 * OUTAGE_MS,
);
