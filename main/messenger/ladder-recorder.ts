/**
 * Owns: the recent messages on this messenger's sockets, by session, for its ladder.
 * Called by: network.ts through the wire tap, commands.ts. Calls: wire-reader.ts, ladder.ts.
 */
import type { Ladder, LadderParty } from '../../shared/domain/ladder.ts';
import { MESSENGER_LIMITS } from '../base/limits.ts';
import type { WireRecord, WireTap } from '../base/wire-tap.ts';
import { toLadder, type LadderMessage } from './ladder.ts';
import type { CapturedMessage } from './pcap.ts';
import { WireReader, type ReadMessage, type WholeMessage, type WireMessage } from './wire-reader.ts';

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
  /** Undefined: over the ceiling of what is kept of texts. */
  readonly whole: WholeMessage | undefined;
  readonly outgoing: boolean;
}

/** What was seen of one dialog or MSRP session. */
interface Strand {
  readonly seen: Seen[];
  /** Of bodies that are kept. */
  wholeBytes: number;
}

/** Keeps what belongs to INVITE dialogs and MSRP sessions, up to a ceiling of each. */
export class LadderRecorder {
  readonly #reader = new WireReader();
  readonly #byKey = new Map<string, Strand>();
  readonly #recent: WireMessage[] = [];

  /** To be handed to the SIP engine and the MSRP endpoint. */
  readonly tap: WireTap = (record) => {
    this.#receive(record);
  };

  /**
   * The ladder of one session as seen from this side: what the server and the peer do between them is not ours.
   * `isWhole`: with credentials and texts, as far as they are kept.
   */
  ladderOf(session: RecordedSession, isWhole = false): Ladder {
    const us: LadderParty = session.outgoing ? 'bob' : 'tom';
    const peer: LadderParty = session.outgoing ? 'tom' : 'bob';
    const messages = this.#seenOf(session).map(({ message, whole, outgoing }): LadderMessage => {
      const other = message.protocol === 'sip' ? 'server' : peer;
      const parties: Pick<LadderMessage, 'fromParty' | 'toParty'> = {
        fromParty: outgoing ? us : other,
        toParty: outgoing ? other : us,
      };
      const text = isWhole && whole !== undefined ? wholeText(whole, message.bodyBytes) : message.text;
      return { ...message, ...parties, text };
    });
    return toLadder(messages, session.names);
  }

  /** The same as bytes, in the order of their time. What is redacted, or not kept, is as long as it was. */
  captureOf(session: RecordedSession, isWhole = false): CapturedMessage[] {
    return this.#seenOf(session)
      .map(({ message, whole }) => ({
        ...message,
        bytes: isWhole && whole !== undefined ? wholeBytes(whole, message.bodyBytes) : redactedBytes(message),
      }))
      .sort((a, b) => a.timeUs - b.timeUs);
  }

  /** The last messages of any kind, oldest first. */
  get recent(): readonly WireMessage[] {
    return this.#recent;
  }

  #seenOf({ callId, msrpSessionId }: RecordedSession): Seen[] {
    return [callId ?? '', msrpSessionId].flatMap((key) => this.#byKey.get(key)?.seen ?? []);
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

  #keep({ whole, ...message }: ReadMessage, outgoing: boolean): void {
    const shown = { ...message, text: message.text.slice(0, MESSENGER_LIMITS.ladderMessageBytes) };
    this.#recent.push(shown);
    if (this.#recent.length > MAX_RECENT) this.#recent.shift();
    for (const key of new Set(message.keys)) {
      const strand = this.#strandOf(key, message);
      if (strand === undefined || strand.seen.length >= MESSENGER_LIMITS.ladderMessages) continue;
      const read = whole();
      const isKept = strand.wholeBytes + read.body.length <= MESSENGER_LIMITS.ladderTextBytes;
      if (isKept) strand.wholeBytes += read.body.length;
      strand.seen.push({ message: shown, whole: isKept ? read : undefined, outgoing });
    }
  }

  /** Undefined: it belongs to nothing that has a ladder. */
  #strandOf(key: string, { protocol, method }: WireMessage): Strand | undefined {
    const known = this.#byKey.get(key);
    // Only an INVITE opens a SIP record: registrations and the like have no ladder.
    if (known !== undefined || key === '' || (protocol === 'sip' && method !== 'INVITE')) return known;
    const oldest = this.#byKey.keys().next().value;
    if (this.#byKey.size >= MAX_KEYS && oldest !== undefined) this.#byKey.delete(oldest);
    const strand: Strand = { seen: [], wholeBytes: 0 };
    this.#byKey.set(key, strand);
    return strand;
  }
}

function redactedBytes({ protocol, text }: WireMessage): Buffer {
  const filled = text.replace(REDACTED_BYTES, (_, count) => 'x'.repeat(Number(count)));
  return Buffer.from(`${filled}${protocol === 'msrp' ? '\r\n' : ''}`, 'utf8');
}

function wholeBytes({ head, body, tail }: WholeMessage, bodyBytes: number): Buffer {
  const missing = Buffer.alloc(Math.max(0, bodyBytes - body.length), 'x');
  return Buffer.concat([Buffer.from(head, 'utf8'), body, missing, Buffer.from(tail, 'utf8')]);
}

function wholeText({ head, body, tail }: WholeMessage, bodyBytes: number): string {
  const missing = bodyBytes - body.length;
  const more = missing > 0 ? `(${missing} bytes more)` : '';
  return `${head}${body.toString('utf8')}${more}${tail}`;
}
