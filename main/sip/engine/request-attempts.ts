/**
 * Owns: one request through all its targets: a new transaction for each, until one answers (RFC 3263 §4.3).
 * Called by: outbound-requests.ts, outbound-in-dialog.ts, outbound-invite.ts. Calls: transaction-table.ts, next-hops.ts,
 * size-rule.ts and the user it was given.
 */
import { SIP_NETWORK_LIMITS } from '../../base/limits.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import { serialiseSipMessage, type SipRequest, type SipResponse } from '../message.ts';
import type { ClientTransaction, ClientTransactionUser } from './client-transaction.ts';
import type { EngineContext } from './context.ts';
import { ownVia } from './message-builder.ts';
import type { NextHops } from './next-hops.ts';
import { flowForSize, isTooLargeForDatagram } from './size-rule.ts';
import { whenReady, type Soon } from './soon.ts';
import type { Flow } from './transport.ts';
import { placeOf, Unreachable } from './unreachable.ts';

/** Where a request may go when its first way fails. */
export interface OtherWays {
  /** Targets that are left; none for a request inside a dialog. */
  readonly hops?: NextHops;
  /** The way over UDP, when the request went over TCP only for its size (RFC 3261 §18.1.1). */
  readonly fallback?: Flow | undefined;
  /** The Contact for another flow; `undefined`: it stays. */
  readonly contactFor?: (flow: Flow) => string | undefined;
}

export interface RequestAttemptsOptions {
  readonly context: EngineContext;
  /** Learns of one outcome: that of the attempt that counts. */
  readonly user: ClientTransactionUser;
  readonly ways?: OtherWays;
  /** Is a further attempt still wanted (no CANCEL meanwhile)? */
  readonly wanted?: () => boolean;
  /** A further attempt has begun. */
  readonly begun?: (transaction: ClientTransaction) => void;
}

const SERVICE_UNAVAILABLE = 503;
const LOOP_DETECTED = 482;

/** Seconds of Retry-After (RFC 3261 §20.33), 0 when there is none. */
function retryAfterMs(response: SipResponse): number {
  const seconds = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
  return Number.isSafeInteger(seconds) && seconds > 0
    ? Math.min(seconds * 1_000, SIP_NETWORK_LIMITS.maxRetryAfterMs)
    : 0;
}

/** The same request by another way: a new branch, and the Contact of that way. */
function rebuild(request: SipRequest, flow: Flow, contact: string | undefined): SipRequest {
  const headers = request.headers.clone();
  headers.setFirst('Via', ownVia(flow));
  if (contact !== undefined) headers.set('Contact', contact);
  return { ...request, headers };
}

/** A request of the application on its way. */
export class RequestAttempts implements ClientTransactionUser {
  readonly #options: Omit<RequestAttemptsOptions, 'ways'>;
  readonly #ways: OtherWays | undefined;
  #transaction: ClientTransaction | undefined;
  #answered = false;
  #fallback: Flow | undefined;
  #mayReopen = true;
  /** Tells the user how the attempt before this one failed without any answer. */
  #before: (() => void) | undefined;

  constructor({ ways, ...options }: RequestAttemptsOptions) {
    this.#options = options;
    this.#ways = ways;
    this.#fallback = ways?.fallback;
  }

  /** The first attempt. */
  start(request: SipRequest, flow: Flow): ClientTransaction {
    const { transactions, transport } = this.#options.context;
    this.#answered = false;
    this.#transaction = transactions.startClient(request, flow, transport, this);
    return this.#transaction;
  }

