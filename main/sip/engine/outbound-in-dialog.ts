/**
 * Owns: what the application sends inside dialogs: the route, the request, its responses (RFC 3261 §12.2.1).
 * Called by: outbound-requests.ts. Calls: dialog-table.ts, dialog-requests.ts, send-and-echo.ts.
 */
import { cseqOf, serialiseSipMessage, type SipRequest, type SipResponse } from '../message.ts';
import { tryParseSipUri } from '../uri.ts';
import type { Application } from './application.ts';
import type { ClientTransactionUser } from './client-transaction.ts';
import type { EngineContext } from './context.ts';
import { fromNetwork, madeUp, sipTokens, type FrameSource } from './control-frame.ts';
import type { Dialog } from './dialog.ts';
import { buildDialogRequest, flowOfRoute } from './dialog-requests.ts';
import { buildMadeUpResponse, contactOf, ownUri } from './message-builder.ts';
import type { OtherWays } from './request-attempts.ts';
import { sendAndEcho, type OpenInvites } from './send-and-echo.ts';
import { attemptToSend, OWN_ACK, refuseToSend, UNKNOWN_DIALOG } from './send-refusals.ts';
import { beginAsCaller, sessionTimerHeaders } from './session-timer.ts';
import { flowForSize } from './size-rule.ts';
import { whenReady } from './soon.ts';
import { followResponse } from './subscriptions.ts';
import type { Flow } from './transport.ts';

/** Requests that refresh the target carry a Contact (RFC 3261 §12.2.1.1). */
const WITH_CONTACT = new Set(['INVITE', 'SUBSCRIBE', 'UPDATE', 'REFER']);

const REFRESHES_SESSION = new Set(['INVITE', 'UPDATE']);
/** Their 2xx may name another Contact (RFC 3261 §12.2.1.2, RFC 6665 §4.1.2). */
const TARGET_REFRESH = new Set(['UPDATE', 'SUBSCRIBE']);

/** Requests of applications inside their dialogs. */
export class OutboundInDialog {
  readonly #context: EngineContext;
  readonly #invites: OpenInvites;

  constructor(context: EngineContext, invites: OpenInvites) {
    this.#context = context;
    this.#invites = invites;
  }

  /** A frame with a dialog id. */
  sendRequest(owner: Application, msgId: string, dialogId: string, request: SipRequest): void {
    const dialog = this.#dialogFor(owner, dialogId, request);
    if (request.method === 'ACK') {
      if (dialog?.lastInvite === undefined) owner.sendNok(msgId, OWN_ACK);
      else dialog.lastInvite.sendAck(msgId, request.headers, request.body);
      return;
    }
    if (dialog === undefined || request.method === 'CANCEL') {
      owner.sendNok(msgId, UNKNOWN_DIALOG);
      return;
    }
    // RFC 3261 §15: the called side hangs up when the ACK is there, or will not come any more.
    const waitsFor = request.method === 'BYE' && dialog.role === 'uas' ? dialog.accepted : undefined;
    const bye = {
      send: () => this.#sendIn(owner, msgId, dialog, request),
      refuse: () => owner.sendNok(msgId, UNKNOWN_DIALOG),
    };
    if (waitsFor?.some((invite) => invite.holdBye(bye)) !== true) bye.send();
  }

