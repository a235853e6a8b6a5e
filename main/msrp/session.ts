/**
 * Owns: one MSRP session: who visits whom, its connection, SEND and REPORT, and its end.
 * Called by: endpoint.ts with requests, the messenger with everything else. Calls: visitors.ts, sending.ts,
 * receiving.ts, then its delegate.
 */
import { randomBytes } from 'node:crypto';
import type { MsrpLimits } from '../base/limits.ts';
import type { MsrpConnection, MsrpConnectionUser, MsrpFrameSink } from './connection.ts';
import type { MsrpHead } from './message.ts';
import { formatNicknameRequest, NicknameFrame } from './nickname.ts';
import { AnsweredFrame, IGNORED_FRAME, MsrpReceiving } from './receiving.ts';
import { MsrpReports } from './reports.ts';
import { MsrpSending, type MsrpOutgoingMessage, type MsrpSendOutcome } from './sending.ts';
import { MsrpSessionError, type MsrpEndReason } from './session-error.ts';
import type { MsrpSessionDelegate, MsrpSessionHost, MsrpSessionOptions } from './session-host.ts';
import { MsrpSessionPeer, type MsrpRemoteOptions } from './session-peer.ts';
import { nextSessionState, type MsrpSessionState } from './session-state.ts';
import { wrongCertificate } from './tls-client.ts';
import { createTransactionId, MsrpTransactions } from './transactions.ts';
import type { MsrpUri } from './uri.ts';
import { AwaitedVisit, type MsrpVisitOutcome } from './visit-outcome.ts';
import { MsrpVisitors } from './visitors.ts';

export type { MsrpIncomingMessage } from './receiving.ts';
export type { MsrpSessionReport } from './reports.ts';
export type { MsrpOutgoingMessage, MsrpSendOutcome } from './sending.ts';
export type { MsrpEndReason } from './session-error.ts';
export type { MsrpSessionDelegate, MsrpSessionHost } from './session-host.ts';
export type { MsrpSessionRelay } from './session-peer.ts';
export type { MsrpSessionState } from './session-state.ts';
export type { MsrpVisitOutcome } from './visit-outcome.ts';

const ACCEPTED: MsrpVisitOutcome = { kind: 'answered', status: 200 };

/** One MSRP session (RFC 4975 §5). Made by `MsrpEndpoint.createSession`. */
export class MsrpSession implements MsrpConnectionUser, AsyncDisposable {
  readonly sessionId: string;
  readonly localPath: readonly MsrpUri[];
  /** What requests for this session name: the last of `localPath`. */
  readonly uri: MsrpUri;
  readonly #peer: MsrpSessionPeer;
  readonly #host: MsrpSessionHost;
  readonly #delegate: MsrpSessionDelegate;
  readonly #limits: MsrpLimits;
  readonly #localPathText: string;
  readonly #transactions: MsrpTransactions;
  readonly #sending: MsrpSending;
  readonly #receiving: MsrpReceiving;
  readonly #visitors: MsrpVisitors;
  #state: MsrpSessionState = 'listening';
  #connection: MsrpConnection | undefined;
  /** Someone waits for the session to be bound, or for its visit to be answered. */
  readonly #visit: AwaitedVisit;
  #peerVisited = false;
  readonly #reports = new MsrpReports();
  /** A connection that the relay of the peer has opened to us, beside ours to it. */
  #besides: (MsrpConnectionUser & { readonly connection: MsrpConnection }) | undefined;
  #closing: Promise<void> | undefined;

