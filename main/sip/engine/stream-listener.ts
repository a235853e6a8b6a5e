/**
 * Owns: a listening TCP or TLS socket. Called by: transport.ts. Calls: node:net, node:tls and the receiver it was given.
 */
import { once } from 'node:events';
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { TLSSocket, type SecureContext } from 'node:tls';
import { SIP_LIMITS } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { plainAddress } from '../uri.ts';
import type { StreamOpening } from './stream-connection.ts';

/** A connection that somebody opened to us. For TLS its handshake is still to come. */
export interface Arrived {
  readonly socket: Socket;
  readonly opening: StreamOpening;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
}

/** A bound server. */
export class StreamListener {
  readonly transport: 'tcp' | 'tls';
  readonly host: string;
  readonly port: number;
  readonly #server: Server;

  private constructor(transport: 'tcp' | 'tls', host: string, port: number, server: Server) {
    this.transport = transport;
    this.host = host;
    this.port = port;
    this.#server = server;
  }

  /**
   * Binds. `admit` decides by the address whether a connection may stay; `receive` gets those that may.
   * @throws the error of the operating system (`EADDRINUSE`)
   */
  static async open(options: {
    readonly host: string;
    readonly port: number;
    /** For TLS: with our certificate as it is now. */
    readonly context: (() => SecureContext) | undefined;
    readonly log: Log;
    readonly admit: (remoteAddress: string) => boolean;
    readonly receive: (listener: StreamListener, arrived: Arrived) => void;
  }): Promise<StreamListener> {
    const { host, context, log, admit } = options;
    const transport = context === undefined ? 'tcp' : 'tls';
    const server = createServer({ noDelay: true, allowHalfOpen: context === undefined });
    server.maxConnections = SIP_LIMITS.maxConnections;
    const bound = once(server, 'listening');
    server.listen({ port: options.port, host, ipv6Only: isIPv6(host) });
    await bound;
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('server without an address');
    const listener = new StreamListener(transport, address.address, address.port, server);
    server.on('error', (error) => log.warn('sip.listener.error', { error, transport }));
    server.on('connection', (socket) => {
      const { remoteAddress, remotePort, localAddress } = socket;
      const isThere = remoteAddress !== undefined && remotePort !== undefined && localAddress !== undefined;
      if (!isThere || !admit(plainAddress(remoteAddress))) {
        socket.on('error', () => undefined);
        socket.destroy();
        return;
      }
      options.receive(listener, {
        ...opened(socket, context?.()),
        remoteAddress: plainAddress(remoteAddress),
        remotePort,
        localAddress: plainAddress(localAddress),
      });
    });
    return listener;
  }

  /** Takes no more connections; resolves when those that it took are gone. */
  async close(): Promise<void> {
    await new Promise<void>((done) => this.#server.close(() => done()));
  }
}

/** Our clients have no certificates: none is asked for, a user shows who he is by digest (RFC 3261 §26.3.2). */
function opened(socket: Socket, context: SecureContext | undefined): Pick<Arrived, 'socket' | 'opening'> {
  if (context === undefined) return { socket, opening: { event: undefined } };
  const secure = new TLSSocket(socket, {
    isServer: true,
    secureContext: context,
    requestCert: false,
    rejectUnauthorized: false,
  });
  // What goes wrong below ends the TLS socket as well, which says so.
  socket.on('error', () => undefined);
  return { socket: secure, opening: { event: 'secure' } };
}
