/**
 * Owns: the flows over which we have registered: kept alive, watched, and reported when they are lost
 * (RFC 5626 §4.4, §4.4.1, §4.4.2). Called by: outbound-requests.ts (a REGISTER was answered), engine.ts.
 * Calls: transport.ts, stun.ts, transaction-table.ts and whoever listens.
 */
import { randomBytes } from 'node:crypto';
import { monotonicMs, type Clock, type Timer } from '../../base/clock.ts';
import { SIP_NETWORK_LIMITS } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { parseNameAddrList } from '../headers.ts';
import type { SipRequest, SipResponse } from '../message.ts';
import { buildStunRequest, type StunMessage } from './stun.ts';
import type { TransactionTable } from './transaction-table.ts';
import type { Flow, SipTransport, TransportName } from './transport.ts';
import { placeOf } from './unreachable.ts';

/** A flow that we had registered over and that is gone. `reason` is one plain sentence. */
export interface LostFlow {
  readonly transport: TransportName;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly reason: string;
}

const CRLF_CRLF = Buffer.from('\r\n\r\n');
const STUN_ID_BYTES = 12;
const DEFAULT_EXPIRES_S = 3_600;

interface KeptFlow {
  readonly flow: Flow;
  /** Until when an account is registered over it, by address of record. */
  readonly accounts: Map<string, number>;
  /** The next keep-alive. */
  timer: Timer | undefined;
  /** The answer to the last one is due. */
  answerTimer: Timer | undefined;
  repeatTimer: Timer | undefined;
  /** Bytes that had come when the last keep-alive was sent. */
  receivedBefore: number;
  stunId: string | undefined;
  /** STUN requests that nothing answered, since the last answer. */
  unanswered: number;
  /** Where the peer sees us. */
  mapped: string | undefined;
  ignoreClose: (() => void) | undefined;
}

/** The lifetime that the registrar granted to our contacts, in milliseconds; 0 when none is left (RFC 3261 §10.2.4). */
function grantedMs(request: SipRequest, response: SipResponse): number {
  const asked = request.headers.getAll('contact').join(', ').trim();
  if (asked === '*') return 0;
  const [own] = asked === '' ? [] : parseNameAddrList(asked);
  const isRemoval = own?.params.get('expires') === '0' || request.headers.get('expires')?.trim() === '0';
  if (isRemoval) return 0;
  const contacts = response.headers.getAll('contact').join(', ');
  const granted = contacts === '' ? [] : parseNameAddrList(contacts);
  const seconds = granted.map(({ params }) => params.get('expires')).concat(response.headers.get('expires'));
  const known = seconds.map(Number).filter((value) => Number.isSafeInteger(value) && value > 0);
  return (known.length === 0 ? DEFAULT_EXPIRES_S : Math.max(...known)) * 1_000;
}

function keyOf(flow: Flow): string {
  return `${flow.remoteAddress} ${flow.remotePort}`;
}

/** All flows that carry registrations of ours. */
export class KeepAlives implements Disposable {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #random: () => number;
  readonly #transport: SipTransport;
  readonly #transactions: TransactionTable;
  readonly #streams = new Map<NonNullable<Flow['connection']>, KeptFlow>();
  readonly #udp = new Map<string, KeptFlow>();
  readonly #listeners = new Set<(flow: LostFlow) => void>();
  #ended = false;

  constructor(options: {
    readonly clock: Clock;
    readonly log: Log;
    readonly random: () => number;
    readonly transport: SipTransport;
    readonly transactions: TransactionTable;
  }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#random = options.random;
    this.#transport = options.transport;
    this.#transactions = options.transactions;
  }

