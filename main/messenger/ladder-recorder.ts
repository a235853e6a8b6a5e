/**
 * Owns: the recent messages on this messenger's sockets, by session, for its ladder.
 * Called by: network.ts through the wire tap, commands.ts. Calls: wire-reader.ts, ladder.ts.
 */
import type { Ladder, LadderParty } from '../../shared/domain/ladder.ts';
import { MESSENGER_LIMITS } from '../base/limits.ts';
import type { WireRecord, WireTap } from '../base/wire-tap.ts';
import { toLadder, type LadderMessage } from './ladder.ts';
import type { CapturedMessage } from './pcap.ts';
import { WireReader, type WireMessage } from './wire-reader.ts';

/** Dialogs and MSRP sessions remembered; the oldest is forgotten. */
const MAX_KEYS = 128;
/** Messages of any kind that are remembered for a report. */
const MAX_RECENT = 200;

/** As wire-reader.ts writes it, where a body stood. */
const REDACTED_BYTES = /(?<=\r\n\r\n)\((\d{1,7}) bytes redacted\)/;

/** Whose messages are asked for. */
export interface RecordedSession {
  readonly callId: string | undefined;
  readonly msrpSessionId: string;
  readonly outgoing: boolean;
  readonly names: Ladder['names'];
}

interface Seen {
  readonly message: WireMessage;
  readonly outgoing: boolean;
}

/** Keeps what belongs to INVITE dialogs and MSRP sessions, up to a ceiling of each. */
export class LadderRecorder {
  readonly #reader = new WireReader();
  readonly #byKey = new Map<string, Seen[]>();
  readonly #recent: WireMessage[] = [];

  /** To be handed to the SIP engine and the MSRP endpoint. */
  readonly tap: WireTap = (record) => {
    this.#receive(record);
  };

  /** The ladder of one session as seen from this side: what the server and the peer do between them is not ours. */
  ladderOf(session: RecordedSession): Ladder {
    const us: LadderParty = session.outgoing ? 'bob' : 'tom';
    const peer: LadderParty = session.outgoing ? 'tom' : 'bob';
    const messages = this.#seenOf(session).map(({ message, outgoing }): LadderMessage => {
      const other = message.protocol === 'sip' ? 'server' : peer;
      return { ...message, fromParty: outgoing ? us : other, toParty: outgoing ? other : us };
    });
    return toLadder(messages, session.names);
  }

  /** The same as bytes, in the order of their time. What is redacted is as long as it was. */
  captureOf(session: RecordedSession): CapturedMessage[] {
    return this.#seenOf(session)
      .map(({ message }) => {
        const text = message.text.replace(REDACTED_BYTES, (_, count) => 'x'.repeat(Number(count)));
        const end = message.protocol === 'msrp' ? '\r\n' : '';
        return { ...message, bytes: Buffer.from(`${text}${end}`, 'utf8') };
      })
      .sort((a, b) => a.timeUs - b.timeUs);
  }

  /** The last messages of any kind, oldest first. */
  get recent(): readonly WireMessage[] {
    return this.#recent;
  }

  #seenOf({ callId, msrpSessionId }: RecordedSession): Seen[] {
    return [...(this.#byKey.get(callId ?? '') ?? []), ...(this.#byKey.get(msrpSessionId) ?? [])];
  }

  #receive(record: WireRecord): void {
    const outgoing = record.direction === 'out';
    const messages = this.#reader.receive({
      timeUs: record.timeUs,
      from: outgoing ? record.local : record.remote,
      to: outgoing ? record.remote : record.local,
      protocol: record.protocol,
      datagram: record.transport === 'udp',
      bytes: record.bytes,
    });
    for (const message of messages) this.#keep(message, outgoing);
  }

  #keep(message: WireMessage, outgoing: boolean): void {
    const text = message.text.slice(0, MESSENGER_LIMITS.ladderMessageBytes);
    this.#recent.push({ ...message, text });
    if (this.#recent.length > MAX_RECENT) this.#recent.shift();
    for (const key of new Set(message.keys)) {
      if (key === '') continue;
      let list = this.#byKey.get(key);
      if (list === undefined) {
        // Only an INVITE opens a SIP record: registrations and the like have no ladder.
        if (message.protocol === 'sip' && message.method !== 'INVITE') continue;
        list = [];
        const oldest = this.#byKey.keys().next().value;
        if (this.#byKey.size >= MAX_KEYS && oldest !== undefined) this.#byKey.delete(oldest);
        this.#byKey.set(key, list);
      }
      if (list.length < MESSENGER_LIMITS.ladderMessages)
        list.push({ message: { ...message, text }, outgoing });
    }
  }
}
