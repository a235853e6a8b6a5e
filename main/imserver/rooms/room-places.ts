/**
 * Owns: how far each device has got in the history of its rooms: in memory at once, on disk a little later. What was not
 * written down when the server ended is sent again; the messages' ids say that it is the same.
 * Called by: room-admission.ts, room-participant.ts through its host. Calls: the store.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { RoomLimits } from '../../base/room-limits.ts';
import type { RoomPlace } from '../../store/room-tables.ts';
import type { ImServerStore } from '../imserver-store.ts';

export type RoomPlaceKey = Pick<RoomPlace, 'room' | 'user' | 'device'>;

/** The places of all devices that have moved since they were written down. */
export class RoomPlaces implements AsyncDisposable {
  readonly #store: ImServerStore;
  readonly #limits: RoomLimits;
  readonly #clock: Clock;
  readonly #log: Log;
  #moved = new Map<string, RoomPlace>();
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(store: ImServerStore, limits: RoomLimits, clock: Clock, log: Log) {
    this.#store = store;
    this.#limits = limits;
    this.#clock = clock;
    this.#log = log;
  }

  /** Undefined: this device was never there. Rejects with StoreError. */
  async find(key: RoomPlaceKey): Promise<number | undefined> {
    await this.flush();
    return (await this.#store.call('selectRoomPlace', key)) ?? undefined;
  }

  receive(key: RoomPlaceKey, position: number): void {
    const text = `${key.room} ${key.user} ${key.device}`;
    this.#moved.set(text, { ...key, position, seenMs: this.#clock.now() });
    this.#timer ??= this.#clock.startTimer(this.#limits.placesMs, () => void this.flush());
  }

  /** Resolves when what has moved until now is on disk. */
  flush(): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    if (this.#moved.size === 0) return this.#writing;
    const places = [...this.#moved.values()];
    this.#moved = new Map();
    this.#writing = this.#store
      .call('upsertRoomPlaces', { places, maxDevices: this.#limits.maxDevices })
      .then(
        () => undefined,
        (error: unknown) => {
          this.#log.warn('room.places.not-stored', { error });
        },
      );
    return this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush();
  }
}
