/**
 * Owns: one connection of the relay: to which place a request belongs, and the ways that begin and end here.
 * Called by: msrp-relay.ts, the connection with each frame. Calls: relay-admission.ts, relay-stream.ts.
 * Source: RFC 4976 §6.
 */
import type { Clock } from '../base/clock.ts';
import type { MsrpLimits, RelayLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import type {
  MsrpConnection,
  MsrpConnectionUser,
  MsrpFrameReceiver,
  MsrpFrameSink,
} from '../msrp/connection.ts';
import type { MsrpHead } from '../msrp/message.ts';
import { AnsweredFrame, IGNORED_FRAME } from '../msrp/receiving.ts';
import { sendResponse } from '../msrp/reports.ts';
import { MsrpTransactions } from '../msrp/transactions.ts';
import { formatMsrpPath, parseMsrpPath, type MsrpUri } from '../msrp/uri.ts';
import type { RelayAdmission } from './relay-admission.ts';
import type { RelayPlace, RelayPlaces } from './relay-place.ts';
import { RelayStream, type RelayRoute } from './relay-stream.ts';

/** What the relay has done since it started. */
export interface RelayStats {
  /** Body bytes that were passed on. */
  relayBytes: number;
  messages: number;
  refused: number;
  failureReports: number;
}

/** What a connection needs of the relay. */
export interface RelayHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: RelayLimits;
  readonly msrpLimits: MsrpLimits;
  readonly places: RelayPlaces;
  readonly admission: RelayAdmission;
  readonly stats: RelayStats;
  /** Of all ways together. */
  queuedBytes: number;
  /** A connection to where the owner of a place wants to go. Rejects with MsrpSessionError. */
  openNextHop(place: RelayPlace, path: readonly MsrpUri[]): Promise<RelayLink>;
  /** A connection is over. */
  receiveLinkEnd(link: RelayLink): void;
}

/** Streams that were used this lately count as others behind a connection that is not to be held up. */
const LATELY_US = 30_000_000;

/** A client, or the next hop of one. */
export class RelayLink implements MsrpFrameReceiver, MsrpConnectionUser {
  readonly transactions: MsrpTransactions;
  /** Given to whoever came by it. */
  readonly places = new Set<RelayPlace>();
  /** The ways that end here. */
  readonly arriving = new Set<RelayStream>();
  readonly #host: RelayHost;
  readonly #streams = new Map<string, RelayStream>();
  #connection: MsrpConnection | undefined;
  /** The paths of the request before, and its way: most requests of a connection have the same. */
  #lastTo = '';
  #lastFrom = '';
  #last: RelayStream | undefined;
  #ended = false;
  /** AUTHs that are being looked at. */
  openAuths = 0;

  constructor(host: RelayHost) {
    this.#host = host;
    this.transactions = new MsrpTransactions(host.clock, host.msrpLimits.responseMs);
  }

