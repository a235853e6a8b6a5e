/**
 * Owns: dialogs that SUBSCRIBE and REFER make: when they begin, how long they last, when they end (RFC 6665, RFC 3515).
 * Called by: inbound-request.ts, inbound-requests.ts, outbound-requests.ts, outbound-in-dialog.ts. Calls: dialog-table.ts.
 */
import type { Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import type { SipHeaders, SipRequest, SipResponse } from '../message.ts';
import type { Application } from './application.ts';
import type { AwaitedSubscription } from './awaited-subscriptions.ts';
import type { ClientTransactionUser } from './client-transaction.ts';
import type { EngineContext } from './context.ts';
import { Dialog } from './dialog.ts';
import type { Flow } from './transport.ts';

/** A dialog whose subscription was not refreshed in time is forgotten. */
class SubscriptionExpiry implements Disposable {
  readonly #timer: Timer;

  constructor(context: EngineContext, dialog: Dialog, seconds: number) {
    // 64*T1 more, so that a last NOTIFY and a refresh under way still find it (timer N, RFC 6665 §4.1.2).
    const delayMs = Math.min(seconds, SIP_LIMITS.maxIntervalS) * 1_000 + SIP_LIMITS.transactionTimeoutMs;
    this.#timer = context.clock.startTimer(delayMs, () => context.dialogs.remove(dialog));
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }
}

function last(context: EngineContext, dialog: Dialog, seconds: number): void {
  dialog.expiry?.[Symbol.dispose]();
  dialog.expiry = dialog.state === 'ended' ? undefined : new SubscriptionExpiry(context, dialog, seconds);
}

function secondsOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text.trim()) ? Number(text) : undefined;
}

function expiresOf(headers: SipHeaders): number | undefined {
  return secondsOf(headers.get('expires'));
}

/** Does a 2xx to REFER say that there will be no subscription (RFC 4488 §4)? */
function makesNone(request: SipRequest, response: SipResponse): boolean {
  if (request.method !== 'REFER') return false;
  return /^\s*false\b/i.test(response.headers.get('refer-sub') ?? '');
}

function stateOf(notify: SipRequest): { terminated: boolean; seconds: number | undefined } {
  const [state = '', ...params] = (notify.headers.get('subscription-state') ?? '').split(';');
  const expires = params.map((param) => /^\s*expires\s*=\s*(\d+)\s*$/i.exec(param)?.[1]).find(Boolean);
  return { terminated: state.trim().toLowerCase() === 'terminated', seconds: secondsOf(expires) };
}

/** Our 2xx to a SUBSCRIBE or REFER of the network: makes the dialog of the notifier, or stretches it. */
export function followSubscribeAnswer(
  context: EngineContext,
  owner: Application,
  parts: {
    readonly dialog: Dialog | undefined;
    readonly request: SipRequest;
    readonly response: SipResponse;
    readonly flow: Flow;
  },
): Dialog | undefined {
  const { request, response, flow } = parts;
  const seconds =
    expiresOf(response.headers) ?? expiresOf(request.headers) ?? SIP_LIMITS.defaultSubscriptionS;
  if (parts.dialog !== undefined) {
    if (parts.dialog.usage === 'subscribe') last(context, parts.dialog, seconds);
    return parts.dialog;
  }
  if (makesNone(request, response) || context.dialogs.subscriptionsFull) return undefined;
  const dialog = Dialog.ofCallee(request, response, flow, owner);
  context.dialogs.add(dialog);
  last(context, dialog, seconds);
  return dialog;
}

/** Our final response to a request of a dialog: after that to the last NOTIFY the subscription is over. */
export function followAnswer(
  context: EngineContext,
  dialog: Dialog | undefined,
  request: SipRequest,
  response: SipResponse,
): void {
  if (dialog?.usage !== 'subscribe' || request.method !== 'NOTIFY') return;
  const { terminated, seconds } = stateOf(request);
  if (terminated) context.dialogs.remove(dialog);
  else if (seconds !== undefined && response.status < 300) last(context, dialog, seconds);
}

/**
 * A NOTIFY from the network that belongs to no dialog, but to a SUBSCRIBE of the application: the first fork makes the
 * dialog, others are to be refused with 481, so that their subscriptions end (RFC 6665 §4.1.2.4).
 * @throws ProtocolError 400
 */
