/**
 * Owns: how far one participant has got in the history of his room: what is under way to him, and that he falls behind
 * alone when he is slow. Called by: room-participant.ts. Calls: room-log.ts, then the session of the participant.
 */
import type { Log } from '../../base/log.ts';
import type { RoomLimits } from '../../base/room-limits.ts';
import type { RoomEntry, RoomLog } from './room-log.ts';

export interface RoomReaderOptions {
  readonly history: RoomLog;
  readonly limits: RoomLimits;
  readonly log: Log;
  /** He has everything up to here. */
  readonly from: number;
  /** Whether an entry is for him. */
  readonly wants: (entry: RoomEntry) => boolean;
  /** Sends it; resolves with the MSRP status. Rejects when the session is over. */
  readonly send: (entry: RoomEntry) => Promise<number>;
  /** He has everything up to `position`. */
  readonly receivePlace: (position: number) => void;
  /** He has everything that there is. */
  readonly receiveIdle: () => void;
  /** He does not answer any more. */
  readonly receiveStalled: () => void;
}

/** One participant's way through the history. */
export class RoomReader {
  readonly #options: RoomReaderOptions;
  /** Sent or passed over up to here. */
  #next: number;
  /** Under way, in order: position and bytes. */
  readonly #flying = new Map<number, number>();
  #flyingBytes = 0;
  /** What was read from the disk and not sent yet. */
  #page: readonly RoomEntry[] = [];
  #pageAt = 0;
  #reading = false;
  #ended = false;
  #place: number;

  constructor(options: RoomReaderOptions) {
    this.#options = options;
    this.#next = options.from;
    this.#place = options.from;
  }

  /** Everything up to here has been answered, or was not for him. */
  get place(): number {
    return this.#place;
  }

  /** Whether nothing more has to be sent or answered. */
  get isIdle(): boolean {
    return this.#flying.size === 0 && this.#next >= this.#options.history.last;
  }

  end(): void {
    this.#ended = true;
    this.#page = [];
  }

  /** There is something new, or room for more. */
  pump(): void {
    const { windowMessages, windowBytes } = this.#options.limits;
    while (!this.#ended && !this.#reading) {
      if (this.#flying.size >= windowMessages || this.#flyingBytes >= windowBytes) return;
      const entry = this.#page[this.#pageAt] ?? this.#options.history.after(this.#next);
      if (entry === undefined) return;
      if (entry === 'older') {
        this.#read();
        return;
      }
      if (this.#pageAt < this.#page.length) this.#pageAt++;
      this.#next = entry.position;
      if (this.#options.wants(entry)) this.#send(entry);
      else this.#settlePlace();
    }
  }

  #send(entry: RoomEntry): void {
    const { position, body } = entry;
    this.#flying.set(position, body.length);
    this.#flyingBytes += body.length;
    this.#options.send(entry).then(
      (status) => {
        if (this.#ended) return;
        if (status === 408 || status === 481 || status === 506) {
          this.#options.receiveStalled();
          return;
        }
        // Refused by him: nobody else waits for that, and it is not offered again.
        if (status !== 200) this.#options.log.info('room.message.refused', { status, position });
        this.#flying.delete(position);
        this.#flyingBytes -= body.length;
        this.#settlePlace();
        this.pump();
      },
      () => {
        this.end();
      },
    );
  }

  #settlePlace(): void {
    const [oldest] = this.#flying.keys();
    const place = oldest === undefined ? this.#next : oldest - 1;
    if (place <= this.#place) return;
    this.#place = place;
    this.#options.receivePlace(place);
    if (this.isIdle) this.#options.receiveIdle();
  }

  /** He is behind what is in memory: one page after the other. */
  #read(): void {
    this.#reading = true;
    this.#options.history
      .page(this.#next)
      .then(
        (page) => {
          this.#page = page;
          this.#pageAt = 0;
          // What was trimmed away meanwhile is nowhere any more.
          if (page.length === 0) this.#next = Math.max(this.#next, this.#options.history.coveredFrom);
        },
        (error: unknown) => {
          this.#options.log.warn('room.history.unreadable', { error });
          this.#options.receiveStalled();
        },
      )
      .finally(() => {
        this.#reading = false;
        this.pump();
      });
  }
}
