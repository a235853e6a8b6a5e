/**
 * Owns: the numbered stream of changes; the only fan-out of the messenger.
 * Called by: inbox, outbox, chat, account-link, commands. Calls: the subscribers (hosts/api-server.ts).
 */
import type { EventData, EventName } from '../../shared/ipc/contract.ts';
import type { EventEnvelope } from '../../shared/ipc/envelope.ts';
import type { Release } from '../base/lifetime.ts';

/** Publishes events in order. Each carries the next number, so that a subscriber sees when it has missed one. */
export class Feed {
  readonly #subscribers = new Set<(event: EventEnvelope) => void>();
  #seq = 0;

  /** Number of the last event. */
  get seq(): number {
    return this.#seq;
  }

  publish<Name extends EventName>(event: Name, data: EventData<Name>): void {
    const envelope = { seq: ++this.#seq, event, data } as EventEnvelope;
    for (const receive of this.#subscribers) receive(envelope);
  }

  /** `receive` must not throw. */
  subscribe(receive: (event: EventEnvelope) => void): Release {
    this.#subscribers.add(receive);
    return () => this.#subscribers.delete(receive);
  }
}
