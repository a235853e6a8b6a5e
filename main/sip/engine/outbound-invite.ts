/**
 * Owns: one INVITE that the application sent: forks, CANCEL, ACK and its repeats, timer C (RFC 3261 §9.1, §13.2, §16.6).
 * Called by: outbound-requests.ts, its client transaction. Calls: dialog-table.ts, transport.ts, the application.
 */
import type { Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import {
  cseqOf,
  headerKey,
  serialiseSipMessage,
  SipHeaders,
  type SipRequest,
  type SipResponse,
} from '../message.ts';
import type { Application } from './application.ts';
import type { ClientTransaction, ClientTransactionUser } from './client-transaction.ts';
import type { EngineContext } from './context.ts';
import { fromNetwork, madeUp, requestEchoTokens, sentOn, sipTokens } from './control-frame.ts';
import { Dialog, dialogIdOf, type AckSender } from './dialog.ts';
import { flowOfRoute, sendOwnBye, SILENT_USER } from './dialog-requests.ts';
import { newTransactionId } from './ids.ts';
import { buildMadeUpResponse, buildRequest, prettyName } from './message-builder.ts';
import { RequestAttempts, type OtherWays } from './request-attempts.ts';
import { whenReady } from './soon.ts';
import { tagOf } from './transaction-table.ts';
import type { Flow } from './transport.ts';

interface SentAck {
  readonly bytes: Buffer;
  readonly flow: Flow;
}

/** What the 2xx of one fork led to. */
interface Answer {
  readonly dialog: Dialog;
  ack: SentAck | undefined;
}

const NOT_IN_CANCEL = new Set([
  'via',
  'route',
  'record-route',
  'max-forwards',
  'from',
  'to',
  'call-id',
  'cseq',
  'contact',
  'p-asserted-identity',
  'require',
  'proxy-require',
  'content-type',
  'content-length',
]);

/** An INVITE on its way, outside or inside a dialog. */
export class OutboundInvite implements ClientTransactionUser, AckSender, Disposable {
  readonly id = newTransactionId();
  readonly dialogId: string;
  readonly #context: EngineContext;
  /** Those of the attempt that counts: a target that fails is followed by another one. */
  #request: SipRequest;
  #flow: Flow;
  readonly #ways: OtherWays;
  /** For a re-INVITE the dialog, else the first fork that answered 2xx. */
  #dialog: Dialog | undefined;
  readonly #isInitial: boolean;
  readonly #done: (id: string) => void;
  /** By To tag. */
  readonly #answers = new Map<string, Answer>();
  readonly #owner: Application;
  /** The application wants to hear nothing more of it. */
  #muted = false;
  #transaction: ClientTransaction | undefined;
  #cancel: 'none' | 'held' | 'sent' = 'none';
  #cancelRequest: SipRequest | undefined;
  #finished = false;
  #timer: Timer | undefined;

  constructor(options: {
    readonly context: EngineContext;
    readonly application: Application;
    readonly request: SipRequest;
    readonly flow: Flow;
    readonly ways?: OtherWays;
    readonly dialog?: Dialog;
    /** The INVITE has its final response and takes no CANCEL any more. */
    readonly done: (id: string) => void;
  }) {
    this.#context = options.context;
    this.#owner = options.application;
    this.#request = options.request;
    this.#flow = options.flow;
    this.#ways = options.ways ?? {};
    this.#dialog = options.dialog;
    this.#isInitial = options.dialog === undefined;
    this.#done = options.done;
    this.dialogId = options.dialog?.id ?? dialogIdOf(options.request);
    if (options.dialog !== undefined) options.dialog.lastInvite = this;
  }

  /** Is there no final response yet? */
  get pending(): boolean {
    return !this.#finished;
  }

  /** Sends the INVITE; returns its bytes. */
  start(): Buffer {
    const attempts = new RequestAttempts({
      context: this.#context,
      user: this,
      ways: this.#ways,
      wanted: () => this.#cancel === 'none' && !this.#finished,
      begun: (transaction) => {
        this.#transaction = transaction;
        this.#request = transaction.request;
        this.#flow = transaction.flow;
      },
    });
    this.#transaction = attempts.start(this.#request, this.#flow);
    return this.#transaction.bytes;
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
    const answer = dialog === undefined ? undefined : this.#answers.get(dialog.remoteTag);
    if (dialog === undefined || answer === undefined) {
      this.#owner.sendNok(
        msgId,
        'Server error: ACK for non-success final response is automatically generated by server',
      );
      return;
    }
    this.#acknowledge(
      answer,
      given,
      body,
      (ack) => {
        const tokens = requestEchoTokens(
          msgId,
          sentOn(ack.flow, ack.bytes.length),
          this.#context.clock.now(),
          newTransactionId(),
        );
        this.#owner.sendFrame(tokens, ack.bytes);
        if (this.#isInitial && this.#cancel !== 'none' && dialog.state === 'confirmed') {
          sendOwnBye(this.#context, dialog, 'ACK-BYE due to cancel race condition');
        }
      },
      (text) => this.#owner.sendNok(msgId, text),
    );
  }

  drop(): void {
    this.#muted = true;
    if (!this.#finished && this.#cancel === 'none') this.#startCancel(new SipHeaders());
  }

  /** Stops its timers. */
  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #receiveProvisional(response: SipResponse, flow: Flow, bytes: number): void {
    if (this.#finished) return;
    if (response.status > 100) this.#passUp(response, flow, bytes);
    if (this.#cancel === 'held') this.#releaseCancel();
    else if (this.#cancel === 'none') this.#armTimerC();
  }

  #receiveSuccess(response: SipResponse, flow: Flow, bytes: number): void {
    const toTag = tagOf(response, 'to');
    const known = this.#answers.get(toTag);
    if (known !== undefined) {
      if (known.ack !== undefined) this.#context.transport.send(known.ack.flow, known.ack.bytes);
      return;
    }
    if (this.#finished || this.#muted) {
      this.#receiveUnwanted(response, flow, toTag);
      return;
    }
    let dialog = this.#dialog;
    if (dialog === undefined) {
      dialog = Dialog.ofCaller(this.#request, response, flow, this.#owner);
      dialog.lastInvite = this;
      this.#dialog = dialog;
      this.#context.dialogs.add(dialog);
    } else dialog.refreshTarget(response, flow);
    this.#answers.set(toTag, { dialog, ack: undefined });
    this.#finish();
    this.#passUp(response, flow, bytes);
  }

  /** A further fork, or nobody is there any more: acknowledge and hang up (RFC 3261 §13.2.2.4). */
  #receiveUnwanted(response: SipResponse, flow: Flow, toTag: string): void {
    const ended = this.#isInitial ? undefined : this.#dialog;
    const dialog = ended ?? Dialog.ofCaller(this.#request, response, flow, this.#owner);
    const answer: Answer = { dialog, ack: undefined };
    this.#answers.set(toTag, answer);
    this.#finish();
    const hangUp = (): void => {
      if (ended === undefined) sendOwnBye(this.#context, dialog);
    };
    this.#acknowledge(answer, new SipHeaders(), Buffer.alloc(0), hangUp, () => undefined);
  }

  /** Sends the ACK of a 2xx and keeps it for repeats (RFC 3261 §13.2.2.4): own branch, CSeq number of the INVITE. */
  #acknowledge(
    answer: Answer,
    given: SipHeaders,
    body: Buffer,
    sent: (ack: SentAck) => void,
    failed: (text: string) => void,
  ): void {
    const { dialog } = answer;
    const route = dialog.route();
    const send = (flow: Flow): void => {
      const request = buildRequest({
        method: 'ACK',
        uri: route.requestUri,
        flow,
        routes: route.routes,
        from: dialog.local,
        to: dialog.remote,
        callId: dialog.callId,
        cseq: cseqOf(this.#request).number,
        userAgent: this.#context.userAgent,
        given,
        body,
      });
      answer.ack = { bytes: serialiseSipMessage(request), flow };
      this.#context.transport.send(flow, answer.ack.bytes);
      sent(answer.ack);
    };
    whenReady(
      flowOfRoute(this.#context, dialog, route),
      (flow) => {
        try {
          send(flow);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          failed(error.message);
        }
      },
      (error) => failed(error instanceof Error ? error.message : 'no way to the peer'),
    );
  }

  #startCancel(given: SipHeaders): SipRequest {
    const { headers } = this.#request;
    const cancel = new SipHeaders([['Via', headers.getAll('via')[0] ?? '']]);
    for (const route of headers.getAll('route')) cancel.append('Route', route);
    cancel.append('Max-Forwards', '70');
    for (const name of ['From', 'To', 'Call-ID']) cancel.append(name, headers.get(name) ?? '');
    cancel.append('CSeq', `${cseqOf(this.#request).number} CANCEL`);
    for (const { name, value } of given) {
      if (!NOT_IN_CANCEL.has(headerKey(name))) cancel.append(prettyName(name), value);
    }
    const { uri } = this.#request;
    const request: SipRequest = {
      kind: 'request',
      method: 'CANCEL',
      uri,
      headers: cancel,
      body: Buffer.alloc(0),
    };
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

  #finish(): void {
    this.#timer?.[Symbol.dispose]();
    if (this.#finished) return;
    this.#finished = true;
    this.#done(this.id);
  }

  #finishMadeUp(status: number, reason: string, sentence?: string): void {
    if (this.#finished) return;
    this.#finish();
    if (this.#muted) return;
    const { clock } = this.#context;
    const response = buildMadeUpResponse(this.#request, this.#flow, status, reason, sentence);
    const ids = { transactionId: this.id, dialogId: this.dialogId };
    const source = madeUp(this.#flow.transport);
    this.#owner.sendFrame(sipTokens(source, clock.now(), ids), serialiseSipMessage(response));
  }

  #passUp(response: SipResponse, flow: Flow, bytes: number): void {
    if (this.#muted) return;
    const ids = { transactionId: this.id, dialogId: this.dialogId };
    const tokens = sipTokens(fromNetwork(flow, bytes), this.#context.clock.now(), ids);
    this.#owner.sendFrame(tokens, serialiseSipMessage(response));
  }
}