  get connection(): MsrpConnection {
    if (this.#connection === undefined) throw new Error('not connected');
    return this.#connection;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get streams(): Iterable<RelayStream> {
    return this.#streams.values();
  }

  /** Whether nothing begins or ends here. */
  get isIdle(): boolean {
    return this.#streams.size === 0 && this.arriving.size === 0;
  }

  /** Its connection is there. Called once. */
  attach(connection: MsrpConnection): void {
    this.#connection = connection;
    connection.users.add(this);
  }

  /** Whether only this way was used lately by whoever sends here. */
  isAloneOn(stream: RelayStream): boolean {
    const since = this.#host.clock.monotonicUs() - LATELY_US;
    for (const other of this.#streams.values())
      if (other !== stream && other.isUsedSince(since)) return false;
    return true;
  }

  /** A way that began here has ended. */
  forget(stream: RelayStream): void {
    if (this.#streams.get(stream.key) === stream) this.#streams.delete(stream.key);
    if (this.#last === stream) this.#last = undefined;
  }

  receiveHead(connection: MsrpConnection, head: MsrpHead): MsrpFrameSink {
    if (head.method === '') {
      this.transactions.receiveResponse(head.transactionId, head.status);
      return IGNORED_FRAME;
    }
    try {
      return this.#receiveRequest(connection, head);
    } catch (error) {
      if (!(error instanceof ProtocolError) || error.answer === 'close') throw error;
      return new AnsweredFrame(connection, head, error.answer);
    }
  }

  receiveFault(connection: MsrpConnection, error: ProtocolError, head: MsrpHead | undefined): void {
    this.#host.log.warn('relay.connection.fault', { remote: connection.remote, code: error.code });
    if (error.answer !== 'close' && head !== undefined) sendResponse(connection, head, error.answer);
  }

  receiveBug(connection: MsrpConnection, error: unknown): void {
    this.#host.log.error('relay.connection.bug', { remote: connection.remote, error });
  }

  /** Asks by which request it was sent; that is known already when the head came. */
  receiveResponse(): boolean {
    return false;
  }

  /** Nothing more comes from there. What was on its way to it is reported to whoever sent it. */
  receiveConnectionEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.transactions.end(408);
    for (const stream of [...this.arriving]) stream.end(408);
    for (const stream of [...this.#streams.values()]) stream.end(481);
    this.#host.receiveLinkEnd(this);
    this.connection.leave(this);
  }

  /** Sends what is under way, then closes. */
  close(): void {
    if (!this.#ended) void this.connection.close();
  }

  #receiveRequest(connection: MsrpConnection, head: MsrpHead): MsrpFrameSink {
    if (head.fromPath === undefined) throw new ProtocolError('MSRP_NO_FROM_PATH', 'close', 'no From-Path');
    if (head.fault !== undefined) throw head.fault;
    if (head.toPath === undefined) throw new ProtocolError('MSRP_NO_TO_PATH', 400, 'no To-Path');
    if (head.method === 'AUTH') return this.#host.admission.receiveAuth(this, head);
    const stream = this.#streamFor(head.toPath, head.fromPath, head);
    if (typeof stream !== 'number') return stream.receiveRequest(head);
    this.#host.stats.refused++;
    return new AnsweredFrame(connection, head, stream);
  }

  /** The way of a request, or the status with which it is refused. */
  #streamFor(toPath: string, fromPath: string, head: MsrpHead): RelayStream | number {
    if (this.#last !== undefined && toPath === this.#lastTo && fromPath === this.#lastFrom) return this.#last;
    const key = `${toPath}\n${fromPath}`;
    const known = this.#streams.get(key) ?? this.#openStream(key, toPath, head);
    if (typeof known === 'number') return known;
    this.#lastTo = toPath;
    this.#lastFrom = fromPath;
    this.#last = known;
    return known;
  }

  #openStream(key: string, toPath: string, head: MsrpHead): RelayStream | number {
    const { limits, msrpLimits, places } = this.#host;
    const path = parseMsrpPath(toPath, msrpLimits.maxPathUris);
    parseMsrpPath(head.fromPath ?? '', msrpLimits.maxPathUris);
    const place = places.find(path[0]);
    if (place === undefined) return 481;
    // To a place, by whoever knows it; or from its owner to where he wants, which may be another place of ours.
    const isOwner = place.link === this;
    const next = isOwner ? places.find(path[1]) : undefined;
    const via = next === undefined ? [place] : [place, next];
    const rest = path.slice(via.length);
    if (rest.length === 0 || this.#streams.size >= limits.maxStreamsPerConnection) return 403;
    const ours = via.toReversed().map(({ uri }) => uri);
    const route: RelayRoute = {
      places: via,
      toPath: formatMsrpPath(rest),
      fromPath: `${formatMsrpPath(ours)} ${head.fromPath ?? ''}`,
    };
    const stream = new RelayStream(this.#host, this, key, route, head);
    this.#streams.set(key, stream);
    this.connection.confirm();
    const target = isOwner ? next?.link : place.link;
    if (target !== undefined) stream.connect(target);
    else {
      this.#host.openNextHop(place, rest).then(
        (link) => stream.connect(link),
        (error: unknown) => {
          this.#host.log.info('relay.next-hop.failed', { error });
          stream.end(408);
        },
      );
    }
    return stream;
  }
}
