/**
 * Owns: one INVITE that we sent: forks and their early dialogs, CANCEL, ACK and its repeats, timer C
 * (RFC 3261 §9.1, §12.1, §13.2, §16.6; RFC 3262 §4). Called by: outbound-requests.ts, outbound-in-dialog.ts,
 * session-refresh.ts, its client transaction. Calls: dialog-table.ts, outbound-ack.ts, the application.
 */
import type { Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import {
  cseqOf,
  keptText,
  serialiseSipMessage,
  SipHeaders,
  type SipRequest,
  type SipResponse,
} from '../message.ts';
import type { Application } from './application.ts';
import type { ClientTransaction, ClientTransactionUser } from './client-transaction.ts';
import type { EngineContext } from './context.ts';
import { fromNetwork, madeUp, requestEchoTokens, sentOn, sipTokens } from './control-frame.ts';
import { Dialog, dialogIdOf, type OwnInvite } from './dialog.ts';
import { reasonHeaders, sendOwnBye, SILENT_USER } from './dialog-requests.ts';
import { newTransactionId } from './ids.ts';
import { buildMadeUpResponse } from './message-builder.ts';
import { buildCancel, repeatAck, sendAckOf, type SentAck } from './outbound-ack.ts';
import { ANSWERED_ELSEWHERE, formatReason } from '../reason.ts';
import { OWN_ACK } from './send-refusals.ts';
import { RequestAttempts, type OtherWays } from './request-attempts.ts';
import { tagOf } from './transaction-table.ts';
import type { Flow } from './transport.ts';

/** What a drachtio server says when its CANCEL was too late. */
const CANCEL_RACE = formatReason(200, 'ACK-BYE due to cancel race condition');

/** One answering side, by its To tag. */
interface Fork {
  readonly tag: string;
  /** None any more when it is over and its 2xx has been acknowledged. */
  dialog: Dialog | undefined;
  /** The last reliable provisional response (RFC 3262 §4). */
  rseq: number | undefined;
  answered: boolean;
  ack: SentAck | undefined;
}

export interface OutboundInviteOptions {
  readonly context: EngineContext;
  readonly application: Application;
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly ways?: OtherWays;
  /** The dialog of a re-INVITE. */
  readonly dialog?: Dialog;
  /** The INVITE has its final response and takes no CANCEL any more. */
  readonly done: (id: string) => void;
  /** A 2xx has confirmed this dialog; called before the application hears of it. */
  readonly accepted?: (dialog: Dialog, response: SipResponse) => void;
  /** The engine sends it on its own account: it acknowledges by itself, and the final response goes here. */
  readonly ownUse?: (response: SipResponse) => void;
}

/** An INVITE on its way, outside or inside a dialog. */
export class OutboundInvite implements ClientTransactionUser, OwnInvite, Disposable {
  readonly id = newTransactionId();
  readonly dialogId: string;
  readonly #context: EngineContext;
  /** What is needed until it leaves. */
  #unsent: Pick<OutboundInviteOptions, 'request' | 'ways'> | undefined;
  /** What is needed until there is a final response: afterwards many wait for it to come again. */
  #following: Pick<OutboundInviteOptions, 'done' | 'accepted'> | undefined;
  readonly #ownUse: ((response: SipResponse) => void) | undefined;
  /** That of the attempt that counts: a target that fails is followed by another one. */
  #flow: Flow;
  readonly #owner: Application;
  /** For a re-INVITE the dialog, else that of the first fork that answered 2xx. */
  #dialog: Dialog | undefined;
  readonly #isInitial: boolean;
  readonly #forks: Fork[] = [];
  /** The application wants to hear nothing more of it. */
  #muted = false;
  #transaction: ClientTransaction | undefined;
  #cancel: 'none' | 'held' | 'sent' = 'none';
  #cancelRequest: SipRequest | undefined;
  #finished = false;
  #offerPending: boolean;
  #timer: Timer | undefined;

  constructor(options: OutboundInviteOptions) {
    const { request, ways, done, accepted } = options;
    this.#unsent = { request, ...(ways === undefined ? {} : { ways }) };
    this.#following = { done, ...(accepted === undefined ? {} : { accepted }) };
    this.#ownUse = options.ownUse;
    this.#context = options.context;
    this.#owner = options.application;
    this.#flow = options.flow;
    this.#dialog = options.dialog;
    this.#isInitial = options.dialog === undefined;
    this.#offerPending = options.request.body.length > 0;
    this.dialogId = options.dialog?.id ?? dialogIdOf(options.request);
    if (options.dialog !== undefined) options.dialog.lastInvite = this;
  }

  /** Is there no final response yet? */
  get pending(): boolean {
    return !this.#finished;
  }

  get offerPending(): boolean {
    return this.#offerPending && !this.#finished;
  }

  /** Sends the INVITE; returns its bytes. */
  start(): Buffer {
    const attempts = new RequestAttempts({
      context: this.#context,
      user: this,
      ways: this.#unsent?.ways ?? {},
      wanted: () => this.#cancel === 'none' && !this.#finished,
      begun: (transaction) => {
        this.#transaction = transaction;
        this.#flow = transaction.flow;
      },
    });
    this.#transaction = attempts.start(this.#request, this.#flow);
    this.#unsent = undefined;
    return this.#transaction.bytes;
  }

  /** The INVITE of the attempt that counts. */
  get #request(): SipRequest {
    const request = this.#transaction?.request ?? this.#unsent?.request;
    if (request === undefined) throw new Error('INVITE without a request');
    return request;
  }

  receiveResponse(response: SipResponse, flow: Flow, bytes: number): void {
    if (response.status < 200) this.#receiveProvisional(response, flow, bytes);
    else if (response.status < 300) this.#receiveSuccess(response, flow, bytes);
    else {
      const wanted = !this.#finished;
      this.#finish();
      if (wanted) this.#passUp(response, flow, bytes);
    }
  }

  receiveTimeout(error: Error): void {
    if (this.#cancel === 'none') this.#finishMadeUp(408, 'Request Timeout', error.message);
    else this.#finishMadeUp(487, 'Request Terminated');
  }

  receiveTransportError(error: Error): void {
    this.#finishMadeUp(503, 'Service Unavailable', error.message);
  }

  /** The application cancels; `given` are the headers of its CANCEL (RFC 3261 §9.1). */
  sendCancel(msgId: string, given: SipHeaders): void {
    if (this.#cancel !== 'none') {
      this.#owner.sendNok(msgId, `internal server error canceling transaction id: ${this.id}`);
      return;
    }
    const held = this.#transaction?.state === 'calling';
    const request = this.#startCancel(given);
    const bytes = serialiseSipMessage(request);
    const source = sentOn(this.#flow, held ? 0 : bytes.length);
    const tokens = requestEchoTokens(msgId, source, this.#context.clock.now(), newTransactionId());
    this.#owner.sendFrame(tokens, bytes);
  }

  sendAck(msgId: string, given: SipHeaders, body: Buffer): void {
    const dialog = this.#dialog;
    const fork = dialog === undefined ? undefined : this.#fork(dialog.remoteTag);
    if (dialog === undefined || fork?.answered !== true || this.#ownUse !== undefined) {
      this.#owner.sendNok(msgId, OWN_ACK);
      return;
    }
    this.#acknowledge(
      fork,
      dialog,
      given,
      body,
      (ack, bytes) => {
        const source = sentOn(ack.flow, bytes.length);
        const tokens = requestEchoTokens(msgId, source, this.#context.clock.now(), newTransactionId());
        this.#owner.sendFrame(tokens, bytes);
        if (this.#isInitial && this.#cancel !== 'none' && dialog.state === 'confirmed') {
          const reasons = this.#cancelReasons;
          sendOwnBye(this.#context, dialog, { reasons: reasons.length > 0 ? reasons : [CANCEL_RACE] });
        }
      },
      (text) => this.#owner.sendNok(msgId, text),
    );
  }

  drop(): void {
    this.#muted = true;
    if (!this.#finished && this.#cancel === 'none') this.#startCancel(new SipHeaders());
  }

  /** Does that fork wait for the PRACK of response `rseq` (RFC 3262 §4)? */
  isAt(dialog: Dialog, rseq: number): boolean {
    return this.#fork(dialog.remoteTag)?.rseq === rseq;
  }

  forget(dialog: Dialog): void {
    const fork = this.#fork(dialog.remoteTag);
    if (!this.#isInitial || fork?.ack === undefined) return;
    fork.dialog = undefined;
    if (this.#dialog !== dialog) return;
    this.#dialog = undefined;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  /** Stops its timers. */
  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #receiveProvisional(response: SipResponse, flow: Flow, bytes: number): void {
    if (this.#finished) return;
    if (this.#cancel === 'held') this.#releaseCancel();
    else if (this.#cancel === 'none') this.#armTimerC();
    if (response.status === 100) return;
    const fork = this.#forkOf(response, flow);
    if (fork === 'too many' || !isNext(fork, response)) return;
    if (response.body.length > 0) this.#offerPending = false;
    this.#passUp(response, flow, bytes);
  }

  /** The early dialog of a provisional response; none without a To tag (RFC 3261 §12.1). */
  #forkOf(response: SipResponse, flow: Flow): Fork | 'too many' | undefined {
    const toTag = tagOf(response, 'to');
    const known = this.#fork(toTag);
    if (known !== undefined || toTag === '') return known;
    const { dialogs } = this.#context;
    let dialog = this.#isInitial ? undefined : this.#dialog;
    if (dialog === undefined) {
      if (this.#forks.length >= SIP_LIMITS.maxForks || dialogs.full) return 'too many';
      dialog = Dialog.ofCaller(this.#request, response, flow, this.#owner);
      dialog.lastInvite = this;
      if (!this.#muted) dialogs.add(dialog);
    }
    return this.#noteFork(toTag, dialog, false);
  }

  #fork(tag: string): Fork | undefined {
    return this.#forks.find((fork) => fork.tag === tag);
  }

  #noteFork(tag: string, dialog: Dialog, answered: boolean): Fork {
    const fork: Fork = { tag: keptText(tag), dialog, rseq: undefined, answered, ack: undefined };
    const index = this.#forks.findIndex((other) => other.tag === tag);
    if (index < 0) this.#forks.push(fork);
    else this.#forks[index] = fork;
    return fork;
  }

  #receiveSuccess(response: SipResponse, flow: Flow, bytes: number): void {
    const toTag = tagOf(response, 'to');
    const known = this.#fork(toTag);
    if (known?.answered === true) {
      if (known.ack !== undefined) repeatAck(this.#context, known.ack);
      return;
    }
    if (this.#finished || this.#muted || known?.dialog?.state === 'ended') {
      this.#receiveUnwanted(response, flow, toTag);
      return;
    }
    const dialog = this.#confirm(response, flow, known?.dialog);
    const fork = this.#noteFork(toTag, dialog, true);
    const accepted = this.#following?.accepted;
    this.#finish(dialog);
    accepted?.(dialog, response);
    if (this.#ownUse === undefined) this.#passUp(response, flow, bytes);
    else {
      const done = this.#ownUse;
      this.#acknowledge(fork, dialog, new SipHeaders(), Buffer.alloc(0), () => done(response), ignore);
    }
  }

  /** The dialog of the fork that has won. */
  #confirm(response: SipResponse, flow: Flow, early: Dialog | undefined): Dialog {
    const { dialogs } = this.#context;
    let dialog = this.#dialog;
    if (dialog !== undefined) dialog.refreshTarget(response, flow);
    else if (early !== undefined) {
      dialog = early;
      dialog.settleRoute(response, flow);
      dialogs.confirm(dialog);
    } else {
      dialog = Dialog.ofCaller(this.#request, response, flow, this.#owner);
      dialogs.add(dialog);
    }
    dialog.noteAllow(response);
    dialog.lastInvite = this;
    this.#dialog = dialog;
    return dialog;
  }

  /** A further fork, or nobody is there any more: acknowledge and hang up (RFC 3261 §13.2.2.4). */
  #receiveUnwanted(response: SipResponse, flow: Flow, toTag: string): void {
    const early = this.#fork(toTag);
    if (early === undefined && this.#forks.length >= SIP_LIMITS.maxForks) return;
    const ended = this.#isInitial ? undefined : this.#dialog;
    const dialog = ended ?? Dialog.ofCaller(this.#request, response, flow, this.#owner);
    // What was sent in the early dialog has used up its numbers.
    dialog.localSeq = Math.max(dialog.localSeq, early?.dialog?.localSeq ?? 0);
    const fork = this.#noteFork(toTag, dialog, true);
    const reasons = this.#dialog === undefined ? this.#cancelReasons : [ANSWERED_ELSEWHERE];
    this.#finish();
    const hangUp = (): void => {
      if (ended === undefined) sendOwnBye(this.#context, dialog, { reasons, isKnown: false });
    };
    this.#acknowledge(fork, dialog, reasonHeaders(reasons), Buffer.alloc(0), hangUp, ignore);
  }

  /** Sends the ACK of a 2xx and keeps it for repeats (RFC 3261 §13.2.2.4). */
  #acknowledge(
    fork: Fork,
    dialog: Dialog,
    given: SipHeaders,
    body: Buffer,
    sent: (ack: SentAck, bytes: Buffer) => void,
    failed: (text: string) => void,
  ): void {
    const keep = (ack: SentAck, bytes: Buffer): void => {
      fork.ack = ack;
      sent(ack, bytes);
    };
    const cseq = cseqOf(this.#request).number;
    sendAckOf(this.#context, dialog, { cseq, given, body }, keep, failed);
  }

  /** What our CANCEL says: the BYE that has to take its place says the same (RFC 3326 §2). */
  get #cancelReasons(): readonly string[] {
    return this.#cancelRequest?.headers.getAll('reason') ?? [];
  }

  #startCancel(given: SipHeaders): SipRequest {
    const request = buildCancel(this.#request, given);
    this.#cancelRequest = request;
    this.#cancel = 'held';
    // RFC 3261 §9.1: without a provisional response the CANCEL has to wait.
    if (this.#transaction?.state === 'proceeding') this.#releaseCancel();
    return request;
  }

  #releaseCancel(): void {
    const { transactions, transport, clock } = this.#context;
    if (this.#cancelRequest === undefined) return;
    this.#cancel = 'sent';
    transactions.startClient(this.#cancelRequest, this.#flow, transport, SILENT_USER);
    this.#timer?.[Symbol.dispose]();
    // RFC 3261 §9.1: no final response within 64*T1: the INVITE counts as cancelled.
    this.#timer = clock.startTimer(SIP_LIMITS.transactionTimeoutMs, () => {
      this.#finishMadeUp(487, 'Request Terminated');
      // A late 2xx is still acknowledged and hung up for a while.
      const transaction = this.#transaction;
      this.#timer = clock.startTimer(SIP_LIMITS.transactionTimeoutMs, () => transaction?.[Symbol.dispose]());
    });
  }

  #armTimerC(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#context.clock.startTimer(SIP_LIMITS.timerCMs, () => {
      if (!this.#finished && this.#cancel === 'none') this.#startCancel(new SipHeaders());
    });
  }

  /** There is a final response: early dialogs but that of the `winner` are over (RFC 3261 §12.3, §13.2.2.4). */
  #finish(winner?: Dialog): void {
    this.#timer?.[Symbol.dispose]();
    if (this.#finished) return;
    this.#finished = true;
    for (const { dialog } of this.#forks) {
      if (this.#isInitial && dialog !== winner && dialog?.state === 'early') {
        this.#context.dialogs.remove(dialog);
      }
    }
    // Later no 2xx can come again: the dialog need not hold what its INVITE was.
    if (winner !== undefined) {
      this.#timer = this.#context.clock.startTimer(SIP_LIMITS.transactionTimeoutMs, () => {
        if (winner.lastInvite === this) winner.lastInvite = undefined;
      });
    }
    this.#following?.done(this.id);
    this.#following = undefined;
  }

  #finishMadeUp(status: number, reason: string, sentence?: string): void {
    if (this.#finished) return;
    this.#finish();
    const response = buildMadeUpResponse(this.#request, this.#flow, status, reason, sentence);
    if (this.#ownUse !== undefined) this.#ownUse(response);
    else if (!this.#muted) {
      const ids = { transactionId: this.id, dialogId: this.dialogId };
      const tokens = sipTokens(madeUp(this.#flow.transport), this.#context.clock.now(), ids);
      this.#owner.sendFrame(tokens, serialiseSipMessage(response));
    }
  }

  #passUp(response: SipResponse, flow: Flow, bytes: number): void {
    if (this.#ownUse !== undefined) {
      if (response.status >= 200) this.#ownUse(response);
      return;
    }
    if (this.#muted) return;
    const ids = { transactionId: this.id, dialogId: this.dialogId };
    const tokens = sipTokens(fromNetwork(flow, bytes), this.#context.clock.now(), ids);
    this.#owner.sendFrame(tokens, serialiseSipMessage(response));
  }
}

function ignore(): void {
  // Nobody waits for it.
}

/** Not a reliable response that came again or before its turn (RFC 3262 §4). */
function isNext(fork: Fork | undefined, response: SipResponse): boolean {
  const text = response.headers.get('rseq');
  const reliable = response.headers.list('require').some((tag) => tag.toLowerCase() === '100rel');
  if (!reliable || text === undefined) return true;
  if (fork === undefined || !/^\d{1,10}$/.test(text)) return false;
  const rseq = Number(text);
  if (fork.rseq !== undefined && rseq !== fork.rseq + 1) return false;
  fork.rseq = rseq;
  return true;
}
