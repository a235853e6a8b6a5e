/**
 * Owns: messages made ready to be taken in: everything that needs no database is done here, in whichever thread has time.
 * Called by: main/messenger/history/import-thread.ts, message-import.ts. Calls: search-index.ts, header-shapes.ts, message-keys.ts.
 *
 * Columns instead of objects: they cross from one thread to another in a fraction of the time.
 */
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { MessageTime } from '../../shared/domain/message.ts';
import type { ExportedChange } from './change-columns.ts';
import { shapeTables } from './header-shapes.ts';
import { packId, positionOfPlaceId, wireKey } from './message-keys.ts';
import { FILE, IN, OUT, stateNumber, TEXT } from './message-rows.ts';
import type { NewMessage } from './messages.ts';
import { dayOf, wordsOf } from './search-index.ts';

/** A message that is taken in, with what has happened to it already. */
export interface ImportedMessage extends NewMessage {
  readonly changes?: readonly ExportedChange[] | undefined;
  readonly times?: readonly MessageTime[] | undefined;
}

/** What few messages have. */
export interface RareParts extends Pick<ImportedMessage, 'group' | 'replyTo' | 'changes'> {
  readonly file: ImportedMessage['file'] | undefined;
  /** Its own id, when it is neither that on the wire nor made of its position. */
  readonly id: string | undefined;
}

/** In the column of ids: it has none of its own, that on the wire, or one that stands among the rare parts. */
export const [ID_OF_PLACE, ID_OF_WIRE, ID_OF_ITS_OWN] = [0, 1, 2] as const;

/** One place a message in each column. */
export interface PreparedMessages {
  /** What `conversation` counts in. */
  readonly conversations: readonly ConversationId[];
  readonly conversation: Uint32Array;
  readonly direction: Uint8Array;
  /** As in its row. */
  readonly kind: Uint8Array;
  readonly state: Uint8Array;
  readonly wireKeys: Int32Array;
  readonly wireIds: readonly string[];
  /** As they lie on disk, one after the other, and where each ends; nothing of those that lie there as text. */
  readonly packedIds: Uint8Array;
  readonly packedEnd: Uint32Array;
  readonly ids: Uint8Array;
  readonly texts: readonly string[];
  /** Times in ms since 1970, and the local day. */
  readonly sentAtMs: Float64Array;
  readonly storedAtMs: Float64Array;
  readonly days: Int32Array;
  /** When they came into their states, one after the other, and where those of each end: numbers of states, ms since 1970. */
  readonly timeStates: Uint8Array;
  readonly timesMs: Float64Array;
  readonly timesEnd: Uint32Array;
  /** For the index, in UTF-8, one after the other, and where each ends; the labels that need a number of ours are not there. */
  readonly words: Uint8Array;
  readonly wordsEnd: Uint32Array;
  /** Of their headers, what `shape` counts in (-1: none), and what a shape leaves open, by place. */
  readonly shapes: readonly string[];
  readonly shape: Int32Array;
  readonly openValues: ReadonlyMap<number, readonly string[]>;
  /** By place. */
  readonly rare: ReadonlyMap<number, RareParts>;
}

/** Of an id on disk: of a UUID. */
const MAX_PACKED_BYTES = 17;
/** Room for the words of a message; more is made when it is needed. */
const BYTES_A_MESSAGE = 512;

/** Bytes of texts one after the other. */
class Bytes {
  #buffer: Buffer;
  length = 0;

  constructor(size: number) {
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(size, BYTES_A_MESSAGE));
  }

  add(text: string): void {
    // The most that UTF-8 needs.
    const needed = this.length + text.length * 3;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length));
      this.#buffer.copy(larger, 0, 0, this.length);
      this.#buffer = larger;
    }
    this.length += this.#buffer.write(text, this.length);
  }

  /** No more than the room that was asked for. */
  addBytes(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  get written(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }
}

