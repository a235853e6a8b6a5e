/**
 * Owns: how long a session lives without a refresh, and the refreshes that the engine sends on its own (RFC 4028).
 * Called by: inbound-request.ts, inbound-in-dialog.ts, outbound-invite.ts, outbound-in-dialog.ts. Calls: session-refresh.ts,
 * dialog-requests.ts.
 */
import type { Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import type { SipHeaders, SipMessage, SipRequest, SipResponse } from '../message.ts';
import { formatReason } from '../reason.ts';
import type { EngineContext } from './context.ts';
import type { Dialog } from './dialog.ts';
import { sendOwnBye } from './dialog-requests.ts';
import { retryDelayMs, sendRefresh } from './session-refresh.ts';

/** `Session-Expires: 1800;refresher=uac`. */
export interface SessionExpires {
  readonly seconds: number;
  readonly refresher: 'uac' | 'uas' | undefined;
}

/** `undefined` when it is missing or unreadable: then there is no timer. */
export function sessionExpiresOf(headers: SipHeaders): SessionExpires | undefined {
  const [digits = '', ...params] = (headers.get('session-expires') ?? '').split(';');
  if (!/^\s*\d{1,10}\s*$/.test(digits)) return undefined;
  const named = params.map((param) => /^\s*refresher\s*=\s*(uac|uas)\s*$/i.exec(param)?.[1]).find(Boolean);
  const refresher = named?.toLowerCase() === 'uac' ? 'uac' : named === undefined ? undefined : 'uas';
  return { seconds: Number(digits), refresher };
}

function supportsTimer(message: SipMessage): boolean {
  const tags = [...message.headers.list('supported'), ...message.headers.list('require')];
  return tags.some((tag) => tag.toLowerCase() === 'timer');
}

/** Is the interval that a caller asks for below ours (422, RFC 4028 §9)? Only callers that know the extension. */
export function asksTooLittle(request: SipRequest): boolean {
  if (request.method !== 'INVITE' && request.method !== 'UPDATE') return false;
  const asked = sessionExpiresOf(request.headers);
  return asked !== undefined && asked.seconds < SIP_LIMITS.minSessionExpiresS && supportsTimer(request);
}

/** The timer of one session. The refresher sends at half of the interval; nobody refreshed: a BYE at its end. */
export class SessionTimer implements Disposable {
  readonly seconds: number;
  /** Do we refresh? */
  readonly ours: boolean;
  /** Our session description as the peer knows it, when a re-INVITE will need it. */
  readonly localSdp: Buffer;
  readonly #context: EngineContext;
  readonly #dialog: Dialog;
  readonly #endTimer: Timer;
  #refreshTimer: Timer | undefined;

  constructor(options: {
    readonly context: EngineContext;
    readonly dialog: Dialog;
    readonly seconds: number;
    readonly ours: boolean;
    readonly localSdp: Buffer;
  }) {
    const { context, dialog, seconds } = options;
    this.#context = context;
    this.#dialog = dialog;
    this.seconds = seconds;
    this.ours = options.ours;
    this.localSdp = options.localSdp;
    this.#endTimer = context.clock.startTimer(seconds * 1_000, () => this.#expire());
    if (this.ours) this.#refreshAfter((seconds * 1_000) / 2);
  }

  [Symbol.dispose](): void {
    this.#endTimer[Symbol.dispose]();
    this.#refreshTimer?.[Symbol.dispose]();
  }

  #refreshAfter(delayMs: number): void {
    this.#refreshTimer?.[Symbol.dispose]();
    this.#refreshTimer = this.#context.clock.startTimer(delayMs, () => this.#refresh(this.seconds));
  }

  #refresh(seconds: number): void {
    const dialog = this.#dialog;
    // An INVITE is under way in either direction: that one refreshes, or we are next.
    if (dialog.lastInvite?.pending === true || dialog.open.some(({ method }) => method === 'INVITE')) {
      this.#refreshAfter(retryDelayMs(dialog));
      return;
    }
    sendRefresh(this.#context, dialog, { seconds, localSdp: this.localSdp }, (request, response) => {
      if (dialog.state === 'ended' || dialog.expiry !== this) return;
      const { status } = response;
      if (status < 300) beginAsCaller(this.#context, dialog, request, response, this.localSdp);
      else if (status === 408 || status === 481) this.#expire();
      else if (status === 422) {
        const least = Number.parseInt(response.headers.get('min-se') ?? '', 10);
        if (least > seconds && least <= SIP_LIMITS.maxIntervalS) this.#refresh(least);
      } else if (request.method === 'UPDATE' && (status === 405 || status === 501)) {
        dialog.takesUpdate = false;
        this.#refresh(seconds);
      } else this.#refreshAfter(retryDelayMs(dialog, response));
    });
  }

  #expire(): void {
    this[Symbol.dispose]();
    this.#dialog.expiry = undefined;
    sendOwnBye(this.#context, this.#dialog, { reasons: [formatReason(200, 'Session timer expired')] });
  }
}

