/**
 * Owns: the moment in which a request of the application leaves: its transaction, and the echo before anything can come
 * back. Called by: outbound-requests.ts, outbound-in-dialog.ts. Calls: outbound-invite.ts, request-attempts.ts.
 */
import { serialiseSipMessage, type SipRequest } from '../message.ts';
import type { Application } from './application.ts';
import type { ClientTransactionUser } from './client-transaction.ts';
import type { EngineContext } from './context.ts';
import { requestEchoTokens, sentOn } from './control-frame.ts';
import type { Dialog } from './dialog.ts';
import { newTransactionId } from './ids.ts';
import { OutboundInvite } from './outbound-invite.ts';
import { RequestAttempts, type OtherWays } from './request-attempts.ts';
import { beginAsCaller } from './session-timer.ts';
import { isTooLargeForDatagram } from './size-rule.ts';
import type { Flow } from './transport.ts';

/** INVITEs without final response, by transaction id. */
export type OpenInvites = Map<string, { readonly invite: OutboundInvite; readonly owner: Application }>;

/** A request that is complete and knows its way. */
export interface ReadyRequest {
  readonly owner: Application;
  /** The frame in which the application asked for it. */
  readonly msgId: string;
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly ways: OtherWays;
  /** The dialog in which it goes. */
  readonly dialog?: Dialog;
  /** Who learns of the responses of a request other than INVITE, which has this transaction id. */
  readonly userOf: (transactionId: string) => ClientTransactionUser;
}

/** Sends and echoes; one that is too large even for a datagram is refused. */
export function sendAndEcho(context: EngineContext, invites: OpenInvites, ready: ReadyRequest): void {
  const { owner, msgId, request, flow, ways, dialog } = ready;
  if (isTooLargeForDatagram(flow, () => serialiseSipMessage(request).length)) {
    owner.sendNok(msgId, 'message too large for udp');
    return;
  }
  let id: string;
  let bytes: Buffer;
  if (request.method === 'INVITE') {
    const invite = new OutboundInvite({
      context,
      application: owner,
      request,
      flow,
      ways,
      ...(dialog === undefined ? {} : { dialog }),
      done: (done) => invites.delete(done),
      accepted: (made, response) => beginAsCaller(context, dialog ?? made, request, response),
    });
    invites.set(invite.id, { invite, owner });
    id = invite.id;
    bytes = invite.start();
  } else {
    id = newTransactionId();
    const attempts = new RequestAttempts({ context, user: ready.userOf(id), ways });
    ({ bytes } = attempts.start(request, flow));
  }
  owner.sendFrame(requestEchoTokens(msgId, sentOn(flow, bytes.length), context.clock.now(), id), bytes);
}