  #sendIn(owner: Application, msgId: string, dialog: Dialog, request: SipRequest): void {
    if (request.method === 'INVITE' && dialog.lastInvite?.pending === true) {
      // RFC 3261 §14.1: one at a time. The ACK of the first would be lost.
      owner.sendNok(msgId, 'an INVITE is in progress in this dialog');
      return;
    }
    const uri = tryParseSipUri(request.uri);
    const isPlaceholder =
      request.method === 'PRACK' ||
      uri === undefined ||
      (uri.host === 'placeholder' && uri.user === undefined);
    const route = dialog.route(isPlaceholder ? dialog.remoteTarget : request.uri);
    const given = Number.parseInt(request.headers.get('cseq') ?? '', 10);
    if (request.method === 'BYE' && dialog.state === 'confirmed' && dialog.lastInvite?.pending === true) {
      dialog.lastInvite.drop();
    }
    if (REFRESHES_SESSION.has(request.method)) {
      for (const [name, value] of sessionTimerHeaders(dialog, request.headers)) {
        request.headers.append(name, value);
      }
    }
    const build = (flow: Flow): SipRequest => {
      const needsContact = WITH_CONTACT.has(request.method) && !request.headers.has('contact');
      const fallback = dialog.localContact === '' ? `<${ownUri(flow)}>` : dialog.localContact;
      return buildDialogRequest(this.#context, dialog, {
        method: request.method,
        route,
        flow,
        cseq: Number.isSafeInteger(given) && given > 0 ? given : dialog.localSeq + 1,
        contact: needsContact ? fallback : contactOf(request.headers, flow, false),
        given: request.headers,
        body: request.body,
      });
    };
    const fail = (error: unknown): void => refuseToSend(owner, msgId, error);
    const sendOn = (first: Flow, flow: Flow): void =>
      attemptToSend(owner, msgId, () => {
        // The number is taken when the request leaves: those that wait for a connection do not leave a gap behind.
        const built = build(flow);
        dialog.localSeq = cseqOf(built).number;
        this.#send(owner, msgId, built, flow, dialog, first === flow ? {} : { fallback: first });
      });
    whenReady(
      flowOfRoute(this.#context, dialog, route),
      (flow) =>
        attemptToSend(owner, msgId, () => {
          const bytes = (): number => serialiseSipMessage(build(flow)).length;
          whenReady(flowForSize(this.#context, flow, bytes), (other) => sendOn(flow, other), fail);
        }),
      fail,
    );
  }

  /**
   * The dialog that a frame means. A PRACK goes to the fork whose response it names (RFC 3262 §4); the called side sends
   * no BYE before it has answered (RFC 3261 §15).
   */
  #dialogFor(owner: Application, dialogId: string, request: SipRequest): Dialog | undefined {
    const { dialogs } = this.#context;
    if (request.method === 'PRACK') {
      const rseq = Number.parseInt(request.headers.get('rack') ?? '', 10);
      return dialogs.forks(dialogId, owner).find((dialog) => dialog.lastInvite?.isAt(dialog, rseq) === true);
    }
    const dialog = dialogs.byId(dialogId, owner);
    const tooEarly = request.method === 'BYE' && dialog?.state === 'early' && dialog.role === 'uas';
    return tooEarly ? undefined : dialog;
  }

  #send(
    owner: Application,
    msgId: string,
    request: SipRequest,
    flow: Flow,
    dialog: Dialog,
    ways: OtherWays,
  ): void {
    const userOf = (id: string): ClientTransactionUser => this.#userOf(owner, id, request, flow, dialog);
    sendAndEcho(this.#context, this.#invites, { owner, msgId, request, flow, ways, dialog, userOf });
  }

  /** Passes the responses of a request other than INVITE up. */
  #userOf(
    owner: Application,
    transactionId: string,
    request: SipRequest,
    sentFlow: Flow,
    dialog: Dialog,
  ): ClientTransactionUser {
    const offers = request.method === 'UPDATE' && request.body.length > 0;
    if (offers) dialog.ownUpdateOffers += 1;
    const pass = (source: FrameSource, response: SipResponse): void => {
      const tokens = sipTokens(source, this.#context.clock.now(), { transactionId, dialogId: dialog.id });
      owner.sendFrame(tokens, serialiseSipMessage(response));
      if (response.status < 200) return;
      // A BYE ends the dialog whatever the answer is, unless it has to be sent again with credentials.
      const challenged = response.status === 401 || response.status === 407;
      if (request.method === 'BYE' && !challenged) this.#context.dialogs.remove(dialog);
      else followResponse(this.#context, dialog, request, response);
      if (offers) dialog.ownUpdateOffers -= 1;
    };
    const makeUp = (status: number, reason: string, error: Error): void => {
      const response = buildMadeUpResponse(request, sentFlow, status, reason, error.message);
      pass(madeUp(sentFlow.transport), response);
    };
    return {
      receiveResponse: (response, flow, bytes) => {
        if (response.status > 100) pass(fromNetwork(flow, bytes), response);
        if (response.status < 200 || response.status >= 300) return;
        if (TARGET_REFRESH.has(request.method)) dialog.refreshTarget(response, flow);
        if (request.method === 'UPDATE') beginAsCaller(this.#context, dialog, request, response);
      },
      receiveTimeout: (error) => makeUp(408, 'Request Timeout', error),
      receiveTransportError: (error) => makeUp(503, 'Service Unavailable', error),
    };
  }
}
