/**
 * Owns: what an MSRP session is made of, what it needs of its endpoint, and what it tells its owner. No behaviour.
 * Called by: session.ts, endpoint.ts. Calls: nothing.
 */
import type { MsrpLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { MsrpConnection } from './connection.ts';
import type { MsrpDialTarget } from './dialer.ts';
import type { MsrpIncomingMessage } from './receiving.ts';
import type { MsrpSessionReport } from './reports.ts';
import type { MsrpSendHost } from './sending.ts';
import type { MsrpEndReason } from './session-error.ts';
import type { MsrpSessionRelay } from './session-peer.ts';
import type { MsrpSinkFor } from './streams.ts';
import type { MsrpTrust } from './tls-client.ts';
import type { MsrpUri } from './uri.ts';

/** What the messenger learns from a session. */
export interface MsrpSessionDelegate {
  /** A whole message has come. Resolve = stored: only then its last chunk is answered with 200. */
  receiveMessage(message: MsrpIncomingMessage): Promise<void>;
  /** Where a message goes that is not to be collected in memory; `receiveMessage` is not called for it. */
  readonly sinkFor?: MsrpSinkFor;
  /** A REPORT, or a failure of a message with Failure-Report `partial` after it was sent. */
  receiveReport(report: MsrpSessionReport): void;
  /** The peer wants to be called so in the room that this is; resolves with the status. Absent: this is no room (501). */
  readonly receiveNickname?: (nickname: string) => Promise<number>;
  /** The peer visited; once for each connection, early visitors included. */
  receiveVisit(fromPath: readonly MsrpUri[]): void;
  /** A bound session ended by itself: connection lost, closed by the peer, fault. Once; never for our own close. */
  receiveClose(reason: MsrpEndReason): void;
}

/** What a session needs of its endpoint. */
export interface MsrpSessionHost extends MsrpSendHost {
  readonly log: Log;
  readonly limits: MsrpLimits;
  /** Opens a connection, from `localHost` if possible; `alone`: a full sink holds up all of it. Rejects with MsrpSessionError. */
  dial(
    target: MsrpDialTarget,
    options: {
      readonly localHost: string;
      readonly alone: boolean;
      readonly trust: MsrpTrust;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<MsrpConnection>;
  /** The session is closed. */
  forget(session: { readonly sessionId: string; readonly uri: MsrpUri }): void;
}

/** What a session is made of. */
export interface MsrpSessionOptions {
  readonly sessionId: string;
  /** Ends with the session's own URI. */
  readonly localPath: readonly MsrpUri[];
  readonly relay?: MsrpSessionRelay | undefined;
  /** Over TLS a peer without `a=fingerprint` is taken without proof; else only one with a certificate of an authority. */
  readonly unprovenAllowed?: boolean;
  readonly acceptTypes: readonly string[];
  readonly delegate: MsrpSessionDelegate;
  /** Ceilings of this session. */
  readonly limits: MsrpLimits;
}