  /** Tells of each registered flow that is lost; returns the unsubscribe. */
  onFlowLost(listener: (flow: LostFlow) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Flows that are kept: for tests and the status view. */
  get size(): number {
    return this.#streams.size + this.#udp.size;
  }

  /** Our REGISTER was accepted on that flow. */
  receiveRegistered(request: SipRequest, response: SipResponse, flow: Flow): void {
    if (this.#ended) return;
    const account = request.headers.get('to') ?? '';
    const forMs = grantedMs(request, response);
    const known =
      flow.connection === undefined ? this.#udp.get(keyOf(flow)) : this.#streams.get(flow.connection);
    if (forMs === 0) {
      known?.accounts.delete(account);
      if (known?.accounts.size === 0) this.#release(known);
      return;
    }
    const kept = known ?? this.#keep(flow);
    if (kept === undefined) return;
    if (kept.accounts.size < SIP_NETWORK_LIMITS.maxAccountsPerFlow || kept.accounts.has(account)) {
      kept.accounts.set(account, monotonicMs(this.#clock) + forMs);
    }
  }

  /** Something on UDP from there answered our STUN request. */
  receiveStun(answer: StunMessage, remoteAddress: string, remotePort: number): void {
    const kept = this.#udp.get(`${remoteAddress} ${remotePort}`);
    if (kept === undefined || answer.id !== kept.stunId) return;
    this.#settle(kept);
    kept.unanswered = 0;
    const { mapped } = kept;
    kept.mapped = answer.mapped ?? mapped ?? '';
    if (mapped !== undefined && mapped !== '' && answer.mapped !== undefined && answer.mapped !== mapped) {
      // RFC 5626 §4.4.2: the NAT has given us another address, the registered one leads nowhere.
      this.#lose(kept, `the address under which ${placeOf(remoteAddress, remotePort)} sees us has changed`);
      return;
    }
    this.#schedule(kept);
  }

  /**
   * There is reason to think that ways are dead (another network, a long sleep): asks all peers at once. A stream on
   * which nothing comes within a moment is cut, so that what waits on it goes over a new one.
   */
  probe(): void {
    for (const [connection, kept] of [...this.#streams]) {
      this.#settle(kept);
      kept.receivedBefore = connection.received;
      connection.sendKeepAlive();
      kept.answerTimer = this.#clock.startTimer(SIP_NETWORK_LIMITS.probeAnswerMs, () => {
        if (connection.received > kept.receivedBefore) this.#schedule(kept);
        else connection.cut(`${connection.place} does not answer since the network has changed`);
      });
    }
    for (const kept of [...this.#udp.values()]) {
      this.#settle(kept);
      this.#ping(kept);
    }
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    for (const kept of [...this.#streams.values(), ...this.#udp.values()]) this.#release(kept);
    this.#listeners.clear();
  }

  #keep(flow: Flow): KeptFlow | undefined {
    const { connection } = flow;
    if (this.size >= SIP_NETWORK_LIMITS.maxKeptFlows || connection?.open === false) return undefined;
    const kept: KeptFlow = {
      flow,
      accounts: new Map(),
      timer: undefined,
      answerTimer: undefined,
      repeatTimer: undefined,
      receivedBefore: 0,
      stunId: undefined,
      unanswered: 0,
      mapped: undefined,
      ignoreClose: undefined,
    };
    if (connection === undefined) this.#udp.set(keyOf(flow), kept);
    else {
      this.#streams.set(connection, kept);
      kept.ignoreClose = connection.onClose(() => this.#lose(kept, connection.closeReason));
    }
    this.#schedule(kept);
    return kept;
  }

  #release(kept: KeptFlow): void {
    this.#settle(kept);
    kept.ignoreClose?.();
    if (kept.flow.connection === undefined) this.#udp.delete(keyOf(kept.flow));
    else this.#streams.delete(kept.flow.connection);
  }

  #settle(kept: KeptFlow): void {
    for (const timer of [kept.timer, kept.answerTimer, kept.repeatTimer]) timer?.[Symbol.dispose]();
    kept.stunId = undefined;
  }

  /** RFC 5626 §4.4.1: between 80 and 100 % of the interval, so that many clients do not come at once. */
  #schedule(kept: KeptFlow): void {
    const { keepAliveMs, natBindingMs } = SIP_NETWORK_LIMITS;
    const knowsNoStun = kept.flow.connection === undefined && this.#knowsNoStun(kept);
    const delayMs = (knowsNoStun ? natBindingMs : keepAliveMs) * (0.8 + 0.2 * this.#random());
    kept.timer?.[Symbol.dispose]();
    kept.timer = this.#clock.startTimer(delayMs, () => this.#ping(kept));
  }

  #ping(kept: KeptFlow): void {
    const now = monotonicMs(this.#clock);
    for (const [account, untilMs] of kept.accounts) if (untilMs <= now) kept.accounts.delete(account);
    if (kept.accounts.size === 0) {
      this.#release(kept);
      return;
    }
    const { connection } = kept.flow;
    if (connection !== undefined) this.#pingStream(kept, connection);
    else if (this.#knowsNoStun(kept)) {
      this.#transport.send(kept.flow, CRLF_CRLF);
      this.#schedule(kept);
    } else this.#pingUdp(kept);
  }

  #pingStream(kept: KeptFlow, connection: NonNullable<Flow['connection']>): void {
    kept.receivedBefore = connection.received;
    connection.sendKeepAlive();
    kept.answerTimer = this.#clock.startTimer(SIP_NETWORK_LIMITS.keepAliveAnswerMs, () => {
      // Whatever came shows that the peer is there. One that has never answered does not know the rule: RFC 5626
      // §4.4.1 asks for the pong of those only that support outbound.
      if (connection.received > kept.receivedBefore || !connection.ponged) this.#ping(kept);
      else connection.cut(`${connection.place} no longer answers keep-alives`);
    });
    // An answer makes the next one due at its time; without it the timer above decides.
    kept.timer = this.#clock.startTimer(this.#pauseMs(), () => {
      if (connection.received <= kept.receivedBefore && connection.ponged) return;
      kept.answerTimer?.[Symbol.dispose]();
      this.#ping(kept);
    });
  }

  #pauseMs(): number {
    return SIP_NETWORK_LIMITS.keepAliveMs * (0.8 + 0.2 * this.#random());
  }

  /** A request repeated with growing pauses until the time for its answer is over (RFC 5389 §7.2.1). */
  #pingUdp(kept: KeptFlow): void {
    const id = randomBytes(STUN_ID_BYTES).toString('hex');
    const bytes = buildStunRequest(id);
    kept.stunId = id;
    const send = (repeatMs: number): void => {
      this.#transport.send(kept.flow, bytes);
      kept.repeatTimer = this.#clock.startTimer(repeatMs, () => send(repeatMs * 2));
    };
    send(SIP_NETWORK_LIMITS.stunFirstRepeatMs);
    kept.answerTimer = this.#clock.startTimer(SIP_NETWORK_LIMITS.keepAliveAnswerMs, () => {
      this.#settle(kept);
      kept.unanswered += 1;
      if (kept.mapped === undefined) this.#schedule(kept);
      else
        this.#lose(
          kept,
          `${placeOf(kept.flow.remoteAddress, kept.flow.remotePort)} no longer answers keep-alives`,
        );
    });
  }

  #knowsNoStun(kept: KeptFlow): boolean {
    return kept.mapped === undefined && kept.unanswered >= SIP_NETWORK_LIMITS.stunAttempts;
  }

  #lose(kept: KeptFlow, reason: string): void {
    this.#release(kept);
    if (this.#ended || this.#transport.ended) return;
    const { transport, remoteAddress, remotePort, connection } = kept.flow;
    this.#log.info('sip.flow.lost', { transport, remote: remoteAddress, reason });
    if (connection === undefined) this.#transactions.failUdp(remoteAddress, remotePort, reason);
    for (const listener of [...this.#listeners]) listener({ transport, remoteAddress, remotePort, reason });
  }
}
