/**
 * Owns: the pace at which events reach the window. Each would be drawn by itself, which in a flood of them takes all of the
 * window's time; what comes within a moment is handed on together, in its order, and drawn once.
 * Called by: main.ts. Calls: the transport that it stands before.
 */
import type { EventEnvelope } from '../../shared/ipc/envelope.ts';
import type { Answer, Transport, TransportListener } from './transport.ts';

/** Two frames: nobody sees it. The first event after a rest does not wait. */
const PAUSE_MS = 33;

export class PacedTransport implements Transport {
  readonly #transport: Transport;
  #listener: TransportListener | null = null;
  readonly #held: EventEnvelope[] = [];
  /** Runs while events are held. */
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** An answer does not overtake what was told before it. */
  async invoke(call: string, input: unknown): Promise<Answer> {
    const answer = await this.#transport.invoke(call, input);
    this.#handOn();
    return answer;
  }

  handIn(file: File, name: string): Promise<string> {
    return this.#transport.handIn(file, name);
  }

  subscribe(listener: TransportListener): () => void {
    this.#listener = listener;
    const unsubscribe = this.#transport.subscribe({
      receiveEvent: (event) => this.#receive(event),
      receiveLink: (state) => {
        this.#handOn();
        this.#listener?.receiveLink(state);
      },
    });
    return () => {
      this.#listener = null;
      unsubscribe();
      clearTimeout(this.#pause);
      this.#pause = undefined;
      this.#held.length = 0;
    };
  }

  #receive(event: EventEnvelope): void {
    this.#held.push(event);
    // A window that cannot be seen is not drawn, and its timers are slow.
    const isHeld = this.#pause !== undefined && !document.hidden;
    this.#pause ??= setTimeout(() => this.#endPause(), PAUSE_MS);
    if (!isHeld) this.#handOn();
  }

  #endPause(): void {
    const isBusy = this.#held.length > 0;
    this.#pause = isBusy ? setTimeout(() => this.#endPause(), PAUSE_MS) : undefined;
    this.#handOn();
  }

  /** What is thrown at one of them stops none of the others for longer than a pause. */
  #handOn(): void {
    for (let event = this.#held.shift(); event !== undefined; event = this.#held.shift()) {
      this.#listener?.receiveEvent(event);
    }
  }
}
