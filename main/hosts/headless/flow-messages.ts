/**
 * Owns: which SIP and MSRP messages of a capture belong to the flow, and who sent them. Called by: flow.ts.
 * Calls: messenger/wire-reader.ts.
 */
import type { LadderParty } from '../../../shared/domain/ladder.ts';
import type { LadderMessage } from '../../messenger/ladder.ts';
import { WireReader, type WireMessage, type WirePiece } from '../../messenger/wire-reader.ts';
import type { Cast } from './flow-conversation.ts';

/** What goes on beside a conversation: who is signed in, and who is there. */
const BESIDE_IT: ReadonlySet<string> = new Set(['REGISTER', 'PUBLISH', 'SUBSCRIBE', 'NOTIFY']);

/** A piece of a stream, or its end. */
export interface TimedPiece extends Omit<WirePiece, 'protocol'> {
  readonly fin: boolean;
}

/** The messages of the conversation, with who sent them, and what the connections themselves showed. */
export function readMessages(
  pieces: readonly TimedPiece[],
  cast: Cast,
): { messages: LadderMessage[]; faults: string[] } {
  const reader = new WireReader();
  const parties = new Map<string, LadderParty>([[cast.server, 'server']]);
  if (cast.relay !== undefined) parties.set(cast.relay, 'server');
  /** Where Bob listens for MSRP: the end of the path of his offer. */
  const hosts = new Set<string>();
  const all: WireMessage[] = [];
  const msrpEnds = new Map<string, number>();
  for (const piece of pieces) {
    const protocol = protocolOf(piece, cast, hosts);
    if (protocol === undefined) continue;
    if (protocol === 'msrp' && piece.fin) msrpEnds.set(piece.from, piece.timeUs);
    for (const message of reader.receive({ ...piece, protocol })) {
      if (message.protocol === 'sip') learnFromSip(message, parties, hosts, cast);
      all.push(message);
    }
  }
  // Who is behind a connection to the relay is known when his path has been in an offer or an answer.
  for (const message of all) if (message.protocol === 'msrp') learnFromMsrp(message, parties, hosts, cast);
  const messages = all.flatMap((message): LadderMessage[] => {
    const fromParty = parties.get(message.from);
    const toParty = parties.get(message.to);
    if (fromParty === undefined || toParty === undefined || BESIDE_IT.has(message.method)) return [];
    return [{ ...message, fromParty, toParty }];
  });
  const lastMsrpUs = Math.max(0, ...messages.filter(isMsrp).map(({ timeUs }) => timeUs));
  return { messages, faults: checkClose(messages, msrpEnds, lastMsrpUs) };
}

function isMsrp({ protocol }: WireMessage): boolean {
  return protocol === 'msrp';
}

/**
 * A capture shows everything on the loopback interface: ours is the SIP of our server, and the MSRP of its relay and of
 * Bob's path.
 */
function protocolOf(piece: TimedPiece, cast: Cast, hosts: ReadonlySet<string>): 'sip' | 'msrp' | undefined {
  if (piece.from === cast.server || piece.to === cast.server) return 'sip';
  if (piece.datagram) return undefined;
  if (piece.from === cast.relay || piece.to === cast.relay) return 'msrp';
  return hosts.has(piece.from) || hosts.has(piece.to) ? 'msrp' : undefined;
}

/** Who sits behind a port is told by what he sends: his From, the server's INVITE to him, the path in his offer. */
function learnFromSip(
  message: WireMessage,
  parties: Map<string, LadderParty>,
  hosts: Set<string>,
  cast: Cast,
): void {
  const outwards = message.from === cast.server;
  const peer = outwards ? message.to : message.from;
  if (message.status !== 0) return;
  const header = outwards ? 'To' : 'From';
  const user = new RegExp(`^${header}:.*sip:(bob|tom)@`, 'im').exec(message.text)?.[1];
  if (!parties.has(peer) && (user === 'bob' || user === 'tom')) parties.set(peer, user);
  const path = /^a=path:(?:\S+ )*msrps?:\/\/([^/\s]+)\/\S*\s*$/im.exec(message.sdp)?.[1];
  if (path !== undefined && message.method === 'INVITE' && !outwards) hosts.add(path);
}

/** Bob's end of a connection is where he listens; to the relay he comes from elsewhere, with his path in From-Path. */
function learnFromMsrp(
  message: WireMessage,
  parties: Map<string, LadderParty>,
  hosts: ReadonlySet<string>,
  cast: Cast,
): void {
  if (message.to === cast.relay) {
    const origin = /^From-Path:.*msrps?:\/\/([^/\s]+)\/\S*\s*$/im.exec(message.text)?.[1] ?? '';
    if (message.status === 0 && !parties.has(message.from)) {
      parties.set(message.from, hosts.has(origin) ? 'bob' : 'tom');
    }
    return;
  }
  if (message.from === cast.relay) return;
  const toHost = hosts.has(message.to);
  parties.set(toHost ? message.to : message.from, 'bob');
  parties.set(toHost ? message.from : message.to, 'tom');
}

/** The MSRP connection is closed with the session, and after its last transaction. */
function checkClose(
  messages: readonly LadderMessage[],
  ends: ReadonlyMap<string, number>,
  lastMsrpUs: number,
): string[] {
  const bye = messages.find((message) => message.method === 'BYE');
  if (ends.size === 0 || bye === undefined) return [];
  const first = Math.min(...ends.values());
  const faults: string[] = [];
  if (first < bye.timeUs) faults.push('the MSRP connection was closed before the session was ended');
  if (first < lastMsrpUs) faults.push('the MSRP connection was closed before its last transaction');
  return faults;
}
