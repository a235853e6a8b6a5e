/**
 * Owns: one request that arrived and its answers: tag, Contact, dialog, the 2xx repeated until its ACK
 * (RFC 3261 §8.2.6, §12.1.1, §13.3.1.4). Called by: inbound-requests.ts. Calls: server-transaction.ts, dialog-table.ts.
 */
import type { Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import { parseNameAddr } from '../headers.ts';
import {
  cseqOf,
  serialiseSipMessage,
  type SipHeaders,
  type SipRequest,
  type SipResponse,
} from '../message.ts';
import type { Application } from './application.ts';
import type { EngineContext } from './context.ts';
import { fromNetwork, responseEchoTokens, sipTokens } from './control-frame.ts';
import { Dialog, dialogIdOf, type AcceptedInvite, type OpenRequest } from './dialog.ts';
import { sendOwnBye } from './dialog-requests.ts';
import { newTag, newTransactionId } from './ids.ts';
import { buildResponse, contactOf } from './message-builder.ts';
import type { ServerTransaction } from './server-transaction.ts';
import type { Flow } from './transport.ts';

/** What a response says besides its status. */
export interface AnswerParts {
  readonly reason: string;
  readonly given?: SipHeaders;
  readonly body?: Buffer;
}

export interface InboundRequestOptions {
  readonly context: EngineContext;
  readonly owner: Application;
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly bytes: number;
  readonly transaction: ServerTransaction;
  /** Sends bytes to where the responses go. */
  readonly send: (bytes: Buffer) => void;
  /** The dialog in which it came. */
  readonly dialog: Dialog | undefined;
  /** It takes no (further) answer of the application. */
  readonly done: (request: InboundRequest) => void;
}

const MAKES_DIALOG = new Set(['INVITE', 'SUBSCRIBE']);
const CONTACT_IN_SUCCESS = new Set(['INVITE', 'SUBSCRIBE', 'UPDATE']);

/** A request that an application has to answer. */
export class InboundRequest implements OpenRequest, AcceptedInvite {
  readonly id = newTransactionId();
  readonly owner: Application;
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly cseq: number;
  readonly #options: InboundRequestOptions;
  readonly #context: EngineContext;
  #dialog: Dialog | undefined;
  #toTag: string | undefined;
  #answered = false;
  #open = true;
  #acked = false;
  #timer: Timer | undefined;
  #repeatTimer: Timer | undefined;

  constructor(options: InboundRequestOptions) {
    this.#options = options;
    this.#context = options.context;
    this.owner = options.owner;
    this.request = options.request;
    this.flow = options.flow;
    this.#dialog = options.dialog;
    this.cseq = cseqOf(options.request).number;
  }

  /** May the application still answer? */
  get open(): boolean {
    return this.#open;
  }

  /** The dialog id as frames carry it: INVITE and SUBSCRIBE have one from the first answer on. */
  get dialogId(): string {
    if (this.#options.dialog !== undefined) return this.#options.dialog.id;
    return MAKES_DIALOG.has(this.request.method) && this.#answered ? dialogIdOf(this.request) : '';
  }

  /** Hands the request to its application and starts the time that it has for an answer. */
  handUp(): void {
    const { clock } = this.#context;
    const ids = { transactionId: this.id, dialogId: this.#options.dialog?.id ?? '' };
    const receivedOn = this.#options.dialog === undefined ? this.flow : undefined;
    const tokens = sipTokens(fromNetwork(this.flow, this.#options.bytes), clock.now(), ids, receivedOn);
    this.owner.sendFrame(tokens, serialiseSipMessage(this.request));
    if (this.request.method !== 'BYE') this.#options.dialog?.open.add(this);
    const waitMs =
      this.request.method === 'BYE' ? SIP_LIMITS.transactionTimeoutMs : SIP_LIMITS.applicationAnswerMs;
    this.#timer = clock.startTimer(waitMs, () => this.#forget());
  }

  /**
   * Sends a response that the application asked for, and echoes it.
   * @throws ProtocolError when the response cannot be built; nothing was sent then
   */
  answer(msgId: string, status: number, parts: AnswerParts): void {
    const { response, bytes } = this.#send(status, parts);
    const isByeSuccess = this.request.method === 'BYE' && status >= 200 && status < 300;
    const ids = { transactionId: this.id, dialogId: isByeSuccess ? '' : this.dialogId };
    const source = { ...fromNetwork(this.flow, bytes.length), source: 'application' as const };
    this.owner.sendFrame(responseEchoTokens(msgId, source, this.#context.clock.now(), ids), bytes);
    if (this.request.method === 'REGISTER' && response.status >= 200 && response.status < 300) {
      this.#context.bindings.bind(this.request, this.flow);
    }
  }

  /** The engine answers in place of the application, which is not told. */
  answerItself(status: number, reason: string): void {
    if (!this.#options.transaction.answerable) return;
    this.#send(status, { reason });
  }

  /** The dialog ended before the application answered (RFC 3261 §15.1.2). */
  terminate(): void {
    this.answerItself(487, 'Request Terminated');
  }

  /** The tag with which this request is answered. */
  get toTag(): string {
    this.#toTag ??= newTag();
    return this.#toTag;
  }

  /** An ACK came. Returns the transaction id under which the application learns of it. */
  receiveAck(): string {
    this.stop();
    const first = !this.#acked && this.#options.dialog === undefined;
    this.#acked = true;
    return first ? this.id : newTransactionId();
  }

  /** The 2xx is not repeated any more. */
  stop(): void {
    this.#repeatTimer?.[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
  }

  /** The INVITE came again after its 2xx. */
  receiveRepeat(): void {
    this.#options.transaction.receiveRepeat();
  }

  #send(status: number, parts: AnswerParts): { response: SipResponse; bytes: Buffer } {
    const response = this.#build(status, parts);
    const bytes = serialiseSipMessage(response);
    this.#options.transaction.sendResponse(status, bytes);
    this.#answered = true;
    if (this.request.method === 'INVITE') this.#followInvite(response, bytes);
    if (status >= 200) this.#close();
    else if (this.request.method === 'INVITE') this.#timer?.[Symbol.dispose]();
    return { response, bytes };
  }

  #build(status: number, parts: AnswerParts): SipResponse {
    const { method } = this.request;
    const isReInvite = method === 'INVITE' && this.#options.dialog !== undefined;
    const success = status >= 200 && status < 300;
    const given = parts.given;
    if (this.#toTag === undefined && given?.has('to') === true) {
      this.#toTag = parseNameAddr(given.get('to') ?? '').params.get('tag');
    }
    const needsContact = (success && CONTACT_IN_SUCCESS.has(method)) || (isReInvite && status > 100);
    return buildResponse({
      request: this.request,
      status,
      reason: parts.reason,
      flow: this.flow,
      toTag: status > 100 ? this.toTag : undefined,
      contact: given === undefined ? undefined : contactOf(given, this.flow, needsContact),
      recordRoute: MAKES_DIALOG.has(method) && status > 100 && status < 300,
      server: this.#context.userAgent,
      ...(given === undefined ? {} : { given }),
      ...(parts.body === undefined ? {} : { body: parts.body }),
    });
  }

  /** What a response to INVITE does to dialogs. */
  #followInvite(response: SipResponse, bytes: Buffer): void {
    const { dialogs } = this.#context;
    const { status } = response;
    if (status === 100) return;
    if (status >= 300) {
      if (this.#options.dialog === undefined && this.#dialog !== undefined) dialogs.remove(this.#dialog);
      return;
    }
    if (this.#dialog === undefined) {
      this.#dialog = Dialog.ofCallee(this.request, response, this.flow, this.owner);
      dialogs.add(this.#dialog);
    } else if (status >= 200 && this.#dialog.state === 'early') {
      this.#dialog.localContact = response.headers.get('contact') ?? '';
      dialogs.confirm(this.#dialog);
    }
    if (this.#options.dialog === undefined && status < 200) this.#dialog.open.add(this);
    if (status >= 200) this.#repeatUntilAck(this.#dialog, bytes);
  }

  /** RFC 3261 §13.3.1.4: at T1, doubling to T2, over any transport; after 64*T1 without ACK a BYE. */
  #repeatUntilAck(dialog: Dialog, bytes: Buffer): void {
    const { clock } = this.#context;
    dialog.accepted?.stop();
    dialog.accepted = this;
    let intervalMs: number = SIP_LIMITS.t1Ms;
    const repeat = (): void => {
      this.#options.send(bytes);
      intervalMs = Math.min(intervalMs * 2, SIP_LIMITS.t2Ms);
      this.#repeatTimer = clock.startTimer(intervalMs, repeat);
    };
    this.#repeatTimer = clock.startTimer(intervalMs, repeat);
    this.#timer?.[Symbol.dispose]();
    this.#timer = clock.startTimer(SIP_LIMITS.transactionTimeoutMs, () => {
      this.stop();
      sendOwnBye(this.#context, dialog, 'ACK timeout');
    });
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.#dialog?.accepted !== this) this.#timer?.[Symbol.dispose]();
    this.#dialog?.open.delete(this);
    this.#options.done(this);
  }

  /** The application did not answer in time. */
  #forget(): void {
    const { method } = this.request;
    this.#context.log.warn('sip.application.silent', { method });
    // The caller of an INVITE still waits; other clients have given up long ago, except that a BYE has its 32 s.
    if (method === 'INVITE' || method === 'BYE') this.answerItself(500, 'Server Internal Error');
    else this.#options.transaction[Symbol.dispose]();
    this.#close();
  }
}
