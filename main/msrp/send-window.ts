/**
 * Owns: how much of one large message may be on its way without an answer, by how quickly answers come.
 * Called by: sending.ts with each chunk and each answer. Calls: the clock.
 */
import type { Clock } from '../base/clock.ts';
import type { MsrpLimits } from '../base/limits.ts';

type WindowLimits = Pick<
  MsrpLimits,
  'firstWindowBytes' | 'minWindowBytes' | 'maxWindowBytes' | 'quickAnswerMs' | 'slowAnswerMs'
>;

/** The window of one message. Answers come in the order of the chunks, or count as if they did. */
export class MsrpSendWindow {
  readonly #limits: WindowLimits;
  readonly #clock: Clock;
  readonly #chunks: { readonly bytes: number; readonly sentUs: number }[] = [];
  #next = 0;
  #bytes: number;
  #unanswered = 0;
  /** Bytes that have been answered. */
  answered = 0;

  constructor(limits: WindowLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
    this.#bytes = limits.firstWindowBytes;
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
    const { quickAnswerMs, slowAnswerMs, minWindowBytes, maxWindowBytes } = this.#limits;
    const tookMs = (this.#clock.monotonicUs() - chunk.sentUs) / 1_000;
    if (tookMs < quickAnswerMs) this.#bytes = Math.min(maxWindowBytes, this.#bytes + chunk.bytes);
    else if (tookMs > slowAnswerMs) this.#bytes = Math.max(minWindowBytes, this.#bytes / 2);
    return chunk.bytes;
  }
}
