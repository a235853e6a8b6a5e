/**
 * Owns: noticing that this computer has another network, or was asleep. Called by: app.ts. Calls: node:os.
 */
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import { systemClock, type Clock, type Timer } from '../base/clock.ts';

export interface NetworkWatchOptions {
  readonly clock?: Clock;
  /** Default: those of the system. */
  readonly interfaces?: () => NodeJS.Dict<NetworkInterfaceInfo[]>;
  /** Something has changed, and has been quiet since for a moment. */
  readonly receiveChange: () => void;
}

const POLL_MS = 1_000;
/** Addresses come and go in bursts: so long nothing may change before it is told. */
const SETTLE_MS = 300;
/** Told after so many bursts at the latest. */
const MAX_SETTLES = 3;
/** Time that has gone by beside our own: the computer was asleep (or its clock was set, which does no harm). */
const GAP_MS = 5_000;

/** Looks once a second. */
export class NetworkWatch implements Disposable {
  readonly #clock: Clock;
  readonly #interfaces: () => NodeJS.Dict<NetworkInterfaceInfo[]>;
  readonly #receiveChange: () => void;
  #timer: Timer | undefined;
  #addresses = '';
  #wallMs = 0;

  constructor(options: NetworkWatchOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#interfaces = options.interfaces ?? networkInterfaces;
    this.#receiveChange = options.receiveChange;
  }

  start(): void {
    this.#addresses = this.#read();
    this.#wallMs = this.#clock.now();
    this.#pollLater();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #pollLater(): void {
    this.#timer = this.#clock.startTimer(POLL_MS, () => {
      const passedMs = this.#clock.now() - this.#wallMs;
      this.#wallMs = this.#clock.now();
      const before = this.#addresses;
      this.#addresses = this.#read();
      if (passedMs > POLL_MS + GAP_MS || this.#addresses !== before) this.#settle(1);
      else this.#pollLater();
    });
  }

  #settle(round: number): void {
    this.#timer = this.#clock.startTimer(SETTLE_MS, () => {
      this.#wallMs = this.#clock.now();
      const before = this.#addresses;
      this.#addresses = this.#read();
      if (this.#addresses !== before && round < MAX_SETTLES) {
        this.#settle(round + 1);
        return;
      }
      this.#pollLater();
      this.#receiveChange();
    });
  }

  /** Addresses by which others can reach us; those of this computer alone do not matter. */
  #read(): string {
    return Object.entries(this.#interfaces())
      .flatMap(([name, all]) =>
        (all ?? []).filter(({ internal }) => !internal).map(({ address }) => `${name} ${address}`),
      )
      .sort()
      .join('\n');
  }
}
