/**
 * Owns: the way to people of another domain: their server, over TLS, and what its refusals mean to people of ours.
 * Called by: b2bua.ts, deferred-messages.ts. Calls: sip/agent/pager-message.ts.
 */
import type { Log } from '../base/log.ts';
import type { AgentResponse } from '../sip/agent/agent-request.ts';
import type { SipAgent } from '../sip/agent/agent.ts';
import { sendPagerMessage, type PagerMessage } from '../sip/agent/pager-message.ts';
import { refusalOf } from '../sip/agent/policy-warning.ts';
import type { Binding } from '../store/imserver-tables.ts';
import type { Guest } from './talk-policy.ts';

/** His server as if it were a device of his: found by the name of the domain (RFC 3263), for which its certificate speaks. */
export function wayToGuest({ address, domain }: Guest): Binding {
  return {
    user: address,
    contact: `sip:${address};transport=tls`,
    source: `sip:${domain};transport=tls`,
    ...{ instance: '', callId: '', cseq: 0, description: '', expiresMs: Infinity },
  };
}

/** What a request to him is answered with. */
export type GuestAnswer = [
  status: number,
  content: { readonly reason?: string; readonly headers?: Record<string, string> },
];

/**
 * What his server has refused, for whoever has asked: in its own words when it gives any. One that forbids it without a
 * word, or wants to see a password of ours (401, 407), does not let us in.
 */
export function answerOfGuest({ status, message }: Pick<AgentResponse, 'status' | 'message'>): GuestAnswer {
  const warning = message.headers.get('warning');
  const isForbidden = status === 403 && warning === undefined;
  if (status === 401 || status === 407 || isForbidden)
    return [403, { ...refusalOf('the other server does not let us in') }];
  const { reason } = message;
  return [status, { reason, ...(warning === undefined ? {} : { headers: { Warning: warning } }) }];
}

/** One MESSAGE to him. Undefined: it could not be sent. */
export async function sendToGuest(
  agent: SipAgent,
  guest: Guest,
  message: Pick<PagerMessage, 'from' | 'contentType' | 'body'>,
  log: Log,
): Promise<AgentResponse | undefined> {
  const { contact: uri, source: nextHop } = wayToGuest(guest);
  try {
    return await sendPagerMessage(agent, { ...message, to: `<sip:${guest.address}>`, uri, nextHop });
  } catch (error) {
    log.info('guest.not-sent', { error });
    return undefined;
  }
}
