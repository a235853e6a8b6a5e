/**
 * Owns: the states of an MSRP session and which may follow which.
 * Called by: session.ts. Calls: nothing.
 */

/**
 * - `listening`: reachable, nobody came yet; we may still visit.
 * - `visited`: early visitors came; the SIP answer decides which one stays.
 * - `awaiting`: the answer is known, its sender has not visited yet.
 * - `connecting`: we connect to the peer.
 * - `unconfirmed`: our visit was not answered or refused; it will be repeated.
 * - `bound`: messages flow.
 * - `closing`: transactions in flight are awaited.
 */
export type MsrpSessionState =
  'listening' | 'visited' | 'awaiting' | 'connecting' | 'unconfirmed' | 'bound' | 'closing' | 'closed';

const TRANSITIONS: Readonly<Record<MsrpSessionState, readonly MsrpSessionState[]>> = {
  listening: ['visited', 'awaiting', 'connecting', 'bound', 'closing', 'closed'],
  visited: ['listening', 'awaiting', 'connecting', 'bound', 'closing', 'closed'],
  awaiting: ['connecting', 'bound', 'closing', 'closed'],
  connecting: ['listening', 'awaiting', 'unconfirmed', 'bound', 'closing', 'closed'],
  unconfirmed: ['connecting', 'bound', 'closing', 'closed'],
  bound: ['closing', 'closed'],
  closing: ['closed'],
  closed: [],
};

/** Returns `next`; throws when it must not follow `current`. */
export function nextSessionState(current: MsrpSessionState, next: MsrpSessionState): MsrpSessionState {
  if (!TRANSITIONS[current].includes(next))
    throw new Error(`an MSRP session cannot go from ${current} to ${next}`);
  return next;
}