  constructor(host: MsrpSessionHost, options: MsrpSessionOptions) {
    this.#host = host;
    this.#delegate = options.delegate;
    this.#limits = options.limits;
    this.sessionId = options.sessionId;
    this.localPath = options.localPath;
    const uri = options.localPath.at(-1);
    if (uri === undefined) throw new TypeError('a session has a path');
    this.uri = uri;
    this.#localPathText = uri.text;
    const { relay, unprovenAllowed = false } = options;
    this.#peer = new MsrpSessionPeer({ uri, relay, unprovenAllowed });
    this.#transactions = new MsrpTransactions(host.clock, options.limits.responseMs);
    this.#sending = new MsrpSending(options.limits, host, this.#transactions, (report) =>
      this.#delegate.receiveReport(report),
    );
    this.#receiving = new MsrpReceiving({
      limits: options.limits,
      clock: host.clock,
      log: host.log,
      acceptTypes: options.acceptTypes,
      localPath: this.#localPathText,
      receiveMessage: (message) => this.#delegate.receiveMessage(message),
      sinkFor: (message, resume) => this.#delegate.sinkFor?.(message, resume),
    });
    relay?.connection.users.add(this);
    this.#visit = new AwaitedVisit(host.clock);
    this.#visitors = new MsrpVisitors(options.limits.maxVisitorsPerSession, () => {
      if (this.#state === 'visited') this.#enter('listening');
    });
  }

  get state(): MsrpSessionState {
    return this.#state;
  }

  /** The peer's path once it is known. */
  get remotePath(): readonly MsrpUri[] | undefined {
    return this.#peer.path;
  }

  /** True when messages are encrypted on their way, and whoever is at the other end of TLS has proven who it is. */
  get encrypted(): boolean {
    return this.#peer.isEncryptedOver(this.#connection);
  }

  /**
   * Answerer, active: connects to the offered path and sends the bodiless SEND (RFC 4975 §5.4). Rejects with
   * MsrpSessionError `MSRP_CONNECT_…` when there is no connection; the session then listens as before.
   */
  async visit(remotePath: readonly MsrpUri[], options: MsrpRemoteOptions = {}): Promise<MsrpVisitOutcome> {
    this.#require('listening', 'visited');
    this.#peer.learn(remotePath, options);
    if (this.#bindVisitor(remotePath)) return ACCEPTED;
    return this.#connectAndVisit('listening', this.#limits.visitTimeoutMs, options.signal);
  }

  /** Answerer, after the ACK: repeats a visit that was not accepted; connects again if need be. */
  async revisit(options: { signal?: AbortSignal } = {}): Promise<MsrpVisitOutcome> {
    if (this.#state === 'bound') return ACCEPTED;
    this.#require('unconfirmed');
    const { responseMs } = this.#limits;
    if (this.#connection === undefined)
      return this.#connectAndVisit('unconfirmed', responseMs, options.signal);
    return this.#sendVisit(this.#connection, responseMs, options.signal);
  }

  /**
   * Offerer: the `a=path` of the SIP answer decides which early visitor stays; the others are closed. Resolves when
   * the session is bound: at once if that path has visited, else when it visits (`MSRP_NO_VISIT` after
   * `awaitVisitMs`), or with `connectToAnswerer` by connecting there. After a rejection it may be called again.
   */
  async acceptAnswer(
    remotePath: readonly MsrpUri[],
    options: MsrpRemoteOptions & { connectToAnswerer: boolean },
  ): Promise<void> {
    this.#require('listening', 'visited', 'awaiting');
    this.#peer.learn(remotePath, options);
    if (this.#bindVisitor(remotePath)) return;
    this.#visitors.dismiss();
    if (this.#state !== 'awaiting') this.#enter('awaiting');
    if (!options.connectToAnswerer) {
      await this.#visit.wait(this.#limits.awaitVisitMs, options.signal, () => {
        throw new MsrpSessionError('MSRP_NO_VISIT', `no visit within ${this.#limits.awaitVisitMs} ms`);
      });
      return;
    }
    const outcome = await this.#connectAndVisit('awaiting', this.#limits.responseMs, options.signal);
    if (outcome.status !== 200) {
      throw new MsrpSessionError(
        'MSRP_VISIT_REFUSED',
        `the answerer answered the visit with ${outcome.status}`,
      );
    }
  }

  /**
   * Answerer, passive, before he answers: the path of the offer may visit from now on. It may well be here before the
   * ACK, and behind a relay nothing that comes with it can be held back.
   */
  expectVisit(remotePath: readonly MsrpUri[], options: MsrpRemoteOptions = {}): void {
    this.#require('listening');
    this.#peer.learn(remotePath, options);
    this.#enter('awaiting');
  }

  /** Answerer, passive, after the ACK: as `acceptAnswer`, for the path of the offer. */
  async awaitVisit(remotePath: readonly MsrpUri[], options: MsrpRemoteOptions = {}): Promise<void> {
    if (this.#isBound()) return;
    await this.acceptAnswer(remotePath, { ...options, connectToAnswerer: false });
  }

  /**
   * Sends a message; before the session is bound it waits. Resolves with the status of the response to the last
   * chunk, or with the first failure; rejects with MsrpSessionError when the session ends first. Messages of one
   * chunk leave in the order of the calls.
   */
  sendMessage(message: MsrpOutgoingMessage): Promise<MsrpSendOutcome> {
    if (this.#state === 'closing' || this.#state === 'closed') return Promise.reject(closedError());
    return this.#sending.send(message);
  }

  /** Asks for a nickname in the room at the other end; empty: gives it up (RFC 7701 §7.1). Resolves with the status. */
  sendNickname(nickname: string): Promise<number> {
    const connection = this.#connection;
    if (this.#state !== 'bound' || connection === undefined) return Promise.reject(closedError());
    const id = createTransactionId();
    const answered = Promise.withResolvers<number>();
    this.#transactions.add(id, { receiveStatus: answered.resolve });
    const paths = `To-Path: ${this.#peer.toPathText()}\r\nFrom-Path: ${this.#localPathText}\r\n`;
    connection.sendFrame(formatNicknameRequest(id, paths, nickname));
    return answered.promise;
  }

  /**
   * Ends the session: refuses new messages, waits up to `drainMs` for what is in flight both ways, then sends FIN and
   * waits briefly for the peer's. The delegate is not told.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Ends the session without waiting for anything. */
  destroy(): void {
    const connection = this.#connection;
    this.#endSession(closedError());
    if (connection === undefined) return;
    connection.users.delete(this);
    if (connection.users.size === 0) connection.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A request for this session (step 4 of the way of a SEND); `undefined`: keep it until the SIP answer. */
  receiveRequest(connection: MsrpConnection, head: MsrpHead): MsrpFrameSink | undefined {
    const isSend = head.method !== 'REPORT';
    const isVisit = isSend && this.#receiving.isVisit(head);
    const isOurs = connection === this.#connection && this.#isPeer(head);
    if (!isOurs) {
      // Our relay says itself that a message got no further (RFC 4976 §6.3).
      if (!isSend && this.#peer.isOurRelay(connection, head.fromPath)) return this.#receiveReport(head);
      // The relay of the peer comes to us by a connection of its own, beside the one that we opened to it.
      if (this.#isBesides(connection, head)) return this.#receiveBesides(connection, head, isVisit);
      if (!isSend) return IGNORED_FRAME;
      const status = this.#receiveStranger(connection, head);
      if (status !== undefined) return new AnsweredFrame(connection, head, status);
    }
    if (connection !== this.#connection || !this.#isPeer(head)) {
      if (isVisit) return new AnsweredFrame(connection, head, 200);
      // To keep it would keep all that others send through this relay.
      return connection === this.#peer.relay?.connection
        ? new AnsweredFrame(connection, head, 481)
        : undefined;
    }
    if (this.#state === 'unconfirmed') this.#bind(connection);
    if (!isSend) return this.#receiveReport(head);
    if (!this.#peerVisited) {
      this.#peerVisited = true;
      this.#delegate.receiveVisit(this.#receiving.parseFromPath(head));
    }
    if (isVisit) return new AnsweredFrame(connection, head, 200);
    return this.#receiving.receiveSend(connection, head);
  }

  /** A NICKNAME for this session: from whom the session is bound to, or 481. */
  receiveNickname(connection: MsrpConnection, head: MsrpHead): MsrpFrameSink {
    const decide = this.#delegate.receiveNickname;
    if (decide === undefined) return new AnsweredFrame(connection, head, 501);
    const isOurs = this.#state === 'bound' && connection === this.#connection && this.#isPeer(head);
    if (!isOurs) return new AnsweredFrame(connection, head, 481);
    return new NicknameFrame(connection, head, decide);
  }

  receiveResponse(head: MsrpHead): boolean {
    return this.#transactions.receiveResponse(head.transactionId, head.status);
  }

  receiveConnectionEnd(reason: MsrpEndReason): void {
    const connection = this.#connection;
    const error = new MsrpSessionError(reason.code, reason.message);
    if (this.#state === 'connecting' || this.#state === 'unconfirmed') {
      // The peer may be a strict one that wants the SIP answer first: the visit is repeated later.
      this.#connection = undefined;
      connection?.leave(this);
      this.#visit.reject(error);
      return;
    }
    // Behind a relay that has gone nobody can come any more.
    this.#visit.reject(error);
    this.#sending.end(error);
    if (this.#state !== 'bound') return;
    this.#connection = undefined;
    this.#endSession(error);
    void this.#leaveWhenAnswered(connection);
    this.#delegate.receiveClose(reason);
  }

  #enter(next: MsrpSessionState): void {
    this.#state = nextSessionState(this.#state, next);
  }

  #require(...states: readonly MsrpSessionState[]): void {
    if (states.includes(this.#state)) return;
    throw new MsrpSessionError('MSRP_BAD_STATE', `not possible while the session is ${this.#state}`);
  }

  /** Behind a relay everybody comes by the same connection: who is who says the From-Path. */
  #isPeer(head: MsrpHead): boolean {
    return this.#peer.relay === undefined || this.#peer.isAt(this.#receiving.parseFromPath(head));
  }

  #isBesides(connection: MsrpConnection, head: MsrpHead): boolean {
    return (
      this.#state === 'bound' &&
      connection !== this.#connection &&
      this.#peer.isBehindRelay &&
      this.#peer.isProven(connection) &&
      this.#peer.isAt(this.#receiving.parseFromPath(head))
    );
  }

  #receiveBesides(connection: MsrpConnection, head: MsrpHead, isVisit: boolean): MsrpFrameSink {
    if (this.#besides?.connection !== connection) {
      this.#besides?.connection.leave(this.#besides);
      const besides = {
        connection,
        receiveResponse: (response: MsrpHead) => this.receiveResponse(response),
        receiveConnectionEnd: () => connection.leave(besides),
      };
      connection.users.add(besides);
      this.#besides = besides;
    }
    if (head.method === 'REPORT') return this.#receiveReport(head);
    return isVisit ? new AnsweredFrame(connection, head, 200) : this.#receiving.receiveSend(connection, head);
  }

  /** A SEND on a connection that is not ours: returns the status that refuses it, or nothing. */
  #receiveStranger(connection: MsrpConnection, head: MsrpHead): number | undefined {
    const fromPath = this.#receiving.parseFromPath(head);
    if (this.#visitors.has(connection, fromPath)) return undefined;
    // RFC 4975 §14.4: what was announced as msrps is not spoken in the clear.
    if (this.#peer.isDowngraded(connection)) return 403;
    switch (this.#state) {
      case 'listening':
      case 'visited':
        if (!this.#visitors.admit(connection, fromPath)) return 506;
        if (this.#state === 'listening') this.#enter('visited');
        this.#delegate.receiveVisit(fromPath);
        return undefined;
      case 'awaiting':
      case 'connecting':
      case 'unconfirmed': {
        // Either the visit that we wait for, or both sides took themselves for the active one.
        if (!this.#peer.isAt(fromPath)) return 506;
        if (!this.#peer.isProven(connection)) {
          this.#visit.refuse(wrongCertificate(connection.remote));
          return 403;
        }
        const previous = this.#connection;
        connection.users.add(this);
        this.#bind(connection);
        previous?.leave(this);
        return undefined;
      }
      case 'bound':
        return 506;
      case 'closing':
      case 'closed':
        return 481;
    }
  }

  #bindVisitor(remotePath: readonly MsrpUri[]): boolean {
    const connection = this.#visitors.choose(remotePath, this, (one) => this.#peer.isProven(one));
    if (connection === undefined) return false;
    if (connection === 'wrong') throw wrongCertificate('who came');
    this.#visitors.dismiss();
    this.#peerVisited = true;
    this.#bind(connection);
    connection.release();
    return true;
  }

  #bind(connection: MsrpConnection): void {
    this.#connection = connection;
    this.#enter('bound');
    this.#visit.resolve(ACCEPTED);
    this.#sending.bind(connection, this.#peer.toPathText(), this.#localPathText);
  }

  async #connectAndVisit(
    otherwise: MsrpSessionState,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<MsrpVisitOutcome> {
    this.#enter('connecting');
    let connection: MsrpConnection;
    try {
      connection = await this.#dial(signal);
    } catch (error) {
      if (this.#isBound()) return ACCEPTED;
      if (this.#state === 'connecting') this.#enter(otherwise);
      throw error;
    }
    // The peer may have come to us, or the session may have ended, while we were connecting.
    if (this.#state !== 'connecting') {
      if (connection.users.size === 0) void connection.close();
      if (this.#isBound()) return ACCEPTED;
      throw closedError();
    }
    this.#connection = connection;
    connection.users.add(this);
    this.#enter('unconfirmed');
    return this.#sendVisit(connection, waitMs, signal);
  }

  /** A client behind a relay always goes to its relay, whoever is to connect (RFC 4976 §5.1). */
  async #dial(signal: AbortSignal | undefined): Promise<MsrpConnection> {
    const { relay } = this.#peer;
    if (relay?.connection.writable === true) return relay.connection;
    if (relay !== undefined) throw new MsrpSessionError('MSRP_RELAY_LOST', 'the relay is not connected');
    const target = this.#peer.target();
    if (target === undefined) throw new MsrpSessionError('MSRP_UNSUPPORTED_URI', 'the path is empty');
    const alone = this.#delegate.sinkFor !== undefined;
    return this.#host.dial(target.uri, { localHost: this.uri.host, trust: target.trust, signal, alone });
  }

  #isBound(): boolean {
    return this.#state === 'bound';
  }

  #sendVisit(
    connection: MsrpConnection,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<MsrpVisitOutcome> {
    const id = createTransactionId();
    const outcome = this.#visit.wait(waitMs, signal, () => ({ kind: 'unanswered', status: 0 }));
    const { round } = this.#visit;
    this.#transactions.add(id, {
      receiveStatus: (status) => {
        if (status === 408) return;
        if (status !== 200) {
          if (round === this.#visit.round) this.#visit.resolve({ kind: 'answered', status });
        } else if (this.#state === 'unconfirmed' && connection === this.#connection) this.#bind(connection);
      },
    });
    connection.sendFrame(
      `MSRP ${id} SEND\r\nTo-Path: ${this.#peer.toPathText()}\r\nFrom-Path: ${this.#localPathText}\r\nMessage-ID: ${randomBytes(8).toString('hex')}\r\nByte-Range: 1-0/0\r\n-------${id}$\r\n`,
    );
    return outcome;
  }

  #receiveReport(head: MsrpHead): MsrpFrameSink {
    const report = this.#reports.read(head);
    if (report === undefined) return IGNORED_FRAME;
    if (report.status !== 200) this.#sending.receiveFailureReport(report.messageId, report.status);
    this.#delegate.receiveReport(report);
    return IGNORED_FRAME;
  }

  async #close(): Promise<void> {
    const connection = this.#connection;
    if (this.#state === 'bound' && connection !== undefined) {
      this.#enter('closing');
      const timeout = Promise.withResolvers<undefined>();
      using _timer = this.#host.clock.startTimer(this.#limits.drainMs, () => timeout.resolve(undefined));
      await Promise.race([this.#drained(), timeout.promise]);
    }
    this.#endSession(closedError());
    if (connection?.users.delete(this) === true && connection.users.size === 0) await connection.close();
  }

  async #drained(): Promise<void> {
    await this.#sending.drained();
    await this.#receiving.drained();
  }

  /** The peer has sent FIN but still reads: what it waits for is answered before our FIN. */
  async #leaveWhenAnswered(connection: MsrpConnection | undefined): Promise<void> {
    const timeout = Promise.withResolvers<undefined>();
    using _timer = this.#host.clock.startTimer(this.#limits.drainMs, () => timeout.resolve(undefined));
    await Promise.race([this.#receiving.drained(), timeout.promise, connection?.closed]);
    connection?.leave(this);
  }

  #endSession(error: MsrpSessionError): void {
    if (this.#state === 'closed') return;
    this.#enter('closed');
    this.#connection = undefined;
    this.#visitors.dismiss();
    this.#visit.reject(error);
    this.#sending.end(error);
    this.#transactions[Symbol.dispose]();
    this.#receiving[Symbol.dispose]();
    this.#besides?.connection.leave(this.#besides);
    this.#peer.relay?.connection.leave(this);
    this.#host.forget(this);
  }
}

function closedError(): MsrpSessionError {
  return new MsrpSessionError('MSRP_SESSION_CLOSED', 'the session is closed');
}
