/**
 * Owns: what the answer to a REGISTER says, to us and to the user. Called by: registration-flow.ts,
 * messenger/connection-report.ts. Calls: sip/headers.ts.
 */
import { parseNameAddrList } from '../headers.ts';
import type { SipHeaders } from '../message.ts';
import type { AgentResponse } from './agent-request.ts';

/** How widely those who have lost the server shall spread their return, in seconds: our IM Server says it with each 200. */
export const RETURN_WINDOW_HEADER = 'X-Return-Window';

/**
 * The MSRP relay of our IM Server, as it says with each 200: `msrps://host:port;tcp fingerprint="SHA-256 AA:…"`. The
 * host `0.0.0.0` or `[::]` stands for the address of the server.
 */
export const RELAY_HEADER = 'X-Message-Relay';

/** Who calls this address gets a new chat room (RFC 4579 §5.4 leaves open how it is known): `<sip:…>`. */
export const FACTORY_HEADER = 'X-Conference-Factory';

/** A number of seconds as Retry-After and the like have it, without its comment (RFC 3261 §20.33). */
export function secondsOf(value: string | undefined): number | undefined {
  const [, digits] = /^\s*(\d{1,9})(?:\s*[;(].*)?\s*$/.exec(value ?? '') ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** RFC 3261 §20.23. */
export function minExpires(headers: SipHeaders): number | undefined {
  return secondsOf(headers.get('min-expires'));
}

/** The window that the server asks for, not longer than `maxMs`. */
export function returnWindowMs(headers: SipHeaders, maxMs: number): number | undefined {
  const seconds = secondsOf(headers.get(RETURN_WINDOW_HEADER));
  return seconds === undefined ? undefined : Math.min(seconds * 1_000, maxMs);
}

/** The engine made this answer up: nothing came from the network. */
export function isUnsent({ source }: AgentResponse): boolean {
  return source.address === '';
}

/** The sentence of a Warning (RFC 3261 §20.43), else status and reason: why it failed, for the user. */
export function reasonOf({ message, status, reason }: AgentResponse): string {
  const warning = /^\s*\d{3}\s+\S+\s+"((?:[^"\\]|\\.)*)"/.exec(message.headers.get('warning') ?? '')?.[1];
  return warning === undefined ? `${status} ${reason}` : warning.replace(/\\(.)/g, '$1');
}

/**
 * The server has shown a certificate that is not to be trusted. It must never be got around by a plain connection, so
 * whatever the engine says of certificates counts.
 */
export function isCertificateFault(response: AgentResponse): boolean {
  return isUnsent(response) && /certificate/i.test(reasonOf(response));
}

/**
 * Nobody listens there, or nobody answers: another transport may be tried. Whoever speaks TLS at all, but not with us,
 * is somebody: a plain connection would be what an attacker wants.
 */
export function isNobodyThere(response: AgentResponse): boolean {
  const { status } = response;
  if (!isUnsent(response) || (status !== 503 && status !== 408)) return false;
  const reason = reasonOf(response);
  return /does not speak TLS/.test(reason) || !/certificate|\bTLS\b/i.test(reason);
}

/** The lifetime that the server granted: our Contact's expires, else Expires, else what we asked for. */
export function grantedSeconds(headers: SipHeaders, ours: string | undefined, asked: number): number {
  const granted: number[] = [];
  try {
    const contacts = headers.getAll('contact').flatMap(parseNameAddrList);
    // The other Contacts are other devices'; a server that writes ours in another way shows it among all.
    const own = contacts.filter(({ uri }) => uri === ours);
    for (const contact of own.length > 0 ? own : contacts) {
      const expires = Number(contact.params.get('expires'));
      if (Number.isInteger(expires) && expires > 0) granted.push(expires);
    }
  } catch {
    // A Contact that cannot be read says nothing about the lifetime.
  }
  const header = Number(headers.get('expires') ?? NaN);
  if (granted.length > 0) return Math.min(...granted, asked);
  return Number.isInteger(header) && header > 0 ? Math.min(header, asked) : asked;
}
