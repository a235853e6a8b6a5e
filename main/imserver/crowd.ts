/**
 * Owns: how many devices may come back in one second, and how the others are spread. Called by: registrar.ts.
 * Calls: nothing. The numbers are explained in DECISIONS.md.
 */
import { monotonicMs, type Clock } from '../base/clock.ts';
import type { ImServerLimits } from '../base/limits.ts';

/** A return is two requests: one that is challenged, one with credentials. */
const REQUESTS_PER_RETURN = 2;
/** The window leaves room: for chance, and for those whose first attempt came while the server was still away. */
const SPARE = 2.75;

/** Devices that come by a new way. */
export class Crowd {
  readonly #limits: ImServerLimits;
  readonly #clock: Clock;
  readonly #random: () => number;
  #second = 0;
  #count = 0;

  constructor(limits: ImServerLimits, clock: Clock, random: () => number) {
    this.#limits = limits;
    this.#clock = clock;
    this.#random = random;
  }

  /** One comes. Undefined: it is let in. Otherwise so many seconds later, drawn by lot. */
  receive(): number | undefined {
    const second = Math.floor(monotonicMs(this.#clock) / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count <= this.#limits.registersPerS) return undefined;
    const { comeAgainMinS, comeAgainMaxS } = this.#limits;
    return comeAgainMinS + Math.floor(this.#random() * (comeAgainMaxS - comeAgainMinS + 1));
  }

  /** Over how many seconds so many users have to spread when they all have to come back; 0: it does not matter. */
  windowS(users: number): number {
    const seconds = (users * REQUESTS_PER_RETURN * SPARE) / this.#limits.registersPerS;
    return seconds <= 1 ? 0 : Math.ceil(seconds);
  }
}
