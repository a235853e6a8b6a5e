/**
 * Owns: how many messages a second go through a room of so many, every copy counted. Called by: figures.ts.
 * Calls: sip-line.ts, main/msrp.
 */
import { MsrpEndpoint } from '../../../main/msrp/endpoint.ts';
import { buildMsrpOffer, parseMsrpDescription } from '../../../main/msrp/sdp.ts';
import type { MsrpSession } from '../../../main/msrp/session.ts';
import { DOMAIN } from '../../support/im-world.ts';
import { cpimText } from '../../support/room-peer.ts';
import { BENCH_LIMITS } from '../msrp/peer-protocol.ts';
import { userName } from './process-protocol.ts';
import { SipLine } from './sip-line.ts';

/** Messages that are under way at once. */
const AT_ONCE = 16;

export interface RoomFigures {
  /** From their author into the room, and copies out of it. */
  readonly sent: number;
  readonly delivered: number;
}

/** `members` people in one room; one of them says `messages` things, and each of the others hears all of them. */
export async function measureRoom(
  port: number,
  name: string,
  members: number,
  messages: number,
): Promise<RoomFigures> {
  const line = await SipLine.open(port);
  const endpoint = new MsrpEndpoint({ limits: BENCH_LIMITS });
  await endpoint.listen({ host: '127.0.0.1', port: 0 });
  const all = Promise.withResolvers<void>();
  const expected = (members - 1) * messages;
  let delivered = 0;
  try {
    const sessions: MsrpSession[] = [];
    for (let index = 0; index < members; index++) {
      sessions.push(
        await join(line, endpoint, userName(index), name, (body) => {
          if (body.includes('of the bench') && ++delivered === expected) all.resolve();
        }),
      );
    }
    const [author] = sessions;
    if (author === undefined) throw new Error('nobody is there');
    const began = performance.now();
    let next = 0;
    const say = async (): Promise<void> => {
      while (next < messages) {
        const id = `${name}${String(next++).padStart(6, '0')}`;
        const from = `sip:${userName(0)}@${DOMAIN}`;
        const text = cpimText({ from, to: `sip:${name}@${DOMAIN}`, text: `message ${id} of the bench`, id });
        const body = Buffer.from(text);
        const { status } = await author.sendMessage({ messageId: id, contentType: 'message/cpim', body });
        if (status !== 200) throw new Error(`the room said ${status}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, say));
    const sentS = (performance.now() - began) / 1_000;
    await all.promise;
    return { sent: messages / sentS, delivered: expected / ((performance.now() - began) / 1_000) };
  } finally {
    await endpoint[Symbol.asyncDispose]();
    line.close();
  }
}

async function join(
  line: SipLine,
  endpoint: MsrpEndpoint,
  user: string,
  room: string,
  hear: (body: string) => void,
): Promise<MsrpSession> {
  const session = endpoint.createSession({
    advertisedHost: '127.0.0.1',
    acceptTypes: ['message/cpim'],
    delegate: {
      receiveMessage: ({ body }) => {
        hear(body.toString('utf8'));
        return Promise.resolve();
      },
      receiveReport: () => undefined,
      receiveVisit: () => undefined,
      receiveClose: () => undefined,
    },
  });
  const sdp = buildMsrpOffer({
    path: session.localPath,
    acceptTypes: ['message/cpim'],
    acceptWrappedTypes: ['*'],
    setup: 'actpass',
  });
  const answer = await line.call(user, `sip:${room}@${DOMAIN}`, sdp);
  const path = parseMsrpDescription(answer.body)?.path ?? [];
  await session.acceptAnswer(path, { connectToAnswerer: true });
  return session;
}
