/**
 * Owns: client transactions: INVITE (RFC 3261 §17.1.1 with RFC 6026) and all others (§17.1.2).
 * Called by: outbound cores (start), transaction-table.ts (receiveResponse). Calls: transport.ts and its user.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import {
  cseqOf,
  keptBytes,
  parseSipMessage,
  serialiseSipMessage,
  SipHeaders,
  type SipRequest,
  type SipResponse,
} from '../message.ts';
import type { SetMember, TransactionSet } from './transaction-set.ts';
import type { Flow, SipTransport } from './transport.ts';
import { placeOf, socketSentence, Unreachable } from './unreachable.ts';

/** Who sent the request. Nothing is called from within `start`. */
export interface ClientTransactionUser {
  /** A provisional or final response; for INVITE each 2xx, repeats included (RFC 6026 §8.4). */
  receiveResponse(response: SipResponse, flow: Flow, bytes: number): void;
  /** No answer in time: timer B or F. */
  receiveTimeout(error: Error): void;
  /** The request could not be sent, or its connection broke before any response. */
  receiveTransportError(error: Error): void;
}

export type ClientState = 'calling' | 'trying' | 'proceeding' | 'accepted' | 'completed' | 'terminated';

const INVITE_TRANSITIONS: Readonly<Record<ClientState, readonly ClientState[]>> = {
  calling: ['proceeding', 'accepted', 'completed', 'terminated'],
  trying: [],
  proceeding: ['accepted', 'completed', 'terminated'],
  accepted: ['terminated'],
  completed: ['terminated'],
  terminated: [],
};

const OTHER_TRANSITIONS: Readonly<Record<ClientState, readonly ClientState[]>> = {
  calling: [],
  trying: ['proceeding', 'completed', 'terminated'],
  proceeding: ['completed', 'terminated'],
  accepted: [],
  completed: ['terminated'],
  terminated: [],
};

export interface ClientTransactionOptions {
  /** With its top Via complete. */
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly transport: SipTransport;
  readonly clock: Clock;
  readonly user: ClientTransactionUser;
  /** Among which transactions it stands, and where. */
  readonly among: TransactionSet<ClientTransaction>;
  readonly key: string;
}

/** What was serialised here. */
function asRequest(bytes: Buffer): SipRequest {
  const message = parseSipMessage(bytes);
  if (message.kind !== 'request') throw new Error('client transaction: not a request');
  return message;
}

/** One request on its way. */
export class ClientTransaction implements SetMember {
  readonly flow: Flow;
  readonly key: string;
  overAtMs = 0;
  readonly #isInvite: boolean;
  readonly #reliable: boolean;
  readonly #transport: SipTransport;
  readonly #clock: Clock;
  readonly #among: TransactionSet<ClientTransaction>;
  /** None any more when nothing can come for it. */
  #user: ClientTransactionUser | undefined;
  /** The request and its bytes as long as it may be sent again. */
  #sending: { readonly request: SipRequest; readonly bytes: Buffer } | undefined;
  /** Its bytes afterwards, one character each: many wait out their time, and hardly one is looked at again. */
  #kept = '';
  #state: ClientState;
  #intervalMs: number = SIP_LIMITS.t1Ms;
  /** Timers A and E. */
  #resendTimer: Timer | undefined;
  /** Timers B, F. */
  #endTimer: Timer | undefined;
  /** The ACK of a 300-699, byte by byte. */
  #ack: string | undefined;
  #ignoreClose: (() => void) | undefined;

  constructor({ request, flow, transport, clock, user, among, key }: ClientTransactionOptions) {
    this.#transport = transport;
    this.#clock = clock;
    this.#among = among;
    this.key = key;
    this.#user = user;
    this.flow = flow;
    this.#sending = { request, bytes: keptBytes(serialiseSipMessage(request)) };
    this.#isInvite = request.method === 'INVITE';
    this.#reliable = flow.transport !== 'udp';
    this.#state = this.#isInvite ? 'calling' : 'trying';
  }

  get state(): ClientState {
    return this.#state;
  }

  get request(): SipRequest {
    return this.#sending?.request ?? asRequest(this.bytes);
  }

  get bytes(): Buffer {
    return this.#sending?.bytes ?? Buffer.from(this.#kept, 'latin1');
  }