/** The timer that runs in that dialog. */
export function sessionTimerOf(dialog: Dialog | undefined): SessionTimer | undefined {
  return dialog?.expiry instanceof SessionTimer ? dialog.expiry : undefined;
}

/**
 * Completes our 2xx: agrees to the interval that the caller asked for, when it named a refresher and the application
 * said nothing (RFC 4028 §9); a running timer of ours is kept when the request does not mention it.
 */
export function answerSessionTimer(
  dialog: Dialog | undefined,
  request: SipRequest,
  response: SipResponse,
): void {
  if (response.headers.has('session-expires')) return;
  const asked = sessionExpiresOf(request.headers);
  const running = sessionTimerOf(dialog);
  let value: string;
  if (asked?.refresher !== undefined && asked.seconds >= SIP_LIMITS.minSessionExpiresS) {
    value = `${asked.seconds};refresher=${asked.refresher}`;
  } else if (asked === undefined && running?.ours === true) value = `${running.seconds};refresher=uas`;
  else return;
  response.headers.append('Session-Expires', value);
  // The caller has to act, so it has to know the extension (RFC 4028 §9).
  if (value.endsWith('uac') && !response.headers.list('require').includes('timer')) {
    response.headers.append('Require', 'timer');
  }
}

function arm(context: EngineContext, dialog: Dialog, seconds: number, ours: boolean, localSdp: Buffer): void {
  stop(dialog);
  if (dialog.state === 'ended' || dialog.usage !== 'invite' || dialog.state === 'early') return;
  dialog.expiry = new SessionTimer({
    context,
    dialog,
    seconds: Math.min(seconds, SIP_LIMITS.maxIntervalS),
    ours,
    // A copy: the message that it came with need not live as long.
    localSdp: ours ? Buffer.from(localSdp) : Buffer.alloc(0),
  });
}

function stop(dialog: Dialog): void {
  sessionTimerOf(dialog)?.[Symbol.dispose]();
  if (dialog.expiry instanceof SessionTimer) dialog.expiry = undefined;
}

/** Our 2xx to an INVITE or UPDATE was sent: the timer begins anew, or there is none. */
export function beginAsCallee(
  context: EngineContext,
  dialog: Dialog,
  request: SipRequest,
  response: SipResponse,
): void {
  const agreed = sessionExpiresOf(response.headers);
  const known = sessionTimerOf(dialog)?.localSdp;
  const localSdp = response.body.length > 0 ? response.body : (known ?? Buffer.alloc(0));
  if (agreed === undefined || agreed.seconds < 1) stop(dialog);
  else arm(context, dialog, agreed.seconds, agreed.refresher !== 'uac', localSdp);
}

/** The 2xx to an INVITE or UPDATE of ours came (RFC 4028 §7.2): we refresh unless it says otherwise. */
export function beginAsCaller(
  context: EngineContext,
  dialog: Dialog,
  request: SipRequest,
  response: SipResponse,
  localSdp: Buffer = request.body,
): void {
  const agreed = sessionExpiresOf(response.headers);
  const known = sessionTimerOf(dialog)?.localSdp;
  const sdp = localSdp.length > 0 ? localSdp : (known ?? localSdp);
  if (agreed === undefined || agreed.seconds < 1) stop(dialog);
  else arm(context, dialog, agreed.seconds, agreed.refresher !== 'uas', sdp);
}

/** A running timer, as a refresh that the application sends has to mention it (RFC 4028 §7.4). */
export function sessionTimerHeaders(dialog: Dialog, given: SipHeaders): [name: string, value: string][] {
  const timer = sessionTimerOf(dialog);
  if (timer === undefined || given.has('session-expires')) return [];
  const refresher = timer.ours ? 'uac' : 'uas';
  return [
    ['Session-Expires', `${timer.seconds};refresher=${refresher}`],
    ['Min-SE', String(SIP_LIMITS.minSessionExpiresS)],
  ];
}
