/**
 * Owns: a stand-in for the browser host: serves out/renderer and answers the contract from memory.
 * Called by: people who look at views, tests that open the window in a browser. Calls: the memory backend, sample-picture.ts.
 *
 *   node test/support/scripted-backend.ts talking 4100
 */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { extname, join, resolve } from 'node:path';
import type * as Ws from 'ws';
import { MemoryBackend } from '../renderer/support/memory-backend.ts';
import { scenarios, type ScenarioName } from '../renderer/support/scenarios.ts';
import { samplePictureAt } from './sample-picture.ts';

/** Loaded by Node itself: tests of the window resolve packages for browsers, where `ws` has no server. */
const { WebSocketServer } = createRequire(import.meta.url)('ws') as typeof Ws;

const builtWindow = resolve(import.meta.dirname, '../../out/renderer');
const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "font-src 'self'",
].join('; ');

export class ScriptedBackend {
  readonly backend: MemoryBackend;
  readonly #http: Server;
  readonly #sockets: Ws.WebSocketServer;

  /** `root`: the folder of the built window. */
  constructor(scenario: ScenarioName, root = builtWindow) {
    this.backend = new MemoryBackend(scenarios[scenario]());
    this.#http = createServer((request, response) => {
      const picture = samplePictureAt(request.url ?? '');
      if (picture !== undefined) {
        response.writeHead(200, { 'content-type': 'image/png' }).end(picture);
        return;
      }
      const path = new URL(request.url ?? '/', 'http://localhost').pathname;
      const file = join(root, path === '/' ? 'index.html' : path);
      readFile(file).then(
        (content) => {
          response.writeHead(200, {
            'content-type': contentTypes[extname(file)] ?? 'application/octet-stream',
            'content-security-policy': contentSecurityPolicy,
          });
          response.end(content);
        },
        () => response.writeHead(404).end(),
      );
    });
    this.#sockets = new WebSocketServer({ server: this.#http, path: '/ipc' });
    this.#sockets.on('connection', (socket) => {
      const send = (frame: unknown): void => socket.send(JSON.stringify(frame));
      socket.on('close', this.backend.subscribe(send));
      socket.on('message', (data) => {
        const { id, call, input } = JSON.parse((data as Buffer).toString()) as {
          id: number;
          call: string;
          input: unknown;
        };
        void this.backend.invoke(call, input).then((answer) => send({ id, ...answer }));
      });
    });
  }

  async listen(port = 0): Promise<string> {
    await new Promise<void>((done) => this.#http.listen(port, '127.0.0.1', done));
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}/`;
  }

  /** Cuts every socket, as a program that has gone; `listen` again brings it back. */
  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#http.closeAllConnections();
    await new Promise((done) => this.#http.close(done));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

if (process.argv[1] === import.meta.filename) {
  const [scenario = 'talking', port = '4100'] = process.argv.slice(2);
  const address = await new ScriptedBackend(scenario as ScenarioName).listen(Number(port));
  console.log(`${scenario}: ${address}`);
}
