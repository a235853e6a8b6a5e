/**
 * Owns: whether a request inside a dialog may reach the application now: order, overlap, glare, PRACK, session interval
 * (RFC 3261 §12.2.2, §14.2; RFC 3311 §5.2; RFC 3262 §3; RFC 4028 §9). Called by: inbound-requests.ts. Calls: dialog.ts,
 * session-timer.ts.
 */
import { randomInt } from 'node:crypto';
import { SIP_LIMITS } from '../../base/limits.ts';
import { cseqOf, type SipRequest } from '../message.ts';
import { KNOWN_METHODS } from './context.ts';
import type { Dialog } from './dialog.ts';
import type { Refusal } from './request-checks.ts';
import { asksTooLittle } from './session-timer.ts';

/** RFC 3261 §14.2: a random wait of 0 to 10 seconds. */
function soonAgain(): Refusal {
  return {
    status: 500,
    reason: 'Server Internal Error',
    header: ['Retry-After', String(randomInt(0, 11))],
  };
}

/** RFC 4028 §9. A running timer goes on. */
export const INTERVAL_TOO_SMALL: Refusal = {
  status: 422,
  reason: 'Session Interval Too Small',
  header: ['Min-SE', String(SIP_LIMITS.minSessionExpiresS)],
};

/** RFC 3261 §21.5.2, §8.2.1: nobody here knows the method. */
export const NOT_IMPLEMENTED: Refusal = {
  status: 501,
  reason: 'Not Implemented',
  header: ['Allow', [...KNOWN_METHODS].join(', ')],
};

const PENDING: Refusal = { status: 491, reason: 'Request Pending' };

/** 503 with a wait that spreads those who come back. */
export function overloaded(): Refusal {
  const seconds = SIP_LIMITS.overloadRetryAfterS + randomInt(0, SIP_LIMITS.overloadRetryAfterS + 1);
  return { status: 503, reason: 'Service Unavailable', header: ['Retry-After', String(seconds)] };
}

/** An offer of ours that the peer has not answered. */
function hasOwnOffer(dialog: Dialog): boolean {
  return (
    dialog.lastInvite?.offerPending === true ||
    dialog.ownUpdateOffers > 0 ||
    dialog.reliable?.offerPending === true ||
    dialog.accepted?.some(({ offerPending }) => offerPending) === true
  );
}

/** RFC 3261 §14.2. */
function refuseInvite(dialog: Dialog): Refusal | undefined {
  const unanswered = dialog.open;
  if (unanswered.some(({ method }) => method === 'INVITE')) return soonAgain();
  if (dialog.lastInvite?.pending === true || hasOwnOffer(dialog)) return PENDING;
  return unanswered.some(({ offerPending }) => offerPending) ? soonAgain() : undefined;
}

/** RFC 3311 §5.2. */
function refuseUpdate(dialog: Dialog, request: SipRequest): Refusal | undefined {
  const unanswered = dialog.open;
  if (unanswered.some(({ method }) => method === 'UPDATE')) return soonAgain();
  if (request.body.length === 0) return undefined;
  if (hasOwnOffer(dialog)) return PENDING;
  return unanswered.some(({ offerPending }) => offerPending) ? soonAgain() : undefined;
}

/** What the engine has to answer by itself; `undefined` for a request that the application gets. */
export function refuseInDialog(dialog: Dialog, request: SipRequest): Refusal | undefined {
  const { method } = request;
  // RFC 3261 §12.2.2: out of order.
  if (dialog.remoteSeq !== undefined && cseqOf(request).number < dialog.remoteSeq) {
    return { status: 500, reason: 'Server Internal Error' };
  }
  if (!KNOWN_METHODS.has(method)) return NOT_IMPLEMENTED;
  if (method !== 'BYE' && method !== 'PRACK' && dialog.openCount >= SIP_LIMITS.maxOpenRequestsPerDialog) {
    return overloaded();
  }
  if (asksTooLittle(request)) return INTERVAL_TOO_SMALL;
  if (method === 'INVITE') return refuseInvite(dialog);
  return method === 'UPDATE' ? refuseUpdate(dialog, request) : undefined;
}
