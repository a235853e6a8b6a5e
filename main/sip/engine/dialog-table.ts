/**
 * Owns: the dialogs by their id (application side) and by Call-ID and tags (network side).
 * Called by: the cores. Calls: dialog.ts.
 */
import { SIP_LIMITS } from '../../base/limits.ts';
import type { SipRequest } from '../message.ts';
import type { Application } from './application.ts';
import type { Dialog } from './dialog.ts';
import { AwaitedSubscriptions } from './awaited-subscriptions.ts';
import { LatePracks } from './late-pracks.ts';
import { tagOf } from './transaction-table.ts';

function tagKey(callId: string, localTag: string, remoteTag: string): string {
  return `${callId} ${localTag} ${remoteTag}`;
}

/** All dialogs. */
export class DialogTable implements Disposable {
  readonly #byTags = new Map<string, Dialog>();
  /** Forks of one request share their id; most dialogs have no fork. */
  readonly #byId = new Map<string, Dialog | Dialog[]>();
  /** SUBSCRIBE requests whose dialogs are yet to come. */
  readonly awaited = new AwaitedSubscriptions();
  /** What is left of early dialogs that were refused. */
  readonly late = new LatePracks();
  #subscriptions = 0;

  get full(): boolean {
    return this.#byTags.size >= SIP_LIMITS.maxDialogs;
  }

  get subscriptionsFull(): boolean {
    return this.full || this.#subscriptions >= SIP_LIMITS.maxSubscriptions;
  }

  get size(): number {
    return this.#byTags.size;
  }

  add(dialog: Dialog): void {
    this.#byTags.set(tagKey(dialog.callId, dialog.localTag, dialog.remoteTag), dialog);
    const others = this.#byId.get(dialog.id);
    if (others === undefined) this.#byId.set(dialog.id, dialog);
    else this.#byId.set(dialog.id, Array.isArray(others) ? [...others, dialog] : [others, dialog]);
    if (dialog.usage === 'subscribe') this.#subscriptions += 1;
  }

  /** An early dialog was answered with 2xx. */
  confirm(dialog: Dialog): void {
    if (dialog.state !== 'early') throw new Error(`dialog: ${dialog.state} to confirmed`);
    dialog.state = 'confirmed';
  }

  /** The dialog is over: its 2xx is not repeated any more, requests without answer get 487 (RFC 3261 §15.1.2). */
  remove(dialog: Dialog): void {
    if (dialog.state === 'ended') return;
    dialog.state = 'ended';
    const key = tagKey(dialog.callId, dialog.localTag, dialog.remoteTag);
    if (this.#byTags.get(key) === dialog) this.#byTags.delete(key);
    const same = this.#withId(dialog.id).filter((other) => other !== dialog);
    const [first, ...more] = same;
    if (first === undefined) this.#byId.delete(dialog.id);
    else this.#byId.set(dialog.id, more.length === 0 ? first : same);
    if (dialog.usage === 'subscribe') this.#subscriptions -= 1;
    dialog.expiry?.[Symbol.dispose]();
    for (const invite of dialog.accepted ?? []) invite[Symbol.dispose]();
    for (const request of dialog.open) request.terminate();
    dialog.lastInvite?.forget(dialog);
  }

  /** The dialog that the application means: the confirmed one, else the early one that was heard of last. */
  byId(id: string, owner: Application): Dialog | undefined {
    const dialogs = this.forks(id, owner);
    return dialogs.find(({ state }) => state === 'confirmed') ?? dialogs.at(-1);
  }

  /** All dialogs with that id, oldest first. */
  forks(id: string, owner: Application): Dialog[] {
    return this.#withId(id).filter((dialog) => dialog.owner === owner);
  }

  /** The dialog of a request from the network (RFC 3261 §12.2.2). */
  ofRequest(request: SipRequest): Dialog | undefined {
    const callId = request.headers.get('call-id') ?? '';
    return this.#byTags.get(tagKey(callId, tagOf(request, 'to'), tagOf(request, 'from')));
  }

  /** Ends all timers, silently. */
  [Symbol.dispose](): void {
    this.awaited[Symbol.dispose]();
    this.late[Symbol.dispose]();
    for (const dialog of this.#byTags.values()) {
      dialog.expiry?.[Symbol.dispose]();
      dialog.lastInvite?.[Symbol.dispose]();
      for (const invite of dialog.accepted ?? []) invite[Symbol.dispose]();
    }
  }

  ownedBy(owner: Application): Dialog[] {
    return [...this.#byTags.values()].filter((dialog) => dialog.owner === owner);
  }

  #withId(id: string): Dialog[] {
    const found = this.#byId.get(id);
    if (found === undefined) return [];
    return Array.isArray(found) ? found : [found];
  }
}
