/**
 * Owns: how an IM Server says that its policy forbids something, and how that is recognised. Called by:
 * imserver/credentials.ts, imserver/talk-policy.ts, messenger/chat-end.ts, messenger/delivery.ts. Calls: nothing.
 */

/** The agent of the Warning (RFC 3261 §20.43). */
const POLICY_AGENT = 'parley-policy';

/** What a forbidden request is answered with, beside 403. */
export interface PolicyRefusal {
  readonly reason: string;
  readonly headers: { readonly Warning: string };
}

/** `why` is a part of a sentence without quotation marks; messengers of ours say it in their own words. */
export function refusalOf(why: string): PolicyRefusal {
  return { reason: 'Not allowed by policy', headers: { Warning: `399 ${POLICY_AGENT} "${why}"` } };
}

/** Whether an answer with this Warning is about who may talk to whom. */
export function isPolicyRefusal(status: number, warning: string | undefined): boolean {
  return status === 403 && warning?.startsWith(`399 ${POLICY_AGENT} `) === true;
}
