/**
 * Owns: how much of one large message may be on its way without an answer, by how quickly answers come.
 * Called by: sending.ts with each chunk and each answer. Calls: the clock.
 */
import type { Clock } from '../base/clock.ts';
import type { MsrpLimits } from '../base/limits.ts';

type WindowLimits = Pick<
  MsrpLimits,
  'firstWindowBytes' | 'minWindowBytes' | 'maxWindowBytes' | 'windowQueueMs'
>;

/** After so many rounds the quickest answer is looked for anew: the way may have become another one. */
const ROUNDS_OF_ONE_WAY = 256;

/**
 * The window of one message. Answers come in the order of the chunks, or count as if they did. In each round of a
 * window's bytes the quickest answer is compared with the quickest ever: the difference is what waits in buffers.
 */
export class MsrpSendWindow {
  readonly #limits: WindowLimits;
  readonly #clock: Clock;
  readonly #chunks: { readonly bytes: number; readonly sentUs: number }[] = [];
  #next = 0;
  #bytes: number;
  #unanswered = 0;
  #quickestUs = Infinity;
  #quickestOfRoundUs = Infinity;
  #roundEnds: number;
  #rounds = 0;
  /** Bytes that have been answered. */
  answered = 0;

  constructor(limits: WindowLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
    this.#bytes = limits.firstWindowBytes;
    this.#roundEnds = this.#bytes;
  }

  /** Whether the next chunk has to wait for an answer. */
  get isFull(): boolean {
    return this.#unanswered >= this.#bytes;
  }

  /** A chunk was sent. */
  add(bytes: number): void {
    this.#unanswered += bytes;
    this.#chunks.push({ bytes, sentUs: this.#clock.monotonicUs() });
  }

  /** The chunk that was added last is not on its way any more: it will be sent again. */
  takeBack(): void {
    this.#unanswered -= this.#chunks.pop()?.bytes ?? 0;
  }

  /** A chunk was answered. Returns the bytes of the oldest one. */
  take(): number {
    const chunk = this.#chunks[this.#next];
    if (chunk === undefined) return 0;
    this.#next++;
    if (this.#next >= 256) {
      this.#chunks.splice(0, this.#next);
      this.#next = 0;
    }
    this.#unanswered -= chunk.bytes;
    this.answered += chunk.bytes;
    this.#quickestOfRoundUs = Math.min(this.#quickestOfRoundUs, this.#clock.monotonicUs() - chunk.sentUs);
    if (this.answered >= this.#roundEnds) this.#endRound();
    return chunk.bytes;
  }

  #endRound(): void {
    const { windowQueueMs, minWindowBytes, maxWindowBytes } = this.#limits;
    this.#quickestUs = Math.min(this.#quickestUs, this.#quickestOfRoundUs);
    const queueMs = (this.#quickestOfRoundUs - this.#quickestUs) / 1_000;
    this.#rounds++;
    if (this.#rounds % ROUNDS_OF_ONE_WAY === 0) {
      this.#quickestUs = Infinity;
      this.#bytes = Math.max(minWindowBytes, this.#bytes / 2);
    } else if (queueMs < windowQueueMs) this.#bytes = Math.min(maxWindowBytes, this.#bytes * 1.25);
    else if (queueMs > 2 * windowQueueMs) this.#bytes = Math.max(minWindowBytes, this.#bytes * 0.7);
    this.#quickestOfRoundUs = Infinity;
    this.#roundEnds = this.answered + this.#bytes;
  }
}
