/**
 * Owns: the Reason header (RFC 3326): why a CANCEL or a BYE is sent, as far as anybody here says or reads it.
 * Called by: the engine, sip/agent/invite.ts, imserver/b2bua.ts. Calls: headers.ts.
 */
import { quote } from './headers.ts';

/** A value for a SIP status, with words for whoever reads a log. */
export function formatReason(status: number, text: string): string {
  return `SIP;cause=${status};text=${quote(text)}`;
}

/** Another device of the called user has answered (RFC 3326 §1). */
export const ANSWERED_ELSEWHERE = formatReason(200, 'Call completed elsewhere');

/** Nobody has answered for as long as whoever asks was willing to wait. */
export const UNANSWERED = formatReason(408, 'No answer');

/** Another device of the called user has said no for all of them (RFC 3261 §16.7), with this 6xx. */
export function declinedElsewhere(status: number): string {
  return formatReason(status, 'Declined elsewhere');
}

/**
 * Whether a CANCEL with these values says that the user has answered on another device, be it yes or no. Q.850 cause 26
 * is "non-selected user clearing": what gateways say for the same.
 */
export function isCancelElsewhere(values: readonly string[]): boolean {
  return values.some((value) =>
    /^(SIP\s*;.*\bcause=(200|6\d\d)|Q\.850\s*;.*\bcause=26)\b/i.test(value.trim()),
  );
}

/** Whether a CANCEL with these values says that nobody has answered in time; gateways say so with Q.850 cause 18 or 19. */
export function isCancelUnanswered(values: readonly string[]): boolean {
  return values.some((value) => /^(SIP\s*;.*\bcause=408|Q\.850\s*;.*\bcause=1[89])\b/i.test(value.trim()));
}

/**
 * The same as of a CANCEL for a BYE. Many hang up with cause 200 and mean nothing by it, so there the words count, which everybody has
 * from RFC 3326.
 */
export function isByeElsewhere(values: readonly string[]): boolean {
  return isCancelElsewhere(values) && values.some((value) => /\belsewhere\b/i.test(value));
}
