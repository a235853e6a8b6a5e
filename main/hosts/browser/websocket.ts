/**
 * Owns: the contract over a WebSocket at `/ipc`, as JSON. Called by: web-host.ts. Calls: api-server.ts, ws.
 */
import type { Server } from 'node:http';
import { WebSocketServer, type WebSocket } from 'ws';
import { IPC_LIMITS } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { WindowApi } from '../api-server.ts';
import type { BrowserAccess } from './access.ts';

/** Close codes of our own (RFC 6455 §7.4.2). */
const TOO_SLOW = 4_001;
const TOO_MANY = 4_002;
const PING_MS = 30_000;

/** Windows on their sockets. Disposing closes every connection. */
export interface WindowSockets extends Disposable {
  /** Closes every connection: windows come again, and read everything anew. */
  cut(): void;
}

/** Attaches the WebSocket to an HTTP server. */
export function serveWebSocket(options: {
  server: Server;
  access: BrowserAccess;
  api: WindowApi;
  log: Log;
}): WindowSockets {
  const { server, access, api, log } = options;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: IPC_LIMITS.maxRequestBytes });
  server.on('upgrade', (request, socket, head) => {
    // Node hands the socket over without a listener of its own: a reset would end the program.
    socket.on('error', () => socket.destroy());
    const path = (request.url ?? '').split('?', 1)[0];
    if (path !== '/ipc' || !access.maySubscribe(request)) {
      log.warn('websocket.refused', { origin: request.headers.origin, host: request.headers.host });
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      serve(webSocket, api, log);
    });
  });
  const alive = setInterval(() => {
    for (const socket of sockets.clients) socket.ping();
  }, PING_MS);
  alive.unref();
  const cut = (): void => {
    for (const socket of sockets.clients) socket.terminate();
  };
  return {
    cut,
    [Symbol.dispose]: () => {
      clearInterval(alive);
      cut();
      sockets.close();
    },
  };
}

function serve(socket: WebSocket, api: WindowApi, log: Log): void {
  const send = (value: unknown): void => {
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > IPC_LIMITS.maxQueuedBytes) {
      socket.close(TOO_SLOW, 'read faster, then read your state anew');
      return;
    }
    socket.send(JSON.stringify(value));
  };
  const unsubscribe = api.subscribe(send);
  if (unsubscribe === undefined) {
    socket.close(TOO_MANY, 'too many windows');
    return;
  }
  socket.on('close', unsubscribe);
  socket.on('error', (error) => {
    log.info('websocket.failed', { error });
  });
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    void api.receiveCall(isBinary ? undefined : parse(data.toString('utf8'))).then(send);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
