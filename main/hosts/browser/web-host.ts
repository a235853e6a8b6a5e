/**
 * Owns: one loopback server with its files and its WebSocket. Called by: browser/main.ts, headless/main.ts.
 * Calls: http.ts, websocket.ts, access.ts.
 */
import type { AddressInfo } from 'node:net';
import { Lifetime } from '../../base/lifetime.ts';
import type { Log } from '../../base/log.ts';
import type { WindowApi } from '../api-server.ts';
import type { FileService } from '../shown-files.ts';
import { BrowserAccess } from './access.ts';
import { createHttpServer } from './http.ts';
import { serveWebSocket, type WindowSockets } from './websocket.ts';

/** A running server. */
export class WebHost implements AsyncDisposable {
  readonly access: BrowserAccess;
  readonly port: number;
  readonly #sockets: WindowSockets;
  readonly #lifetime: Lifetime;

  private constructor(access: BrowserAccess, port: number, sockets: WindowSockets, lifetime: Lifetime) {
    this.access = access;
    this.port = port;
    this.#sockets = sockets;
    this.#lifetime = lifetime;
  }

  static async start(options: {
    api: WindowApi;
    log: Log;
    port?: number;
    rendererFolder?: string;
    files?: FileService;
  }): Promise<WebHost> {
    const { api, log, port = 0, rendererFolder, files } = options;
    const access = new BrowserAccess();
    const lifetime = new Lifetime();
    const server = createHttpServer({
      access,
      log,
      ...(rendererFolder ? { rendererFolder } : {}),
      ...(files ? { files } : {}),
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    lifetime.defer(async () => {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    });
    const sockets = lifetime.own(serveWebSocket({ server, access, api, log }));
    return new WebHost(access, (server.address() as AddressInfo).port, sockets, lifetime);
  }

  /** Closes every connection of a window: it comes again, and reads everything anew. */
  cut(): void {
    this.#sockets.cut();
  }

  /** A link that opens one window. */
  issueUrl(): string {
    return `http://127.0.0.1:${this.port}/?token=${this.access.issueToken()}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }
}
