/**
 * Owns: SUBSCRIBE and REFER requests of the application whose NOTIFY may come before their 2xx, or from several forks
 * (RFC 6665 §4.1.2.4). Called by: subscriptions.ts. Calls: nothing.
 */
import type { Timer } from '../../base/clock.ts';
import type { SipRequest } from '../message.ts';
import type { Application } from './application.ts';
import type { Dialog } from './dialog.ts';
import { tagOf } from './transaction-table.ts';

/** One request, from its sending to timer N. */
export interface AwaitedSubscription {
  readonly request: SipRequest;
  readonly owner: Application;
  /** The dialog of the first fork that was heard of: the application knows one subscription. */
  dialog: Dialog | undefined;
  /** Timer N. */
  timer: Timer | undefined;
}

function keyOf(callId: string, tag: string): string {
  return `${callId} ${tag}`;
}

/** All of them, by Call-ID and our tag. */
export class AwaitedSubscriptions implements Disposable {
  readonly #byKey = new Map<string, AwaitedSubscription>();

  get size(): number {
    return this.#byKey.size;
  }

  add(subscription: AwaitedSubscription): void {
    const { request } = subscription;
    this.#byKey.set(keyOf(request.headers.get('call-id') ?? '', tagOf(request, 'from')), subscription);
  }

  remove(subscription: AwaitedSubscription): void {
    const { request, timer } = subscription;
    timer?.[Symbol.dispose]();
    const key = keyOf(request.headers.get('call-id') ?? '', tagOf(request, 'from'));
    if (this.#byKey.get(key) === subscription) this.#byKey.delete(key);
  }

  /** What a NOTIFY outside of any known dialog may belong to. @throws ProtocolError 400 */
  ofNotify(notify: SipRequest): AwaitedSubscription | undefined {
    return this.#byKey.get(keyOf(notify.headers.get('call-id') ?? '', tagOf(notify, 'to')));
  }

  [Symbol.dispose](): void {
    for (const { timer } of this.#byKey.values()) timer?.[Symbol.dispose]();
  }
}
