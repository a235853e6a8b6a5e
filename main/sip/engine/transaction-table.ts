/**
 * Owns: which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3), and how many there may be.
 * Called by: the cores. Calls: client-transaction.ts, server-transaction.ts.
 */
import type { Clock } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import { parseNameAddr, parseVia, type Via } from '../headers.ts';
import { cseqOf, type SipMessage, type SipRequest } from '../message.ts';
import { ClientTransaction, type ClientTransactionUser } from './client-transaction.ts';
import { BRANCH_COOKIE } from './ids.ts';
import { ServerTransaction } from './server-transaction.ts';
import type { Flow, SipTransport } from './transport.ts';

/** The topmost Via. @throws ProtocolError 400 */
export function topViaOf(message: SipMessage): Via {
  return parseVia(message.headers.list('via')[0] ?? '');
}

/** The tag of a From or To, `''` when there is none. @throws ProtocolError 400 */
export function tagOf(message: SipMessage, header: 'from' | 'to'): string {
  return parseNameAddr(message.headers.get(header) ?? '').params.get('tag') ?? '';
}

/** The key of a client transaction: branch of the top Via and method of the CSeq. */
export function clientKey(message: SipMessage): string {
  return `${topViaOf(message).params.get('branch') ?? ''} ${cseqOf(message).method}`;
}

/**
 * The key of a server transaction. `method` is INVITE to find what an ACK or CANCEL is about. Without the magic
 * cookie the rules of RFC 2543 apply: Request-URI, tags, Call-ID, CSeq number and the whole top Via.
 */
export function serverKey(request: SipRequest, via: Via, method: string = request.method): string {
  const branch = via.params.get('branch') ?? '';
  if (branch.startsWith(BRANCH_COOKIE) && branch.length > BRANCH_COOKIE.length) {
    return `${branch} ${via.host.toLowerCase()}:${via.port ?? ''} ${method}`;
  }
  const parts = [request.uri, tagOf(request, 'from'), request.headers.get('call-id') ?? ''];
  return [...parts, String(cseqOf(request).number), `${via.host}:${via.port ?? ''}`, branch, method].join(
    ' ',
  );
}

/** Moves a transaction to the finished ones; above their ceiling the oldest ends before its time. */
function finish<T extends Disposable>(key: string, active: Map<string, T>, finished: Map<string, T>): void {
  const transaction = active.get(key);
  if (transaction === undefined) return;
  active.delete(key);
  finished.set(key, transaction);
  if (finished.size <= SIP_LIMITS.maxFinishedTransactions) return;
  const [oldest] = finished.values();
  oldest?.[Symbol.dispose]();
}

/** All transactions. */
export class TransactionTable implements Disposable {
  readonly #clock: Clock;
  readonly #clients = new Map<string, ClientTransaction>();
  readonly #servers = new Map<string, ServerTransaction>();
  /** Those with a final response, in the order in which they got it: they absorb repeats until their time is over. */
  readonly #finishedClients = new Map<string, ClientTransaction>();
  readonly #finishedServers = new Map<string, ServerTransaction>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get clientsFull(): boolean {
    return this.#clients.size >= SIP_LIMITS.maxTransactions;
  }

  get serversFull(): boolean {
    return this.#servers.size >= SIP_LIMITS.maxTransactions;
  }

  /** How many there are, the finished ones included: for tests and the log. */
  get sizes(): { readonly clients: number; readonly servers: number } {
    return {
      clients: this.#clients.size + this.#finishedClients.size,
      servers: this.#servers.size + this.#finishedServers.size,
    };
  }

  /** Makes a client transaction and sends its request. */
  startClient(
    request: SipRequest,
    flow: Flow,
    transport: SipTransport,
    user: ClientTransactionUser,
  ): ClientTransaction {
    const key = clientKey(request);
    const transaction = new ClientTransaction({
      request,
      flow,
      transport,
      user,
      clock: this.#clock,
      finished: () => finish(key, this.#clients, this.#finishedClients),
      terminated: () => this.#clients.delete(key) || this.#finishedClients.delete(key),
    });
    this.#clients.set(key, transaction);
    transaction.start();
    return transaction;
  }

  /** The client transaction that a response belongs to. @throws ProtocolError 400 */
  clientOf(response: SipMessage): ClientTransaction | undefined {
    const key = clientKey(response);
    return this.#clients.get(key) ?? this.#finishedClients.get(key);
  }

  /** A UDP flow to there is dead: what waits for an answer on it has waited long enough. */
  failUdp(remoteAddress: string, remotePort: number, reason: string): void {
    for (const transaction of [...this.#clients.values()]) {
      const { flow } = transaction;
      const isThere = flow.remoteAddress === remoteAddress && flow.remotePort === remotePort;
      if (flow.transport === 'udp' && isThere) transaction.receiveFlowLost(reason);
    }
  }

  /** Makes a server transaction. `send` sends bytes to where responses go. */
  addServer(key: string, request: SipRequest, flow: Flow, send: (bytes: Buffer) => void): ServerTransaction {
    const transaction = new ServerTransaction({
      method: request.method,
      reliable: flow.transport !== 'udp',
      send,
      clock: this.#clock,
      finished: () => finish(key, this.#servers, this.#finishedServers),
      terminated: () => this.#servers.delete(key) || this.#finishedServers.delete(key),
    });
    this.#servers.set(key, transaction);
    return transaction;
  }

  server(key: string): ServerTransaction | undefined {
    return this.#servers.get(key) ?? this.#finishedServers.get(key);
  }

  /** Ends everything, silently. */
  [Symbol.dispose](): void {
    const all = [this.#clients, this.#servers, this.#finishedClients, this.#finishedServers];
    for (const table of all) for (const transaction of [...table.values()]) transaction[Symbol.dispose]();
  }
}
