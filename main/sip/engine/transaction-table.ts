/**
 * Owns: which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).
 * Called by: the cores. Calls: client-transaction.ts, server-transaction.ts, transaction-set.ts.
 */
import type { Clock } from '../../base/clock.ts';
import { parseNameAddr, parseVia, type Via } from '../headers.ts';
import { cseqOf, keptText, type SipMessage, type SipRequest } from '../message.ts';
import { ClientTransaction, type ClientTransactionUser } from './client-transaction.ts';
import { BRANCH_COOKIE } from './ids.ts';
import { ServerTransaction } from './server-transaction.ts';
import { TransactionSet } from './transaction-set.ts';
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

/** All transactions. */
export class TransactionTable implements Disposable {
  readonly #clock: Clock;
  readonly #clients: TransactionSet<ClientTransaction>;
  readonly #servers: TransactionSet<ServerTransaction>;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#clients = new TransactionSet(clock);
    this.#servers = new TransactionSet(clock);
  }

  get clientsFull(): boolean {
    return this.#clients.full;
  }

  get serversFull(): boolean {
    return this.#servers.full;
  }

  /** How many there are, the finished ones included: for tests and the log. */
  get sizes(): { readonly clients: number; readonly servers: number } {
    return { clients: this.#clients.size, servers: this.#servers.size };
  }

  /** Makes a client transaction and sends its request. */
  startClient(
    request: SipRequest,
    flow: Flow,
    transport: SipTransport,
    user: ClientTransactionUser,
  ): ClientTransaction {
    const key = keptText(clientKey(request));
    const options = { request, flow, transport, user, clock: this.#clock, key, among: this.#clients };
    const transaction = new ClientTransaction(options);
    this.#clients.add(transaction);
    transaction.start();
    return transaction;
  }

  /** The client transaction that a response belongs to. @throws ProtocolError 400 */
  clientOf(response: SipMessage): ClientTransaction | undefined {
    return this.#clients.get(clientKey(response));
  }

  /** A UDP flow to there is dead: what waits for an answer on it has waited long enough. */
  failUdp(remoteAddress: string, remotePort: number, reason: string): void {
    for (const transaction of this.#clients.active) {
      const { flow } = transaction;
      const isThere = flow.remoteAddress === remoteAddress && flow.remotePort === remotePort;
      if (flow.transport === 'udp' && isThere) transaction.receiveFlowLost(reason);
    }
  }

  /** Makes a server transaction. `send` sends bytes to where responses go. */
  addServer(key: string, request: SipRequest, flow: Flow, send: (bytes: Buffer) => void): ServerTransaction {
    const { method } = request;
    const reliable = flow.transport !== 'udp';
    const own = keptText(key);
    const transaction = new ServerTransaction({
      method,
      reliable,
      send,
      clock: this.#clock,
      key: own,
      among: this.#servers,
    });
    this.#servers.add(transaction);
    return transaction;
  }

  server(key: string): ServerTransaction | undefined {
    return this.#servers.get(key);
  }

  /** Ends everything, silently. */
  [Symbol.dispose](): void {
    this.#clients[Symbol.dispose]();
    this.#servers[Symbol.dispose]();
  }
}
