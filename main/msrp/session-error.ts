/**
 * Owns: the error that callers of a session get when it, and not the peer's status, ends their work.
 * Called by: connection.ts, session.ts, endpoint.ts. Calls: nothing.
 */

/** The stable codes of session failures. */
export type MsrpFailureCode =
  | 'MSRP_CONNECT_REFUSED'
  | 'MSRP_CONNECT_TIMEOUT'
  | 'MSRP_CONNECT_FAILED'
  | 'MSRP_TLS_FAILED'
  /** Not the certificate that the SDP announced. */
  | 'MSRP_WRONG_CERTIFICATE'
  /** None that an authority vouches for. */
  | 'MSRP_UNTRUSTED_CERTIFICATE'
  | 'MSRP_CONNECTION_LOST'
  | 'MSRP_CLOSED_BY_PEER'
  | 'MSRP_PEER_STALLED'
  | 'MSRP_FRAME_TIMEOUT'
  | 'MSRP_NO_VISIT'
  | 'MSRP_ABORTED'
  | 'MSRP_SESSION_CLOSED'
  | 'MSRP_BAD_STATE'
  | 'MSRP_UNSUPPORTED_URI'
  /** Codes of ProtocolErrors that ended a connection. */
  | `MSRP_${string}`;

/** A session or its connection failed. `code` is stable; nobody matches on the text. */
export class MsrpSessionError extends Error {
  override readonly name = 'MsrpSessionError';
  readonly code: MsrpFailureCode;

  constructor(code: MsrpFailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Why a session or a connection is over. */
export interface MsrpEndReason {
  readonly code: MsrpFailureCode;
  readonly message: string;
}
