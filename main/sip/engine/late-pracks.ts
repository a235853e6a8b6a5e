/**
 * Owns: reliable provisional responses whose INVITE was refused before their PRACK came: the PRACK is still answered
 * (RFC 3262 §3). Called by: inbound-request.ts, inbound-requests.ts. Calls: the responses themselves.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import type { SipRequest } from '../message.ts';
import type { Dialog, PrackReceiver } from './dialog.ts';
import { tagOf } from './transaction-table.ts';

function keyOf(callId: string, localTag: string, remoteTag: string): string {
  return `${callId} ${localTag} ${remoteTag}`;
}

/** Those of 64*T1, by the dialog that they had made. */
export class LatePracks implements Disposable {
  readonly #byKey = new Map<string, { readonly reliable: PrackReceiver; readonly timer: Timer }>();

  /** The early `dialog` has ended, and nobody has acknowledged its last response. */
  add(clock: Clock, dialog: Dialog, reliable: PrackReceiver): void {
    const { callId, localTag, remoteTag } = dialog;
    const key = keyOf(callId, localTag, remoteTag);
    if (this.#byKey.has(key) || this.#byKey.size >= SIP_LIMITS.maxDialogs) return;
    const timer = clock.startTimer(SIP_LIMITS.transactionTimeoutMs, () => this.#byKey.delete(key));
    this.#byKey.set(key, { reliable, timer });
  }

  /** Does it acknowledge one of them? Once. @throws ProtocolError 400 */
  receivePrack(prack: SipRequest): boolean {
    const key = keyOf(prack.headers.get('call-id') ?? '', tagOf(prack, 'to'), tagOf(prack, 'from'));
    const late = this.#byKey.get(key);
    if (late === undefined || late.reliable.receivePrack(prack.headers.get('rack') ?? '') === 'unknown') {
      return false;
    }
    late.timer[Symbol.dispose]();
    return this.#byKey.delete(key);
  }

  [Symbol.dispose](): void {
    for (const { timer } of this.#byKey.values()) timer[Symbol.dispose]();
    this.#byKey.clear();
  }
}
