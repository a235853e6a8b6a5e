/**
 * Owns: the figures of the IM Server under a crowd as lines of the table: registrations, sessions, rooms, and how all of it
 * grows. Called by: ../main.ts. Calls: server-process.ts as a process, sip-line.ts, rooms.ts.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { SERVER_FLAGS } from '../../../build/server-flags.mjs';
import { DOMAIN } from '../../support/im-world.ts';
import { RoomPeer } from '../../support/room-peer.ts';
import { summarise, type Figure } from '../summary.ts';
import { userName, USERS, type ServerAnswer, type ServerAsk } from './process-protocol.ts';
import { measureRoom } from './rooms.ts';
import { SipLine, together } from './sip-line.ts';

const FEW = 1_000;
const SESSIONS = 2_000;
const LINES = 100;
const AT_ONCE = 32;
/** Until the last transaction of a session has waited out its time. */
const SETTLE_MS = 40_000;
/** Members, and messages that one of them says. */
const ROOMS = [
  [2, 4_000],
  [20, 1_000],
  [200, 200],
] as const;

/** All lines of the IM Server. */
export async function measureImServer(): Promise<Figure[]> {
  const program = fileURLToPath(new URL('server-process.ts', import.meta.url));
  const server = fork(program, { execArgv: [...process.execArgv, '--expose-gc', ...SERVER_FLAGS] });
  const lines: SipLine[] = [];
  try {
    const [{ port }] = (await once(server, 'message')) as [{ port: number }];
    const ask = async (what: ServerAsk): Promise<ServerAnswer> => {
      const answered = once(server, 'message') as Promise<[ServerAnswer]>;
      server.send(what);
      return (await answered)[0];
    };
    const sdp = RoomPeer.offer('msrp://127.0.0.1:9/bench;tcp');
    for (let index = 0; index < LINES; index++) lines.push(await SipLine.open(port, sdp));
    const lineOf = (index: number): SipLine => {
      const line = lines[index % LINES];
      if (line === undefined) throw new Error('no line');
      return line;
    };
    const empty = await ask({ ask: 'usage' });
    const register = async (from: number, to: number) => {
      const began = performance.now();
      const times = await together(to - from, AT_ONCE, (index) =>
        lineOf(from + index).register(userName(from + index)),
      );
      return { perS: (to - from) / ((performance.now() - began) / 1_000), times: summarise(times) };
    };
    const call = async (count: number, first: number, of: number) => {
      const before = await ask({ ask: 'usage' });
      const began = performance.now();
      // Each has one session: the callers are the first half, the called the second.
      const times = await together(count, AT_ONCE, (index) => {
        const caller = (first + index) % (of / 2);
        return lineOf(caller).call(userName(caller), `sip:${userName(caller + of / 2)}@${DOMAIN}`);
      });
      const perS = count / ((performance.now() - began) / 1_000);
      const after = await ask({ ask: 'usage' });
      return { perS, times: summarise(times), after, cpuMs: (after.cpuMs - before.cpuMs) / count };
    };
    const few = await register(0, FEW);
    const afterFew = await ask({ ask: 'usage' });
    const callsOfFew = await call(SESSIONS / 10, 0, FEW);
    const many = await register(FEW, USERS);
    const afterMany = await ask({ ask: 'usage' });
    const callsOfMany = await call(SESSIONS - SESSIONS / 10, SESSIONS / 10, USERS);
    if (callsOfMany.after.sessions !== SESSIONS)
      throw new Error(`${callsOfMany.after.sessions} sessions are open`);
    await new Promise((done) => setTimeout(done, SETTLE_MS));
    const settled = await ask({ ask: 'usage' });
    const rooms: Figure[] = [];
    for (const [members, messages] of ROOMS) {
      const name = `bench${members}`;
      await ask({ ask: 'room', name });
      const { sent, delivered } = await measureRoom(port, name, members, messages);
      rooms.push(
        { name: `room of ${members}: said`, unit: 'messages/s', p50: sent },
        { name: `room of ${members}: delivered, every copy counted`, unit: 'messages/s', p50: delivered },
      );
    }
    const perUser = (usage: ServerAnswer, users: number) => (usage.heap - empty.heap) / users;
    const grows = (few: number, many: number) => ({ of: 'of 1 000', value: many / few });
    const atMany = perUser(afterMany, USERS);
    return [
      { name: '1 000 users register', unit: 'REGISTERs/s', p50: few.perS },
      { name: '1 000 users: one registration', unit: 'ms', p50: few.times.p50, p99: few.times.p99 },
      { name: '1 000 users: heap of each', unit: 'bytes', p50: perUser(afterFew, FEW) },
      {
        name: '10 000 users register',
        unit: 'REGISTERs/s',
        p50: many.perS,
        ratio: grows(few.perS, many.perS),
      },
      { name: '10 000 users: one registration', unit: 'ms', p50: many.times.p50, p99: many.times.p99 },
      {
        name: '10 000 users: heap of each',
        unit: 'bytes',
        p50: atMany,
        ratio: grows(perUser(afterFew, FEW), atMany),
      },
      { name: 'sessions set up, of 1 000 users', unit: 'calls/s', p50: callsOfFew.perS },
      {
        name: 'sessions set up, of 10 000 users, up to 2 000',
        unit: 'calls/s',
        p50: callsOfMany.perS,
        ratio: grows(callsOfFew.perS, callsOfMany.perS),
      },
      { name: 'one of them', unit: 'ms', p50: callsOfMany.times.p50, p99: callsOfMany.times.p99 },
      { name: "the server's processor time for it", unit: 'ms', p50: callsOfMany.cpuMs },
      {
        name: 'an open session, heap',
        unit: 'bytes',
        p50: (callsOfMany.after.heap - afterMany.heap) / (SESSIONS - SESSIONS / 10),
      },
      {
        name: 'an open session, heap, once its transactions are over',
        unit: 'bytes',
        p50: (settled.heap - afterMany.heap) / (SESSIONS - SESSIONS / 10),
      },
      { name: 'server with 10 000 users, 2 000 sessions', unit: 'bytes', p50: callsOfMany.after.rss },
      ...rooms,
    ];
  } finally {
    for (const line of lines) line.close();
    server.disconnect();
  }
}
