/**
 * Owns: sending a request and answering the challenges that come back, outside of a dialog and in one.
 * Called by: registration-flow.ts, invite.ts, invite-dialog.ts, pager-message.ts. Calls: agent.ts, sip/digest.ts.
 *
 * The repeat is a new transaction of the same call: same Call-ID and From tag, CSeq one higher (RFC 3261 §22.2).
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { AuthorizationHeaders, DigestClient } from '../digest.ts';
import type { AgentRequest, AgentResponse } from './agent-request.ts';
import type { SipAgent } from './agent.ts';
import { EngineError, type OutgoingHeaders } from './outgoing.ts';

/** What identifies a call: it stays the same over repeats. */
export interface CallIdentity {
  readonly callId: string;
  readonly fromTag: string;
  /** Number of the last CSeq used. */
  cseq: number;
}

export function newCallIdentity(): CallIdentity {
  return { callId: randomUUID(), fromTag: randomBytes(8).toString('hex'), cseq: 0 };
}

/** One request outside of a dialog. */
export interface OutOfDialogRequest {
  readonly method: string;
  readonly uri: string;
  /** Address of record, without tag: `"Bob" <sip:bob@example.org>`. */
  readonly from: string;
  readonly to: string;
  readonly headers?: OutgoingHeaders;
  readonly body?: string;
  readonly nextHop?: string;
  /** Route header, when an outbound proxy is the next hop (RFC 3261 §8.1.2). */
  readonly route?: string;
  /** Answers challenges; shared by all requests to one server. */
  readonly digest?: DigestClient;
}

/** A server that calls every nonce stale does not get us into a loop. */
const MAX_ATTEMPTS = 4;

/**
 * Sends by `send`, again and again while a proxy or the server asks for credentials that it has not had. `uri` of the
 * request line is taken from what was really sent when it is not known before (RFC 3261 §22.4: it has to be the same).
 * Resolves with the final response; a 401/407 there means that the password is wrong. Rejects with EngineError when
 * nothing could be sent, or when the server calls every nonce stale: that says nothing of the password.
 */
export async function sendWithCredentials(
  digest: DigestClient | undefined,
  request: { readonly method: string; readonly uri?: string },
  send: (authorization: Partial<AuthorizationHeaders>) => AgentRequest,
): Promise<AgentResponse> {
  const { method } = request;
  let { uri } = request;
  const answered = new Set<string>();
  for (let attempt = 1; ; attempt++) {
    const sent = send(digest === undefined || uri === undefined ? {} : digest.authorize({ method, uri }));
    const response = await sent.final;
    if (digest === undefined || (response.status !== 401 && response.status !== 407)) return response;
    const { verdict, askers } = digest.receiveChallenge(response.message);
    // Refused although its challenge was answered: the password is wrong, and trying again could lock the account.
    const refused = verdict === 'fresh' && askers.every((asker) => answered.has(asker));
    if (verdict === 'unknown' || refused) return response;
    for (const asker of askers) answered.add(asker);
    if (attempt >= MAX_ATTEMPTS) {
      throw new EngineError('ALWAYS_STALE', 'The server does not accept the answer to its own challenge.');
    }
    ({ uri } = await sent.sent);
  }
}

/**
 * Sends a request outside of a dialog and repeats it with credentials when challenged. `onSent` gets each transaction,
 * for CANCEL and provisional responses. Resolves and rejects as {@link sendWithCredentials}.
 */
export function sendAuthenticated(
  agent: SipAgent,
  request: OutOfDialogRequest,
  call: CallIdentity,
  onSent: (sent: AgentRequest) => void = () => undefined,
): Promise<AgentResponse> {
  return sendWithCredentials(request.digest, request, (authorization) => {
    call.cseq += 1;
    const sent = agent.sendRequest({
      method: request.method,
      uri: request.uri,
      headers: {
        ...request.headers,
        ...(request.route === undefined ? {} : { Route: request.route }),
        From: `${request.from};tag=${call.fromTag}`,
        To: request.to,
        'Call-ID': call.callId,
        CSeq: `${call.cseq} ${request.method}`,
        ...authorization,
      },
      ...(request.body === undefined ? {} : { body: request.body }),
      ...(request.nextHop === undefined ? {} : { nextHop: request.nextHop }),
    });
    onSent(sent);
    return sent;
  });
}
