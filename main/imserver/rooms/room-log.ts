/**
 * Owns: what was said in one room, in its order: the newest in memory, the rest on disk. Called by: room.ts,
 * room-reader.ts. Calls: the store.
 */
import type { RoomLimits } from '../../base/room-limits.ts';
import type { NewRoomMessage } from '../../store/room-tables.ts';
import type { ImServerStore } from '../imserver-store.ts';

/** One message, notice or file. */
export interface RoomEntry {
  readonly position: number;
  readonly kind: NewRoomMessage['kind'];
  readonly sender: string;
  readonly device: string;
  /** Null: everybody. */
  readonly recipient: string | null;
  readonly messageId: string;
  /** message/cpim; shared by all who send it. */
  readonly body: Buffer;
}

/** The history of one room. */
export class RoomLog {
  readonly #room: number;
  readonly #store: ImServerStore;
  readonly #limits: RoomLimits;
  #recent: RoomEntry[] = [];
  #recentBytes = 0;
  #coveredFrom: number;
  #last: number;
  /** Something is on disk up to here. */
  #wanted = 0;
  #reading: Promise<void> | undefined;
  /** Something was said since the room's share of the disk was looked at. */
  grown = false;

  constructor(room: number, lastPosition: number, store: ImServerStore, limits: RoomLimits) {
    this.#room = room;
    this.#store = store;
    this.#limits = limits;
    this.#last = lastPosition;
    this.#coveredFrom = lastPosition;
  }

  /** Position of the newest entry. */
  get last(): number {
    return this.#last;
  }

  /** Everything behind this position is in memory. */
  get coveredFrom(): number {
    return this.#coveredFrom;
  }

  /** These are on disk. Others may have spoken in between at another node: then what is new is read, in its order. */
  async receiveStored(entries: readonly RoomEntry[], isHeard: boolean): Promise<void> {
    if (this.#store.isShared) await this.receiveElsewhere(entries.at(-1)?.position ?? 0, isHeard);
    else for (const entry of entries) this.#append(entry);
  }

  /** What was said up to `position` is on disk; it is read when somebody hears it. Rejects with StoreError. */
  async receiveElsewhere(position: number, isHeard: boolean): Promise<void> {
    this.#wanted = Math.max(this.#wanted, position);
    if (isHeard) {
      this.#reading ??= this.#readOn().finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    } else if (this.#reading === undefined) this.#skip();
  }

  async #readOn(): Promise<void> {
    while (this.#last < this.#wanted) {
      const page = await this.page(this.#last);
      for (const entry of page) this.#append(entry);
      // What was trimmed away meanwhile is nowhere any more.
      if (page.length === 0) this.#skip();
    }
  }

  #skip(): void {
    if (this.#wanted <= this.#last) return;
    this.#last = this.#wanted;
    this.grown = true;
    this.rest();
  }

  #append(entry: RoomEntry): void {
    if (entry.position <= this.#last) return;
    this.#recent.push(entry);
    this.#recentBytes += entry.body.length;
    this.#last = entry.position;
    this.grown = true;
    const { recentMessages, recentBytes } = this.#limits;
    while (this.#recent.length > recentMessages || this.#recentBytes > recentBytes) {
      const oldest = this.#recent.shift();
      if (oldest === undefined) break;
      this.#recentBytes -= oldest.body.length;
      this.#coveredFrom = oldest.position;
    }
  }

  /** The entry behind `position`; undefined: none yet; `older`: not in memory. */
  after(position: number): RoomEntry | undefined | 'older' {
    if (position >= this.#last) return undefined;
    if (position < this.#coveredFrom) return 'older';
    let low = 0;
    let high = this.#recent.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#recent[middle]?.position ?? 0) > position) high = middle;
      else low = middle + 1;
    }
    return this.#recent[low];
  }

  /** A page of what lies behind `position` on the disk. Rejects with StoreError. */
  async page(after: number): Promise<readonly RoomEntry[]> {
    const found = await this.#store.call('selectRoomMessages', {
      room: this.#room,
      after,
      limit: this.#limits.pageMessages,
      maxBytes: this.#limits.pageBytes,
    });
    return found.map((entry) => ({ ...entry, body: Buffer.from(entry.body) }));
  }

  /** Nobody listens: what is in memory can be read from the disk as well. */
  rest(): void {
    this.#recent = [];
    this.#recentBytes = 0;
    this.#coveredFrom = this.#last;
  }
}
