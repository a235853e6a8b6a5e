/**
 * Owns: why a peer could not be reached, as one plain sentence, and the Warning that carries it (RFC 3261 §20.43).
 * Called by: resolver, connections, failover, the senders of made-up responses. Calls: sip/headers, sip/uri.
 */
import { quote } from '../headers.ts';
import { hostOfAddress } from '../uri.ts';

/** `name`: nothing was found to send to; `connection`: what was found could not be reached. */
export type UnreachableKind = 'name' | 'connection';

/** An expected failure. `message` is a sentence that a person can read; nobody matches on it. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
  readonly kind: UnreachableKind;

  constructor(kind: UnreachableKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** `address:port`, with the brackets of IPv6. */
export function placeOf(address: string, port: number): string {
  return `${hostOfAddress(address)}:${port}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** What the operating system said about a connection to `place`. */
export function socketSentence(error: unknown, place: string): string {
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return `connection to ${place} refused`;
    case 'ECONNRESET':
    case 'EPIPE':
      return `connection to ${place} was broken off by the other side`;
    case 'ETIMEDOUT':
      return `no answer from ${place}`;
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
    case 'EADDRNOTAVAIL':
    case 'ENETDOWN':
    case 'EHOSTDOWN':
      return `no route to ${place}`;
    case 'EACCES':
    case 'EPERM':
      return `connection to ${place} is not permitted on this machine`;
    case 'EMSGSIZE':
      return `the message is too large for a datagram to ${place}`;
    default:
      return `connection to ${place} failed (${error instanceof Error ? error.message : String(error)})`;
  }
}

/** The sentence of any failure of sending. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `399 host "sentence"`. `address` is ours, `''` when there was no socket at all. */
export function warningValue(address: string, sentence: string): string {
  return `399 ${address === '' ? 'localhost' : hostOfAddress(address)} ${quote(sentence)}`;
}
