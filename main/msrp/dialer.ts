/**
 * Owns: opening a TCP or TLS connection to a path, and saying precisely why that did not work.
 * Called by: endpoint.ts for sessions that visit and for relays. Calls: Node's sockets, tls-client.ts.
 */
import net from 'node:net';
import os from 'node:os';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import type { MsrpReads } from './reads.ts';
import { MsrpSessionError, type MsrpFailureCode } from './session-error.ts';
import { connectSecurely, shakeHands, type MsrpTlsOptions } from './tls-client.ts';
import type { MsrpUri } from './uri.ts';

/** How to dial. `preferredLocalHost`: some peers match our source address with our path. */
export interface MsrpDialOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly preferredLocalHost: string;
  readonly signal: AbortSignal | undefined;
  /** For `msrps`: what we show, and whom we expect. */
  readonly tls?: MsrpTlsOptions;
  /** Where the socket reads to; without it Node allocates for each read. */
  readonly reads?: MsrpReads;
}

/** The part of a URI that is dialled; with CEMA it comes from c= and m= (RFC 6714 §4). */
export type MsrpDialTarget = Pick<MsrpUri, 'scheme' | 'host' | 'port' | 'transport' | 'text'>;

const LOCAL_ADDRESS_FAULTS = new Set([
  'EADDRNOTAVAIL',
  'EINVAL',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EADDRINUSE',
]);

/**
 * Opens a socket to the first URI of a path. Rejects with MsrpSessionError: `MSRP_CONNECT_…` naming the address,
 * `MSRP_TLS_FAILED`, or `MSRP_…_CERTIFICATE` when somebody else than expected answers.
 */
export async function dialMsrpPeer(
  uri: MsrpDialTarget,
  options: MsrpDialOptions,
): Promise<net.Socket | TLSSocket> {
  const { tls } = options;
  if (uri.scheme !== 'msrps') return openSocket(uri, options, (place) => net.connect(place));
  if (tls === undefined) throw new MsrpSessionError('MSRP_UNSUPPORTED_URI', 'there is no TLS here');
  const socket = await openSocket(uri, options, (place) => connectSecurely(place, tls));
  return secured(socket, uri.host, tls, options);
}

async function secured(
  socket: TLSSocket,
  host: string,
  { trust }: MsrpTlsOptions,
  { clock, timeoutMs, signal }: MsrpDialOptions,
): Promise<TLSSocket> {
  const late = Promise.withResolvers<never>();
  const handshake = shakeHands(socket, host, trust);
  const stop = (code: MsrpFailureCode, message: string) => {
    late.reject(new MsrpSessionError(code, message));
    handshake.destroy();
  };
  const abort = () => stop('MSRP_ABORTED', `connecting to ${host} was given up`);
  using _timer = clock.startTimer(timeoutMs, () =>
    stop('MSRP_CONNECT_TIMEOUT', `no TLS with ${host} within ${timeoutMs} ms`),
  );
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted === true) abort();
  try {
    return await Promise.race([late.promise, handshake.done]);
  } finally {
    signal?.removeEventListener('abort', abort);
    late.promise.catch(() => undefined);
    handshake.done.catch(() => undefined);
  }
}

/** Connects a socket, which may have more to do afterwards. */
type Connect<S extends net.Socket> = (place: net.TcpNetConnectOpts) => S;

async function openSocket<S extends net.Socket>(
  uri: MsrpDialTarget,
  options: MsrpDialOptions,
  connect: Connect<S>,
): Promise<S> {
  if (uri.transport !== 'tcp') {
    throw new MsrpSessionError('MSRP_UNSUPPORTED_URI', `${uri.text}: only tcp is supported`);
  }
  if (uri.port === undefined || uri.port === 0) {
    throw new MsrpSessionError('MSRP_UNSUPPORTED_URI', `${uri.text}: no port to connect to`);
  }
  const target = { host: uri.host, port: uri.port };
  const localAddress = usableLocalAddress(options.preferredLocalHost, uri.host);
  if (localAddress !== undefined) {
    try {
      return await dial({ ...target, localAddress }, options, connect);
    } catch (error) {
      const code =
        error instanceof MsrpSessionError ? (error.cause as NodeJS.ErrnoException | undefined)?.code : '';
      if (!LOCAL_ADDRESS_FAULTS.has(code ?? '')) throw error;
    }
  }
  return dial(target, options, connect);
}

function usableLocalAddress(preferred: string, target: string): string | undefined {
  const family = net.isIP(preferred);
  if (family === 0 || family !== net.isIP(target)) return undefined;
  if (isLoopback(preferred) !== isLoopback(target)) return undefined;
  const isOurs = Object.values(os.networkInterfaces()).some((addresses) =>
    addresses?.some((address) => address.address === preferred),
  );
  return isOurs ? preferred : undefined;
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

function dial<S extends net.Socket>(
  target: { host: string; port: number; localAddress?: string },
  options: MsrpDialOptions,
  connect: Connect<S>,
): Promise<S> {
  const where = `${target.host}:${target.port}`;
  const { promise, resolve, reject } = Promise.withResolvers<S>();
  if (options.signal?.aborted === true) {
    reject(new MsrpSessionError('MSRP_ABORTED', `connecting to ${where} was given up`));
    return promise;
  }
  const reads = options.reads === undefined ? {} : { onread: options.reads.onread };
  const socket = connect({ ...target, ...reads, allowHalfOpen: true, noDelay: true });
  const timer = options.clock.startTimer(options.timeoutMs, () => {
    fail('MSRP_CONNECT_TIMEOUT', `no connection to ${where} within ${options.timeoutMs} ms`);
  });
  const abort = () => fail('MSRP_ABORTED', `connecting to ${where} was given up`);
  const receiveError = (error: NodeJS.ErrnoException) => {
    const code = error.code === 'ECONNREFUSED' ? 'MSRP_CONNECT_REFUSED' : 'MSRP_CONNECT_FAILED';
    fail(code, `cannot connect to ${where}: ${error.code ?? error.message}`, error);
  };
  function settle(): void {
    timer[Symbol.dispose]();
    options.signal?.removeEventListener('abort', abort);
    socket.off('error', receiveError);
    socket.off('connect', receiveConnect);
  }
  function fail(code: MsrpFailureCode, message: string, cause?: Error): void {
    settle();
    socket.on('error', () => undefined);
    socket.destroy();
    reject(new MsrpSessionError(code, message, { cause }));
  }
  function receiveConnect(): void {
    settle();
    resolve(socket);
  }
  options.signal?.addEventListener('abort', abort, { once: true });
  socket.on('error', receiveError);
  socket.on('connect', receiveConnect);
  return promise;
}
