/**
 * Owns: sending one SIP MESSAGE (RFC 3428), for the absent and for notices without a session.
 * Called by: messenger/delivery.ts, imserver/deferred-messages.ts. Calls: authenticated-request.ts.
 */
import type { DigestClient } from '../digest.ts';
import type { AgentResponse } from './agent-request.ts';
import type { SipAgent } from './agent.ts';
import { newCallIdentity, sendAuthenticated } from './authenticated-request.ts';
import type { OutgoingHeaders } from './outgoing.ts';

export interface PagerMessage {
  readonly uri: string;
  readonly from: string;
  readonly to: string;
  readonly contentType: string;
  readonly body: string;
  readonly nextHop: string;
  readonly route?: string;
  readonly headers?: OutgoingHeaders;
  readonly digest?: DigestClient;
}

/** Sends it; resolves with the final response (200 delivered, 202 kept for later). Rejects with EngineError. */
export function sendPagerMessage(agent: SipAgent, message: PagerMessage): Promise<AgentResponse> {
  return sendAuthenticated(
    agent,
    {
      method: 'MESSAGE',
      uri: message.uri,
      from: message.from,
      to: message.to,
      nextHop: message.nextHop,
      ...(message.route === undefined ? {} : { route: message.route }),
      body: message.body,
      headers: { ...message.headers, 'Content-Type': message.contentType },
      ...(message.digest ? { digest: message.digest } : {}),
    },
    newCallIdentity(),
  );
}