  /** Sends the request for the first time. */
  start(): void {
    this.#ignoreClose = this.flow.connection?.onClose(() =>
      this.receiveFlowLost(this.flow.connection?.closeReason ?? 'connection lost'),
    );
    this.#send();
    if (!this.#reliable) this.#armResend();
    this.#endTimer = this.#clock.startTimer(SIP_LIMITS.transactionTimeoutMs, () => {
      this.#become('terminated');
      const { remoteAddress, remotePort } = this.flow;
      const waitedS = SIP_LIMITS.transactionTimeoutMs / 1_000;
      const place = placeOf(remoteAddress, remotePort);
      this.#user?.receiveTimeout(
        new Unreachable('connection', `${place} did not answer within ${waitedS} seconds`),
      );
    });
  }

  /** A response with our branch and method. */
  receiveResponse(response: SipResponse, flow: Flow, bytes: number): void {
    if (this.#isInvite) this.#receiveInviteResponse(response, flow, bytes);
    else this.#receiveOtherResponse(response, flow, bytes);
  }

  /** From now on `user` hears what comes, instead of who heard it until now. */
  handTo(user: ClientTransactionUser): void {
    if (this.#user !== undefined) this.#user = user;
  }

  /** Ends the transaction without a word to its user. */
  [Symbol.dispose](): void {
    if (this.#state !== 'terminated') this.#become('terminated');
  }

  #receiveInviteResponse(response: SipResponse, flow: Flow, bytes: number): void {
    const user = this.#user;
    const waiting = this.#state === 'calling' || this.#state === 'proceeding';
    if (response.status < 200) {
      if (!waiting) return;
      if (this.#state === 'calling') {
        this.#become('proceeding');
        this.#disarm();
      }
      user?.receiveResponse(response, flow, bytes);
    } else if (response.status < 300) {
      // RFC 6026 §7.2: a 2xx leads to Accepted, where each further 2xx is passed up until timer M.
      if (waiting) {
        this.#become('accepted');
        this.#waitOut(SIP_LIMITS.transactionTimeoutMs);
      }
      if (this.#state === 'accepted') user?.receiveResponse(response, flow, bytes);
    } else if (waiting) {
      const ack = serialiseSipMessage(this.#buildAck(response));
      this.#become('completed');
      this.#ack = ack.toString('latin1');
      this.#transport.send(this.flow, ack);
      this.#waitOut(this.#reliable ? 0 : SIP_LIMITS.timerDMs);
      user?.receiveResponse(response, flow, bytes);
    } else if (this.#state === 'completed' && this.#ack !== undefined) {
      this.#transport.send(this.flow, Buffer.from(this.#ack, 'latin1'));
    }
  }

  #receiveOtherResponse(response: SipResponse, flow: Flow, bytes: number): void {
    if (this.#state !== 'trying' && this.#state !== 'proceeding') return;
    const user = this.#user;
    if (response.status < 200) {
      if (this.#state === 'trying') this.#become('proceeding');
      // RFC 3261 §17.1.2.2: in Proceeding timer E is reset with T2.
      this.#intervalMs = SIP_LIMITS.t2Ms;
    } else {
      this.#become('completed');
      this.#waitOut(this.#reliable ? 0 : SIP_LIMITS.t4Ms);
      this.#user = undefined;
    }
    user?.receiveResponse(response, flow, bytes);
  }

  /** The flow is gone. Whoever has answered may do so on another one; else nothing more will come. */
  receiveFlowLost(reason: string): void {
    if (this.#state !== 'calling' && this.#state !== 'trying') return;
    this.#become('terminated');
    this.#user?.receiveTransportError(new Unreachable('connection', reason));
  }

  #send(): void {
    this.#transport.send(this.flow, this.bytes, (error) => {
      if (this.#state !== 'calling' && this.#state !== 'trying') return;
      this.#become('terminated');
      const place = placeOf(this.flow.remoteAddress, this.flow.remotePort);
      this.#user?.receiveTransportError(new Unreachable('connection', socketSentence(error, place)));
    });
  }

  #armResend(): void {
    this.#resendTimer = this.#clock.startTimer(this.#intervalMs, () => {
      if (this.#state === 'proceeding' && this.#isInvite) return;
      this.#send();
      this.#intervalMs = this.#isInvite
        ? this.#intervalMs * 2
        : Math.min(this.#intervalMs * 2, SIP_LIMITS.t2Ms);
      if (this.#state === 'calling' || this.#state === 'trying' || this.#state === 'proceeding')
        this.#armResend();
    });
  }

  /** Timers D, K, M. */
  #waitOut(forMs: number): void {
    if (forMs === 0) this.#become('terminated');
    else this.#among.finish(this, forMs);
  }

  #disarm(): void {
    this.#resendTimer?.[Symbol.dispose]();
    this.#endTimer?.[Symbol.dispose]();
    this.#resendTimer = this.#endTimer = undefined;
  }

  #become(state: ClientState): void {
    const table = this.#isInvite ? INVITE_TRANSITIONS : OTHER_TRANSITIONS;
    if (!table[this.#state].includes(state))
      throw new Error(`client transaction: ${this.#state} to ${state}`);
    this.#state = state;
    if (state === 'accepted' || state === 'completed') {
      this.#disarm();
      this.#kept = this.bytes.toString('latin1');
      this.#sending = undefined;
    }
    if (state !== 'terminated') return;
    this.#disarm();
    this.#ignoreClose?.();
    this.#among.remove(this);
  }

  /** The ACK for a 300-699 (RFC 3261 §17.1.1.3): same branch, To of the response, Route of the request. */
  #buildAck(response: SipResponse): SipRequest {
    const { request } = this;
    const { headers } = request;
    const ack = new SipHeaders([['Via', headers.getAll('via')[0] ?? '']]);
    for (const route of headers.getAll('route')) ack.append('Route', route);
    ack.append('Max-Forwards', '70');
    ack.append('From', headers.get('from') ?? '');
    ack.append('To', response.headers.get('to') ?? headers.get('to') ?? '');
    ack.append('Call-ID', headers.get('call-id') ?? '');
    ack.append('CSeq', `${cseqOf(request).number} ACK`);
    return { kind: 'request', method: 'ACK', uri: request.uri, headers: ack, body: Buffer.alloc(0) };
  }
}
