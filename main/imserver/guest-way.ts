/**
 * Owns: the way to people of another domain: their server, over TLS, and what its refusals mean to people of ours.
 * Called by: b2bua.ts, deferred-messages.ts. Calls: nothing.
 */
import type { AgentResponse } from '../sip/agent/agent-request.ts';
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

/**
 * The answer for whoever has called him. A server that wants to see a password of ours (401, 407) does not talk with us.
 */
export function answerOfGuest({
  status,
  reason,
  response,
}: {
  readonly status: number;
  readonly reason: string;
  readonly response: AgentResponse;
}): [status: number, content: { reason: string; headers?: Record<string, string> }] {
  if (status === 401 || status === 407) return [403, { ...refusalOf('the other server does not let us in') }];
  const warning = response.message.headers.get('warning');
  return [status, { reason, ...(warning === undefined ? {} : { headers: { Warning: warning } }) }];
}
