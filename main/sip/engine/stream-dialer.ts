/**
 * Owns: opening a TCP or TLS connection, and the race between several addresses of one name (RFC 8305).
 * Called by: transport.ts. Calls: node:net, node:tls, stream-connection.ts by way of the function it was given.
 */
import { connect, isIPv6, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import type { Clock, Timer } from '../../base/clock.ts';
import { SIP_NETWORK_LIMITS } from '../../base/limits.ts';
import { isNumericHost } from '../uri.ts';
import type { StreamConnection, StreamOpening } from './stream-connection.ts';
import { certificateFault } from './tls-identity.ts';
import { placeOf, sentenceOf, Unreachable } from './unreachable.ts';

/** A socket on its way, and how it becomes usable. */
export interface Dialled {
  readonly socket: Socket;
  readonly opening: StreamOpening;
}

/** Begins a TCP connection. */
export function dialTcp(address: string, port: number): Dialled {
  return { socket: connect({ host: address, port }), opening: { event: 'connect' } };
}

/**
 * Begins a TLS connection. The peer is checked before a byte of ours leaves: its certificate must be trusted and speak
 * for `domain` (RFC 5922 §7).
 */
export function dialTls(
  target: { readonly address: string; readonly port: number; readonly domain: string },
  context: SecureContext,
  checkPeer: boolean,
): Dialled {
  const { address, port, domain } = target;
  const isName = !isNumericHost(domain) && !isIPv6(domain) && domain !== '';
  const socket = connectTls({
    host: address,
    port,
    secureContext: context,
    minVersion: 'TLSv1.2',
    // Node's own checks stop at the first fault with a code; ours says what is wrong, before anything is sent.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...(isName ? { servername: domain } : {}),
  });
  const check = (): string | undefined => certificateFault(socket, domain, nameOf(target));
  return { socket, opening: { event: 'secureConnect', ...(checkPeer ? { check } : {}) } };
}

function nameOf(target: {
  readonly address: string;
  readonly port: number;
  readonly domain: string;
}): string {
  const { address, port, domain } = target;
  return domain === '' || domain === address
    ? placeOf(address, port)
    : `${domain} (${placeOf(address, port)})`;
}

/** The families in turn, IPv6 first, each in its own order (RFC 8305 §4). */
export function interleave(addresses: readonly string[]): string[] {
  const six = addresses.filter((address) => isIPv6(address));
  const four = addresses.filter((address) => !isIPv6(address));
  const mixed: string[] = [];
  for (let i = 0; i < Math.max(six.length, four.length); i += 1) {
    mixed.push(...six.slice(i, i + 1), ...four.slice(i, i + 1));
  }
  return mixed.slice(0, SIP_NETWORK_LIMITS.maxAddresses);
}

/**
 * Connects to the first address that answers: the next one is tried as soon as one fails, or after 250 ms beside it
 * (RFC 8305 §5). Those that come second are closed. Rejects with {@link Unreachable} when none answers.
 */
export async function raceConnections(
  clock: Clock,
  addresses: readonly string[],
  dial: (address: string) => StreamConnection,
): Promise<StreamConnection> {
  const waiting = [...addresses];
  const running = new Set<StreamConnection>();
  const faults = new Set<string>();
  let timer: Timer | undefined;
  let over = false;
  return new Promise((done, fail) => {
    const end = (): void => {
      over = true;
      timer?.[Symbol.dispose]();
    };
    const next = (): void => {
      timer?.[Symbol.dispose]();
      const address = waiting.shift();
      if (address === undefined) {
        if (running.size > 0) return;
        end();
        fail(new Unreachable('connection', [...faults].join('; ')));
        return;
      }
      let connection: StreamConnection;
      try {
        connection = dial(address);
      } catch (error) {
        faults.add(sentenceOf(error));
        next();
        return;
      }
      running.add(connection);
      if (waiting.length > 0) timer = clock.startTimer(SIP_NETWORK_LIMITS.connectionAttemptDelayMs, next);
      connection.whenUsable().then(
        () => {
          if (over) return;
          end();
          for (const loser of running) if (loser !== connection) loser[Symbol.dispose]();
          done(connection);
        },
        (error: unknown) => {
          running.delete(connection);
          if (over) return;
          faults.add(sentenceOf(error));
          next();
        },
      );
    };
    next();
  });
}
