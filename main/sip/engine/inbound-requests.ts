/**
 * Owns: what arrives from the network: matching, the answers that the engine gives by itself, handing up
 * (RFC 3261 §8.2, §9.2, §12.2.2, §15.1.2). Called by: transport.ts by way of engine.ts, and engine.ts with the responses
 * of applications. Calls: transaction-table.ts, dialog-table.ts, inbound-request.ts.
 */
import { ProtocolError } from '../../base/protocol-error.ts';
import { parseNameAddr, parseNameAddrList, type Via } from '../headers.ts';
import { cseqOf, serialiseSipMessage, type SipRequest, type SipResponse } from '../message.ts';
import type { Application } from './application.ts';
import { KNOWN_METHODS, type EngineContext } from './context.ts';
import { fromNetwork, sipTokens, type ControlFrame } from './control-frame.ts';
import { dialogIdOf, type Dialog } from './dialog.ts';
import { newTag } from './ids.ts';
import { InboundRequest } from './inbound-request.ts';
import { buildResponse } from './message-builder.ts';
import { responseSender, stampVia } from './response-route.ts';
import type { ServerTransaction } from './server-transaction.ts';
import { serverKey, tagOf, topViaOf } from './transaction-table.ts';
import type { Flow } from './transport.ts';

/** Methods that make no sense without their dialog (RFC 3261 §12.2.2). */
const ONLY_IN_DIALOG = new Set(['INVITE', 'BYE', 'UPDATE', 'PRACK', 'REFER']);
/** The same without a To tag. */
const NEVER_NEW = new Set(['BYE', 'UPDATE', 'PRACK']);
const TARGET_REFRESH = new Set(['INVITE', 'UPDATE', 'SUBSCRIBE']);
const UNKNOWN_TRANSACTION = 'Response not sent due to unknown transaction';

/** A request with what was found out about it. */
interface Arrival {
  readonly request: SipRequest;
  readonly via: Via;
  readonly flow: Flow;
  readonly bytes: number;
}

/** @throws ProtocolError 400 when a header that every request needs is missing or bad (RFC 3261 §8.1.1) */
function checkRequest(request: SipRequest): void {
  tagOf(request, 'from');
  tagOf(request, 'to');
  const callId = request.headers.get('call-id') ?? '';
  if (callId === '' || /\s/.test(callId))
    throw new ProtocolError('SIP_BAD_HEADER', 400, 'Bad Call-ID Header');
  if (cseqOf(request).method !== request.method) {
    throw new ProtocolError('SIP_BAD_HEADER', 400, 'CSeq does not match the method');
  }
  const contact = request.headers.getAll('contact').join(', ');
  if (contact.trim() !== '*') parseNameAddrList(contact);
  request.headers.list('record-route').forEach(parseNameAddr);
  const maxForwards = request.headers.get('max-forwards');
  if (maxForwards !== undefined && !/^\d{1,3}$/.test(maxForwards)) {
    throw new ProtocolError('SIP_BAD_HEADER', 400, 'Bad Max-Forwards Header');
  }
}

/** All that arrives. */
export class InboundRequests implements Disposable {
  readonly #context: EngineContext;
  /** Requests that an application has to answer, by transaction id. */
  readonly #pending = new Map<string, InboundRequest>();
  /** Who answers an INVITE, for its CANCEL. */
  readonly #ofTransaction = new WeakMap<ServerTransaction, InboundRequest>();

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** A response from the network. One that belongs to nothing is dropped (RFC 3261 §18.1.2). */
  receiveResponse(response: SipResponse, flow: Flow, bytes: number): void {
    try {
      tagOf(response, 'to');
      this.#context.transactions.clientOf(response)?.receiveResponse(response, flow, bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#context.log.debug('sip.response.bad', { code: error.code });
    }
  }

  receiveRequest(request: SipRequest, flow: Flow, bytes: number): void {
    let via: Via;
    try {
      via = topViaOf(request);
    } catch {
      // Without a usable Via there is nobody to answer.
      return;
    }
    try {
      checkRequest(request);
      stampVia(request, via, flow);
      this.#receive({ request, via, flow, bytes });
    } catch (error) {
      if (!(error instanceof ProtocolError) || typeof error.answer !== 'number') throw error;
      this.receiveBadRequest(request, error, flow);
    }
  }

  /** A request that cannot be understood: answered without a transaction. */
  receiveBadRequest(request: SipRequest, error: ProtocolError, flow: Flow): void {
    if (request.method === 'ACK' || typeof error.answer !== 'number') return;
    const reason = error.answer === 400 ? 'Bad Request' : (REASONS[error.answer] ?? 'Refused');
    this.#answerStateless(request, flow, error.answer, reason);
  }