/** Keeps what it has learnt of headers from one call to the next. */
export function messagePreparer(): (messages: readonly ImportedMessage[]) => PreparedMessages {
  const openShapes = shapeTables();
  const numbers = new Map<ConversationId, number>();
  return (messages) => {
    const { length } = messages;
    const { shapes, shapeOf } = openShapes();
    const places = new Map<ConversationId, number>();
    const numberOf = (id: ConversationId): number => {
      const number = numbers.get(id) ?? numbers.size;
      numbers.set(id, number);
      return number;
    };
    const columns = {
      conversation: new Uint32Array(length),
      direction: new Uint8Array(length),
      kind: new Uint8Array(length),
      state: new Uint8Array(length),
      wireKeys: new Int32Array(length),
      packedEnd: new Uint32Array(length),
      ids: new Uint8Array(length),
      sentAtMs: new Float64Array(length),
      storedAtMs: new Float64Array(length),
      days: new Int32Array(length),
      timesEnd: new Uint32Array(length),
      wordsEnd: new Uint32Array(length),
      shape: new Int32Array(length).fill(-1),
    };
    const openValues = new Map<number, readonly string[]>();
    const rare = new Map<number, RareParts>();
    const times: MessageTime[] = [];
    const packedIds = new Bytes(length * MAX_PACKED_BYTES);
    const words = new Bytes(length * BYTES_A_MESSAGE);
    for (const [at, message] of messages.entries()) {
      const { id, conversationId, wireId, text, sentAtMs, group, replyTo, changes, file } = message;
      let place = places.get(conversationId);
      if (place === undefined) {
        place = places.size;
        places.set(conversationId, place);
      }
      columns.conversation[at] = place;
      columns.direction[at] = message.direction === 'in' ? IN : OUT;
      columns.kind[at] = file === undefined ? TEXT : FILE;
      columns.state[at] = stateNumber(message.state, message.displayReportWanted);
      columns.wireKeys[at] = wireKey(wireId);
      const packed = packId(wireId);
      if (typeof packed !== 'string') packedIds.addBytes(packed);
      columns.packedEnd[at] = packedIds.length;
      columns.sentAtMs[at] = sentAtMs;
      columns.storedAtMs[at] = message.storedAtMs;
      columns.days[at] = dayOf(sentAtMs);
      if (message.times !== undefined) times.push(...message.times);
      columns.timesEnd[at] = times.length;
      const ids =
        id === undefined || positionOfPlaceId(id) !== undefined
          ? ID_OF_PLACE
          : id === wireId
            ? ID_OF_WIRE
            : ID_OF_ITS_OWN;
      columns.ids[at] = ids;
      // What has happened is shown, and neither searched nor counted.
      if ((group?.notice ?? null) === null) {
        words.add(wordsOf({ text, sentAtMs, direction: message.direction, isFile: file !== undefined }));
      }
      columns.wordsEnd[at] = words.length;
      const headers = message.headers ?? null;
      if (headers !== null) {
        const author = 2 * numberOf(conversationId) + (message.direction === 'in' ? IN : OUT);
        const { place: shape, values } = shapeOf(headers, message, author);
        columns.shape[at] = shape;
        if (values.length > 0) openValues.set(at, values);
      }
      const isPlain =
        group === undefined && replyTo === undefined && changes === undefined && file === undefined;
      if (!isPlain || ids === ID_OF_ITS_OWN) {
        rare.set(at, { id: ids === ID_OF_ITS_OWN ? id : undefined, group, replyTo, changes, file });
      }
    }
    return {
      ...columns,
      conversations: [...places.keys()],
      wireIds: messages.map(({ wireId }) => wireId),
      packedIds: packedIds.written,
      timeStates: Uint8Array.from(times, ({ state }) => stateNumber(state)),
      timesMs: Float64Array.from(times, ({ atMs }) => atMs),
      texts: messages.map(({ text }) => text),
      words: words.written,
      shapes,
      openValues,
      rare,
    };
  };
}