export function dialogOfNotify(
  context: EngineContext,
  notify: SipRequest,
  flow: Flow,
): Dialog | 'fork' | undefined {
  const awaited = context.dialogs.awaited.ofNotify(notify);
  if (awaited === undefined) return undefined;
  if (awaited.dialog !== undefined) return 'fork';
  awaited.dialog = Dialog.ofNotify(awaited.request, notify, flow, awaited.owner);
  context.dialogs.add(awaited.dialog);
  last(context, awaited.dialog, stateOf(notify).seconds ?? SIP_LIMITS.defaultSubscriptionS);
  return awaited.dialog;
}

/**
 * The application sends a SUBSCRIBE or REFER outside of any dialog: `user` goes on hearing of its responses, and the
 * dialog comes into being with the 2xx or with the first NOTIFY.
 */
export function followSubscription(
  context: EngineContext,
  owner: Application,
  request: SipRequest,
  user: ClientTransactionUser,
): ClientTransactionUser {
  if (request.method !== 'SUBSCRIBE' && request.method !== 'REFER') return user;
  const { awaited } = context.dialogs;
  const waiting: AwaitedSubscription = { request, owner, dialog: undefined, timer: undefined };
  awaited.add(waiting);
  // Timer N (RFC 6665 §4.1.2): until then forks and early NOTIFYs are known to be ours.
  const { transactionTimeoutMs } = SIP_LIMITS;
  waiting.timer = context.clock.startTimer(transactionTimeoutMs, () => {
    awaited.remove(waiting);
    // Without any NOTIFY the subscription has failed, whatever the 2xx said.
    const { dialog } = waiting;
    if (dialog?.usage === 'subscribe' && !dialog.notified) context.dialogs.remove(dialog);
  });
  return {
    receiveResponse: (response, flow, bytes) => {
      if (response.status >= 300) awaited.remove(waiting);
      else if (response.status >= 200) begin(context, waiting, response, flow);
      user.receiveResponse(response, flow, bytes);
    },
    receiveTimeout: (error) => {
      awaited.remove(waiting);
      user.receiveTimeout(error);
    },
    receiveTransportError: (error) => {
      awaited.remove(waiting);
      user.receiveTransportError(error);
    },
  };
}

function begin(
  context: EngineContext,
  waiting: AwaitedSubscription,
  response: SipResponse,
  flow: Flow,
): void {
  const { request, owner } = waiting;
  if (makesNone(request, response)) {
    context.dialogs.awaited.remove(waiting);
    return;
  }
  const seconds = expiresOf(response.headers) ?? expiresOf(request.headers);
  if (waiting.dialog === undefined) {
    try {
      waiting.dialog = Dialog.ofCaller(request, response, flow, owner);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return;
    }
    context.dialogs.add(waiting.dialog);
    last(context, waiting.dialog, seconds ?? SIP_LIMITS.defaultSubscriptionS);
  } else if (seconds !== undefined) last(context, waiting.dialog, seconds);
}

/** Statuses of a refresh or a NOTIFY after which there is no subscription any more (RFC 6665 §4.1.2.2, §4.2.2). */
const ENDS_SUBSCRIPTION = new Set([404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]);

/** A final response to a request of the application inside a dialog. */
export function followResponse(
  context: EngineContext,
  dialog: Dialog,
  request: SipRequest,
  response: SipResponse,
): void {
  if (dialog.usage !== 'subscribe' || dialog.state === 'ended') return;
  const { status } = response;
  if (request.method === 'NOTIFY') {
    // Nobody is there to be notified (481, 408), or this was the last one.
    const challenged = status === 401 || status === 407;
    if (status === 481 || status === 408 || (stateOf(request).terminated && !challenged)) {
      context.dialogs.remove(dialog);
    }
  } else if (request.method === 'SUBSCRIBE') {
    const seconds = expiresOf(response.headers) ?? expiresOf(request.headers);
    if (ENDS_SUBSCRIPTION.has(status)) context.dialogs.remove(dialog);
    else if (status < 300 && seconds !== undefined) last(context, dialog, seconds);
  }
}
