/**
 * Owns: one request that arrived and its answers: tag, Contact, dialog, reliable responses, the 2xx
 * (RFC 3261 §8.2.6, §12.1.1, §13.3.1). Called by: inbound-requests.ts. Calls: server-transaction.ts, dialog-table.ts,
 * reliable-responses.ts, accepted-invite.ts, session-timer.ts, subscriptions.ts.
 */
import type { Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import { parseNameAddr } from '../headers.ts';
import { cseqOf, serialiseSipMessage, SipHeaders, type SipRequest, type SipResponse } from '../message.ts';
import { AcceptedInvite } from './accepted-invite.ts';
import type { Application } from './application.ts';
import type { EngineContext } from './context.ts';
import { fromNetwork, responseEchoTokens, sipTokens } from './control-frame.ts';
import { Dialog, dialogIdOf, type OpenRequest } from './dialog.ts';
import { newTag, newTransactionId } from './ids.ts';
import { buildResponse, checkGivenHeaders, contactOf } from './message-builder.ts';
import { answersWithSecureContact, secureContact } from './preloaded-route.ts';
import { ReliableResponses } from './reliable-responses.ts';
import type { ServerTransaction } from './server-transaction.ts';
import { answerSessionTimer, beginAsCallee } from './session-timer.ts';
import { followAnswer, followSubscribeAnswer } from './subscriptions.ts';
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

export const UNKNOWN_TRANSACTION = 'Response not sent due to unknown transaction';
/** Their answers have the id of the dialog, whether it comes into being or not. */
const NAMES_DIALOG = new Set(['INVITE', 'SUBSCRIBE']);
const SUBSCRIBES = new Set(['SUBSCRIBE', 'REFER']);
const WITH_RECORD_ROUTE = new Set(['INVITE', 'SUBSCRIBE', 'REFER']);
const CONTACT_IN_SUCCESS = new Set(['INVITE', 'SUBSCRIBE', 'UPDATE']);
/** Those whose 2xx may start or stretch the session's timer (RFC 4028). */
const REFRESHES_SESSION = new Set(['INVITE', 'UPDATE']);

function lists(headers: SipHeaders | undefined, name: string, tag: string): boolean {
  return headers?.list(name).some((value) => value.toLowerCase() === tag) === true;
}

/** A request that an application has to answer. */
export class InboundRequest implements OpenRequest {
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
  #offerPending: boolean;
  #reliable: ReliableResponses | undefined;
  #timer: Timer | undefined;

  constructor(options: InboundRequestOptions) {
    this.#options = options;
    this.#context = options.context;
    this.owner = options.owner;
    this.request = options.request;
    this.flow = options.flow;
    this.#dialog = options.dialog;
    this.cseq = cseqOf(options.request).number;
    this.#offerPending = options.request.body.length > 0 && REFRESHES_SESSION.has(options.request.method);
  }

  get method(): string {
    return this.request.method;
  }

  get offerPending(): boolean {
    return this.#offerPending;
  }

  /** The dialog id as frames carry it: INVITE and SUBSCRIBE have one from the first answer on. */
  get dialogId(): string {
    if (this.#options.dialog !== undefined) return this.#options.dialog.id;
    if (this.#dialog !== undefined) return this.#dialog.id;
    return NAMES_DIALOG.has(this.request.method) && this.#answered ? dialogIdOf(this.request) : '';
  }

  /** Hands the request to its application and starts the time that it has for an answer. */
  handUp(): void {
    const { clock } = this.#context;
    const { dialog } = this.#options;
    const ids = { transactionId: this.id, dialogId: dialog?.id ?? '' };
    const receivedOn = dialog === undefined ? this.flow : undefined;
    const tokens = sipTokens(fromNetwork(this.flow, this.#options.bytes), clock.now(), ids, receivedOn);
    this.owner.sendFrame(tokens, serialiseSipMessage(this.request));
    if (this.request.method !== 'BYE') dialog?.addOpen(this);
    const waitMs =
      this.request.method === 'BYE' ? SIP_LIMITS.transactionTimeoutMs : SIP_LIMITS.applicationAnswerMs;
    this.#timer = clock.startTimer(waitMs, () => this.#forget());
  }

  /**
   * Sends a response that the application asked for, and echoes it; or keeps it until a PRACK comes.
   * @throws ProtocolError when the response cannot be built; nothing was sent then
   */
  answer(msgId: string, status: number, parts: AnswerParts): void {
    const reliable = this.#reliabilityOf(status, parts.given);
    if (reliable === 'refused') {
      this.owner.sendNok(msgId, 'Remote endpoint does not support 100rel');
      return;
    }
    const waits =
      (reliable !== 'no' && this.#reliable?.busy === true) ||
      (status >= 200 && status < 300 && this.#reliable?.holdsSuccess === true);
    if (!waits) {
      this.#answerNow(msgId, status, parts, reliable);
      return;
    }
    const held = this.#reliable?.hold({
      send: () => this.#answerNow(msgId, status, parts, reliable),
      refuse: () => this.owner.sendNok(msgId, UNKNOWN_TRANSACTION),
    });
    if (held !== true) this.owner.sendNok(msgId, 'too many provisional responses without PRACK');
  }

  /** The engine answers in place of the application, which is not told. */
  answerItself(status: number, reason: string): void {
    if (!this.#options.transaction.answerable) return;
    this.#send(status, { reason }, 'no');
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

  /** Ends all waiting, silently. */
  stop(): void {
    this.#timer?.[Symbol.dispose]();
    this.#reliable?.[Symbol.dispose]();
  }

  /** Is a provisional response to be sent reliably, and can it be (RFC 3262 §3)? */
  #reliabilityOf(status: number, given: SipHeaders | undefined): 'no' | 'asked' | 'forced' | 'refused' {
    if (status <= 100 || status >= 200 || this.request.method !== 'INVITE') return 'no';
    const { headers } = this.request;
    const required = lists(headers, 'require', '100rel');
    if (!lists(given, 'require', '100rel')) return required ? 'forced' : 'no';
    return required || lists(headers, 'supported', '100rel') ? 'asked' : 'refused';
  }

  #answerNow(msgId: string, status: number, parts: AnswerParts, reliable: 'no' | 'asked' | 'forced'): void {
    const { response, bytes } = this.#send(status, parts, reliable);
    const isByeSuccess = this.request.method === 'BYE' && status >= 200;
    const ids = { transactionId: this.id, dialogId: isByeSuccess ? '' : this.dialogId };
    const source = { ...fromNetwork(this.flow, bytes.length), source: 'application' as const };
    this.owner.sendFrame(responseEchoTokens(msgId, source, this.#context.clock.now(), ids), bytes);
    if (this.request.method === 'REGISTER' && response.status >= 200 && response.status < 300) {
      this.#context.bindings.bind(this.request, this.flow);
    }
    if (status >= 200) followAnswer(this.#context, this.#options.dialog, this.request, response);
  }

  #send(
    status: number,
    parts: AnswerParts,
    reliable: 'no' | 'asked' | 'forced',
  ): { response: SipResponse; bytes: Buffer } {
    const response = this.#build(status, parts);
    if (reliable !== 'no') {
      this.#reliable ??= new ReliableResponses({
        clock: this.#context.clock,
        cseq: this.cseq,
        send: this.#options.send,
        failed: () => this.answerItself(504, 'Server Time-out'),
      });
      if (reliable === 'forced') response.headers.append('Require', '100rel');
      response.headers.append('RSeq', String(this.#reliable.nextRseq));
    }
    const bytes = serialiseSipMessage(response);
    this.#options.transaction.sendResponse(status, bytes);
    this.#answered = true;
    const hasBody = response.body.length > 0;
    if (hasBody && (reliable !== 'no' || status >= 200)) this.#offerPending = false;
    if (reliable !== 'no') {
      const offers = hasBody && this.request.body.length === 0;
      this.#reliable?.begin(bytes, { wanted: reliable === 'asked', hasBody, offers });
    }
    if (this.request.method === 'INVITE') this.#followInvite(response, bytes);
    else this.#followOther(response);
    if (this.#reliable !== undefined && this.#dialog?.state !== 'ended') {
      if (this.#dialog !== undefined) this.#dialog.reliable = this.#reliable;
    }
    if (status >= 200) this.#close();
    else if (this.request.method === 'INVITE') this.#timer?.[Symbol.dispose]();
    return { response, bytes };
  }

  /** @throws ProtocolError */
  #build(status: number, parts: AnswerParts): SipResponse {
    const { method } = this.request;
    const isReInvite = method === 'INVITE' && this.#options.dialog !== undefined;
    const success = status >= 200 && status < 300;
    const { given } = parts;
    if (given !== undefined) checkGivenHeaders(given);
    if (this.#toTag === undefined && given?.has('to') === true) {
      this.#toTag = parseNameAddr(given.get('to') ?? '').params.get('tag');
    }
    const reliable = this.#reliabilityOf(status, given) !== 'no';
    // A REFER makes a dialog only where there is none yet.
    const makesDialog = method === 'REFER' && this.#options.dialog === undefined;
    const needsContact =
      (success && (makesDialog || CONTACT_IN_SUCCESS.has(method))) ||
      (isReInvite && status > 100) ||
      reliable;
    const response = buildResponse({
      request: this.request,
      status,
      reason: parts.reason,
      flow: this.flow,
      toTag: status > 100 ? this.toTag : undefined,
      contact: given === undefined ? undefined : this.#contact(given, needsContact),
      recordRoute: WITH_RECORD_ROUTE.has(method) && status > 100 && status < 300,
      server: this.#context.userAgent,
      ...(given === undefined ? {} : { given }),
      ...(parts.body === undefined ? {} : { body: parts.body }),
    });
    if (success && given !== undefined && REFRESHES_SESSION.has(method)) {
      answerSessionTimer(this.#options.dialog, this.request, response);
    }
    return response;
  }

  /** @throws ProtocolError */
  #contact(given: SipHeaders, needed: boolean): string | undefined {
    const contact = contactOf(given, this.flow, needed);
    const isSecure = contact !== undefined && needed && answersWithSecureContact(this.request);
    return isSecure ? secureContact(contact) : contact;
  }

  /** What a response to INVITE does to dialogs. */
  #followInvite(response: SipResponse, bytes: Buffer): void {
    const { dialogs } = this.#context;
    const { status } = response;
    if (status === 100) return;
    if (status >= 200) this.#reliable?.finish();
    if (status >= 300) {
      if (this.#options.dialog === undefined && this.#dialog !== undefined) {
        if (this.#reliable?.busy === true)
          dialogs.late.add(this.#context.clock, this.#dialog, this.#reliable);
        dialogs.remove(this.#dialog);
      }
      return;
    }
    if (this.#dialog === undefined) {
      this.#dialog = Dialog.ofCallee(this.request, response, this.flow, this.owner);
      dialogs.add(this.#dialog);
    } else if (status >= 200 && this.#dialog.state === 'early') {
      this.#dialog.localContact = response.headers.get('contact') ?? '';
      dialogs.confirm(this.#dialog);
    }
    if (this.#options.dialog === undefined && status < 200) this.#dialog.addOpen(this);
    if (status < 200 || this.#dialog.state === 'ended') return;
    beginAsCallee(this.#context, this.#dialog, this.request, response);
    new AcceptedInvite({
      context: this.#context,
      dialog: this.#dialog,
      cseq: this.cseq,
      bytes,
      send: this.#options.send,
      transactionId: this.#options.dialog === undefined ? this.id : undefined,
      offers: this.request.body.length === 0 && response.body.length > 0,
    });
  }

  /** What another response does to them. */
  #followOther(response: SipResponse): void {
    const { status } = response;
    const { dialog } = this.#options;
    if (status < 200 || status >= 300) return;
    if (this.request.method === 'UPDATE' && dialog !== undefined) {
      beginAsCallee(this.#context, dialog, this.request, response);
    }
    if (!SUBSCRIBES.has(this.request.method)) return;
    const made = followSubscribeAnswer(this.#context, this.owner, {
      dialog,
      request: this.request,
      response,
      flow: this.flow,
    });
    if (dialog === undefined) this.#dialog = made;
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#timer?.[Symbol.dispose]();
    this.#dialog?.removeOpen(this);
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
