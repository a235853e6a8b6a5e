/**
 * Owns: the one error type for mistakes of a peer. Called by: parsers and state machines. Calls: nothing.
 */

/** What to do with the peer: answer with this status code, or close the connection without an answer. */
export type PeerAnswer = number | 'close';

/** A peer broke a rule of the protocol. `code` is stable (`MSRP_CHUNK_FLOOD`); nobody matches on the text. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: string;
  readonly answer: PeerAnswer;

  constructor(code: string, answer: PeerAnswer, message: string) {
    super(message);
    this.code = code;
    this.answer = answer;
  }
}
