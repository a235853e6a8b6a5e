/**
 * Owns: the dialogs by their id (application side) and by Call-ID and tags (network side).
 * Called by: the cores. Calls: dialog.ts.
 */
import { SIP_LIMITS } from '../../base/limits.ts';
import type { SipRequest } from '../message.ts';
import type { Application } from './application.ts';
import type { Dialog } from './dialog.ts';
import { tagOf } from './transaction-table.ts';

function tagKey(callId: string, localTag: string, remoteTag: string): string {
  return `${callId} ${localTag} ${remoteTag}`;
}

/** All dialogs. */
export class DialogTable {
  readonly #byTags = new Map<string, Dialog>();
  readonly #byId = new Map<string, Dialog>();

  get full(): boolean {
    return this.#byTags.size >= SIP_LIMITS.maxDialogs;
  }

  get size(): number {
    return this.#byTags.size;
  }

  add(dialog: Dialog): void {
    this.#byTags.set(tagKey(dialog.callId, dialog.localTag, dialog.remoteTag), dialog);
    if (dialog.state === 'confirmed') this.#byId.set(dialog.id, dialog);
  }

  /** An early dialog was answered with 2xx. */
  confirm(dialog: Dialog): void {
    if (dialog.state !== 'early') throw new Error(`dialog: ${dialog.state} to confirmed`);
    dialog.state = 'confirmed';
    this.#byId.set(dialog.id, dialog);
  }

  /** The dialog is over: its 2xx is not repeated any more, requests without answer get 487 (RFC 3261 §15.1.2). */
  remove(dialog: Dialog): void {
    if (dialog.state === 'ended') return;
    dialog.state = 'ended';
    const key = tagKey(dialog.callId, dialog.localTag, dialog.remoteTag);
    if (this.#byTags.get(key) === dialog) this.#byTags.delete(key);
    if (this.#byId.get(dialog.id) === dialog) this.#byId.delete(dialog.id);
    dialog.accepted?.stop();
    for (const request of [...dialog.open]) request.terminate();
  }

  /** The confirmed dialog that the application means. */
  byId(id: string, owner: Application): Dialog | undefined {
    const dialog = this.#byId.get(id);
    return dialog?.owner === owner ? dialog : undefined;
  }

  /** The dialog of a request from the network (RFC 3261 §12.2.2). */
  ofRequest(request: SipRequest): Dialog | undefined {
    const callId = request.headers.get('call-id') ?? '';
    return this.#byTags.get(tagKey(callId, tagOf(request, 'to'), tagOf(request, 'from')));
  }

  all(): Iterable<Dialog> {
    return this.#byTags.values();
  }

  ownedBy(owner: Application): Dialog[] {
    return [...this.#byTags.values()].filter((dialog) => dialog.owner === owner);
  }
}