  receiveResponse(response: SipResponse, flow: Flow, bytes: number): void {
    const pass = (): void => this.#options.user.receiveResponse(response, flow, bytes);
    this.#answered = true;
    if (response.status === LOOP_DETECTED && this.#before !== undefined) {
      // RFC 3261 §8.2.2.2: it came by another way before, and is not answered twice. That the first one brought no
      // answer is what the user has to know.
      this.#before();
      return;
    }
    const sentOn = this.#transaction?.flow ?? flow;
    const { dead } = this.#options.context;
    if (response.status !== SERVICE_UNAVAILABLE) {
      dead.remove(sentOn.transport, sentOn.remoteAddress, sentOn.remotePort);
      // That is the answer that counts: whatever comes after it is for the user alone.
      if (response.status >= 200) this.#transaction?.handTo(this.#options.user);
      pass();
      return;
    }
    const forMs = retryAfterMs(response);
    if (forMs > 0) dead.add(sentOn.transport, sentOn.remoteAddress, sentOn.remotePort, forMs);
    if (this.#ways?.hops?.more === true) this.#goOn(pass);
    else pass();
  }

  receiveTimeout(error: Error): void {
    const pass = (): void => this.#options.user.receiveTimeout(error);
    // RFC 3263 §4.3: a server that has said anything is there.
    if (this.#answered) {
      pass();
      return;
    }
    this.#markDead();
    this.#before = pass;
    this.#goOn(pass);
  }

  receiveTransportError(error: Error): void {
    const pass = (): void => this.#options.user.receiveTransportError(error);
    if (this.#answered) {
      pass();
      return;
    }
    const again = this.#reopen();
    if (again === undefined) this.#markDead();
    this.#before = pass;
    this.#goOn(pass, again);
  }

  #markDead(): void {
    const flow = this.#transaction?.flow;
    if (flow === undefined) return;
    const { transport, remoteAddress, remotePort } = flow;
    this.#options.context.dead.add(transport, remoteAddress, remotePort, SIP_NETWORK_LIMITS.deadTargetMs);
  }

  /** A connection that had served before has broken: its peer may have closed it for idleness. Once. */
  #reopen(): Soon<Flow> | undefined {
    const { transport } = this.#options.context;
    const connection = this.#transaction?.flow.connection;
    if (!this.#mayReopen || connection === undefined || !connection.outgoing || connection.received === 0) {
      return undefined;
    }
    this.#mayReopen = false;
    const { transport: name, remoteAddress, remotePort, domain } = connection;
    const hop = {
      transport: name,
      addresses: [remoteAddress],
      port: remotePort,
      domain: domain === '' ? remoteAddress : domain,
    };
    try {
      return transport.flowTo(hop);
    } catch (error) {
      if (error instanceof ProtocolError) return undefined;
      throw error;
    }
  }

  /** The next way; `pass` tells the user of the failure when there is none. */
  #goOn(pass: () => void, again?: Soon<Flow>): void {
    const { context, wanted } = this.#options;
    if (context.transport.ended) return;
    if (wanted?.() === false) {
      pass();
      return;
    }
    let next: Soon<Flow> | undefined;
    try {
      next = again ?? this.#nextFlow();
    } catch (error) {
      if (!(error instanceof Unreachable) && !(error instanceof ProtocolError)) throw error;
    }
    if (next === undefined) {
      pass();
      return;
    }
    whenReady(
      next,
      (flow) => this.#attempt(flow, pass),
      (error) => {
        context.log.info('sip.failover.end', { error });
        if (again === undefined) pass();
        else this.#goOn(pass);
      },
    );
  }

  #nextFlow(): Soon<Flow> | undefined {
    const fallback = this.#fallback;
    this.#fallback = undefined;
    if (fallback !== undefined) return fallback;
    const { context } = this.#options;
    const ways = this.#ways;
    const bytes = (): number => this.#transaction?.bytes.length ?? 0;
    if (ways?.hops?.more !== true) return undefined;
    const next = ways.hops.next();
    const sized = (flow: Flow): Soon<Flow> => {
      const other = flowForSize(context, flow, bytes);
      if (other !== flow) this.#fallback = flow;
      return other;
    };
    return next instanceof Promise ? next.then(sized) : sized(next);
  }

  #attempt(flow: Flow, pass: () => void): void {
    const { context, wanted, begun } = this.#options;
    const before = this.#transaction;
    if (before === undefined || context.transport.ended) return;
    if (flow === this.#fallback) this.#fallback = undefined;
    if (wanted?.() === false || context.transactions.clientsFull) {
      pass();
      return;
    }
    const request = rebuild(before.request, flow, this.#ways?.contactFor?.(flow));
    if (
      context.transport.isOwn(flow) ||
      isTooLargeForDatagram(flow, () => serialiseSipMessage(request).length)
    ) {
      this.#goOn(pass);
      return;
    }
    context.log.info('sip.failover', { remote: placeOf(flow.remoteAddress, flow.remotePort) });
    const transaction = this.start(request, flow);
    begun?.(transaction);
  }
}