  /** The application answers. */
  sendResponse(owner: Application, frame: ControlFrame, response: SipResponse): void {
    const { msgId } = frame;
    const [transactionId = ''] = frame.tokens;
    if (transactionId === '') {
      owner.sendNo(msgId, 'transaction id missing');
      return;
    }
    const pending = this.#pending.get(transactionId);
    if (pending?.owner !== owner) {
      const cancel = /\bCANCEL\s*$/.test(response.headers.get('cseq') ?? '');
      owner.sendNok(
        msgId,
        cancel ? '200 OK to incoming CANCEL is automatically generated by the stack' : UNKNOWN_TRANSACTION,
      );
      return;
    }
    if (response.status < 200 && /\b100rel\b/i.test(response.headers.get('require') ?? '')) {
      owner.sendNok(msgId, 'Remote endpoint does not support 100rel');
      return;
    }
    try {
      const { reason, headers: given, body } = response;
      pending.answer(msgId, response.status, { reason, given, body });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const text =
        error.code === 'SIP_NO_CONTENT_TYPE'
          ? 'missing content-type'
          : 'Unknown server error sending response';
      owner.sendNok(msgId, text);
      if (response.status >= 200) pending.answerItself(500, 'Server Internal Error');
    }
  }

  /** Is that an open request of this application? */
  knows(owner: Application, transactionId: string): boolean {
    return this.#pending.get(transactionId)?.owner === owner;
  }

  /** The application is gone: its requests are answered 503, its dialogs are forgotten. */
  abandon(owner: Application): void {
    for (const pending of [...this.#pending.values()]) {
      if (pending.owner === owner) pending.answerItself(503, 'Service Unavailable');
    }
    for (const dialog of this.#context.dialogs.ownedBy(owner)) this.#context.dialogs.remove(dialog);
  }

  /** Ends all waiting, silently. */
  [Symbol.dispose](): void {
    for (const pending of this.#pending.values()) pending.stop();
    for (const dialog of this.#context.dialogs.all()) dialog.accepted?.stop();
  }

  #receive(arrival: Arrival): void {
    const { request, via } = arrival;
    const { transactions } = this.#context;
    if (request.method === 'ACK') {
      this.#receiveAck(arrival);
      return;
    }
    const known = transactions.server(serverKey(request, via));
    if (known !== undefined) {
      known.receiveRepeat();
      return;
    }
    if (transactions.serversFull) {
      this.#answerStateless(request, arrival.flow, 503, 'Service Unavailable');
      return;
    }
    if (request.method === 'CANCEL') this.#receiveCancel(arrival);
    else if (request.method === 'INVITE') this.#receiveInvite(arrival);
    else this.#dispatch(arrival, this.#open(arrival));
  }

  #receiveInvite(arrival: Arrival): void {
    const transaction = this.#open(arrival);
    const { request, flow } = arrival;
    const trying = buildResponse({
      request,
      status: 100,
      reason: 'Trying',
      flow,
      toTag: undefined,
      server: undefined,
    });
    transaction.sendResponse(100, serialiseSipMessage(trying));
    this.#dispatch(arrival, transaction);
  }

  /** Decides who answers. */
  #dispatch(arrival: Arrival, transaction: ServerTransaction): void {
    const { request, flow } = arrival;
    const { method } = request;
    const { dialogs, control } = this.#context;
    const refuse = (status: number, reason: string): void => {
      const response = buildResponse({
        request,
        status,
        reason,
        flow,
        toTag: newTag(),
        server: this.#context.userAgent,
      });
      transaction.sendResponse(status, serialiseSipMessage(response));
    };
    const hasToTag = tagOf(request, 'to') !== '';
    const dialog = hasToTag ? dialogs.ofRequest(request) : undefined;
    if (dialog !== undefined) {
      this.#receiveInDialog(arrival, transaction, dialog, refuse);
      return;
    }
    const isKnown = KNOWN_METHODS.has(method);
    if (hasToTag ? ONLY_IN_DIALOG.has(method) : NEVER_NEW.has(method)) {
      refuse(481, 'Call/Transaction Does Not Exist');
      return;
    }
    if (request.headers.get('max-forwards') === '0') {
      refuse(483, 'Too Many Hops');
      return;
    }
    const owner = control.applicationFor(method, isKnown);
    if (owner === undefined) {
      if (isKnown) refuse(503, 'Service Unavailable');
      else refuse(501, 'Not Implemented');
    } else if (method === 'INVITE' && dialogs.full) refuse(503, 'Service Unavailable');
    else this.#handUp(arrival, transaction, owner, undefined);
  }

  #receiveInDialog(
    arrival: Arrival,
    transaction: ServerTransaction,
    dialog: Dialog,
    refuse: (status: number, reason: string) => void,
  ): void {
    const { request, flow } = arrival;
    const { number } = cseqOf(request);
    // RFC 3261 §12.2.2: out of order.
    if (dialog.remoteSeq !== undefined && number < dialog.remoteSeq) {
      refuse(500, 'Server Internal Error');
      return;
    }
    dialog.remoteSeq = number;
    if (!KNOWN_METHODS.has(request.method)) {
      refuse(501, 'Not Implemented');
      return;
    }
    if (TARGET_REFRESH.has(request.method)) dialog.refreshTarget(request, flow);
    else if (flow.transport === dialog.flow.transport) dialog.flow = flow;
    if (request.method !== 'BYE') {
      this.#handUp(arrival, transaction, dialog.owner, dialog);
    } else if (dialog.state === 'early') {
      this.#receiveEarlyBye(arrival, dialog, refuse);
    } else {
      this.#handUp(arrival, transaction, dialog.owner, dialog);
      this.#context.dialogs.remove(dialog);
    }
  }

