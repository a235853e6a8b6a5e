/**
 * Owns: sending inside a dialog: the way, the request, and the BYE that the engine sends on its own account.
 * Called by: outbound-requests.ts, outbound-invite.ts, inbound cores. Calls: transport.ts, transaction-table.ts.
 */
import { ProtocolError } from '../../base/protocol-error.ts';
import { SipHeaders, type SipRequest } from '../message.ts';
import { parseSipUri } from '../uri.ts';
import type { ClientTransactionUser } from './client-transaction.ts';
import type { EngineContext } from './context.ts';
import { sentOn, sipTokens } from './control-frame.ts';
import type { Dialog, DialogRoute } from './dialog.ts';
import { buildRequest } from './message-builder.ts';
import { NextHops } from './next-hops.ts';
import { whenReady, type Soon } from './soon.ts';
import type { Flow, Hop } from './transport.ts';
import { Unreachable } from './unreachable.ts';

/** For requests whose answer interests nobody. */
export const SILENT_USER: ClientTransactionUser = {
  receiveResponse: () => undefined,
  receiveTimeout: () => undefined,
  receiveTransportError: () => undefined,
};

/**
 * The flow for a request inside a dialog. Requests to the same dialog leave in the order in which they were asked
 * for: a look-up that is under way is shared.
 */
export function flowOfRoute(context: EngineContext, dialog: Dialog, route: DialogRoute): Soon<Flow> {
  if (route.flow !== undefined) return route.flow;
  const shared = dialog.lookUp(route.nextHop);
  if (shared !== undefined) return shared;
  const flow = flowOfUri(context, route.nextHop);
  if (flow instanceof Promise) dialog.shareLookUp(route.nextHop, flow);
  return flow;
}

/** The flow to a URI: the first of its targets that can be reached. A fault is always a rejection, never thrown. */
export function flowOfUri(context: EngineContext, uri: string): Soon<Flow> {
  const { resolver, transport, dead } = context;
  const flowOver = (hops: readonly Hop[]): Soon<Flow> => new NextHops(transport, dead, hops).next();
  try {
    const hops = resolver.resolve(parseSipUri(uri));
    return hops instanceof Promise ? hops.then(flowOver) : flowOver(hops);
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof Unreachable) return Promise.reject(error);
    throw error;
  }
}

/** Builds a request inside a dialog. @throws ProtocolError (missing Content-Type) */
export function buildDialogRequest(
  context: EngineContext,
  dialog: Dialog,
  parts: {
    readonly method: string;
    readonly route: DialogRoute;
    readonly flow: Flow;
    readonly cseq: number;
    readonly contact?: string | undefined;
    readonly given: SipHeaders;
    readonly body: Buffer;
  },
): SipRequest {
  return buildRequest({
    method: parts.method,
    uri: parts.route.requestUri,
    flow: parts.flow,
    routes: parts.route.routes,
    from: dialog.local,
    to: dialog.remote,
    callId: dialog.callId,
    cseq: parts.cseq,
    contact: parts.contact,
    userAgent: context.userAgent,
    given: parts.given,
    body: parts.body,
  });
}

/** Reason (RFC 3326), a line for each value. */
export function reasonHeaders(reasons: readonly string[]): SipHeaders {
  return new SipHeaders(reasons.map((reason) => ['Reason', reason] as const));
}

/**
 * The engine hangs up on its own account; `reasons` are values of Reason. The application is told (`unsolicited`), if it
 * has ever known of this dialog. The dialog is gone at once.
 */
export function sendOwnBye(
  context: EngineContext,
  dialog: Dialog,
  { reasons, isKnown = true }: { readonly reasons: readonly string[]; readonly isKnown?: boolean },
): void {
  context.dialogs.remove(dialog);
  const given = reasonHeaders(reasons);
  const route = dialog.route();
  dialog.localSeq += 1;
  const cseq = dialog.localSeq;
  const send = (flow: Flow): void => {
    const request = buildDialogRequest(context, dialog, {
      method: 'BYE',
      route,
      flow,
      cseq,
      given,
      body: Buffer.alloc(0),
    });
    const { bytes } = context.transactions.startClient(request, flow, context.transport, SILENT_USER);
    if (!isKnown) return;
    const ids = { transactionId: 'unsolicited', dialogId: dialog.id };
    dialog.owner.sendFrame(sipTokens(sentOn(flow, bytes.length), context.clock.now(), ids), bytes);
  };
  whenReady(flowOfRoute(context, dialog, route), send, (error) => {
    context.log.info('sip.dialog.unreachable', { error });
  });
}