  /** The caller gives up with BYE instead of CANCEL (RFC 3261 §15): the application learns of it as of a CANCEL. */
  #receiveEarlyBye(arrival: Arrival, dialog: Dialog, refuse: (status: number, reason: string) => void): void {
    refuse(200, 'OK');
    const invite = [...this.#pending.values()].find(
      ({ request, owner }) =>
        request.method === 'INVITE' && owner === dialog.owner && dialogIdOf(request) === dialog.id,
    );
    if (invite !== undefined) {
      const { request: bye, flow, bytes } = arrival;
      const headers = bye.headers.clone();
      headers.set('CSeq', `${invite.cseq} CANCEL`);
      this.#tellCancel(invite, { ...bye, method: 'CANCEL', headers }, flow, bytes);
    }
    this.#context.dialogs.remove(dialog);
  }

  #receiveAck(arrival: Arrival): void {
    const { request, via, flow, bytes } = arrival;
    const transaction = this.#context.transactions.server(serverKey(request, via, 'INVITE'));
    if (transaction?.state === 'completed' || transaction?.state === 'confirmed') {
      transaction.receiveAck();
      return;
    }
    const dialog = this.#context.dialogs.ofRequest(request);
    if (dialog?.accepted?.cseq !== cseqOf(request).number) return;
    const transactionId = dialog.accepted.receiveAck();
    const ids = { transactionId, dialogId: dialog.id };
    const tokens = sipTokens(fromNetwork(flow, bytes), this.#context.clock.now(), ids);
    dialog.owner.sendFrame(tokens, serialiseSipMessage(request));
  }

  /** RFC 3261 §9.2. */
  #receiveCancel(arrival: Arrival): void {
    const { request, via, flow, bytes } = arrival;
    const invite = this.#context.transactions.server(serverKey(request, via, 'INVITE'));
    const transaction = this.#open(arrival);
    const pending = invite === undefined ? undefined : this.#ofTransaction.get(invite);
    const answer = (status: number, reason: string): void => {
      const toTag = pending?.toTag ?? newTag();
      const response = buildResponse({
        request,
        status,
        reason,
        flow,
        toTag,
        server: this.#context.userAgent,
      });
      transaction.sendResponse(status, serialiseSipMessage(response));
    };
    // After a 2xx the transaction has done its work: the CANCEL is too late (RFC 3261 §17.2.1).
    if (invite === undefined || invite.state === 'accepted') {
      answer(481, 'Call/Transaction Does Not Exist');
      return;
    }
    answer(200, 'OK');
    if (pending === undefined || invite.state !== 'proceeding') return;
    this.#tellCancel(pending, request, flow, bytes);
    pending.answerItself(487, 'Request Terminated');
  }

  #tellCancel(invite: InboundRequest, cancel: SipRequest, flow: Flow, bytes: number): void {
    const ids = { transactionId: invite.id, dialogId: invite.dialogId };
    const tokens = sipTokens(fromNetwork(flow, bytes), this.#context.clock.now(), ids);
    invite.owner.sendFrame(tokens, serialiseSipMessage(cancel));
  }

  #handUp(
    arrival: Arrival,
    transaction: ServerTransaction,
    owner: Application,
    dialog: Dialog | undefined,
  ): void {
    const { request, via, flow, bytes } = arrival;
    const inbound = new InboundRequest({
      context: this.#context,
      owner,
      request,
      flow,
      bytes,
      transaction,
      send: responseSender(this.#context.transport, via, flow),
      dialog,
      done: (done) => this.#pending.delete(done.id),
    });
    this.#pending.set(inbound.id, inbound);
    this.#ofTransaction.set(transaction, inbound);
    inbound.handUp();
  }

  #open(arrival: Arrival): ServerTransaction {
    const { request, via, flow } = arrival;
    const send = responseSender(this.#context.transport, via, flow);
    return this.#context.transactions.addServer(serverKey(request, via), request, flow, send);
  }

  #answerStateless(request: SipRequest, flow: Flow, status: number, reason: string): void {
    try {
      const via = topViaOf(request);
      stampVia(request, via, flow);
      const response = buildResponse({
        request,
        status,
        reason,
        flow,
        toTag: newTag(),
        server: this.#context.userAgent,
      });
      responseSender(this.#context.transport, via, flow)(serialiseSipMessage(response));
    } catch (error) {
      // Not even its Via can be read.
      if (!(error instanceof ProtocolError)) throw error;
    }
  }
}

const REASONS: Readonly<Partial<Record<number, string>>> = {
  416: 'Unsupported URI Scheme',
  503: 'Service Unavailable',
  505: 'Version Not Supported',
  513: 'Message Too Large',
};
