/**
 * Owns: an address of this computer from which Chromium fetches dictionaries for the spelling: it takes them from nowhere
 * but the network. Called by: spelling.ts. Calls: dictionary-folder.ts.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from '../../base/log.ts';
import { readDictionary, type Dictionary } from './dictionary-folder.ts';

/** Only Chromium asks, one file after the other. */
const MAX_CONNECTIONS = 16;
const REQUEST_MS = 10_000;
const SECRET_BYTES = 32;

/** Listens on the loopback interface from `start` on; who does not know its path gets nothing. */
export class DictionaryServer implements AsyncDisposable {
  readonly #files: ReadonlyMap<string, Dictionary>;
  readonly #log: Log;
  readonly #server: Server;
  readonly #folder = `/${randomBytes(SECRET_BYTES).toString('hex')}/`;

  constructor(dictionaries: readonly Dictionary[], log: Log) {
    this.#log = log;
    this.#files = new Map(dictionaries.map((dictionary) => [this.#folder + dictionary.name, dictionary]));
    this.#server = createServer({ requestTimeout: REQUEST_MS, keepAlive: false }, (request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        log.warn('dictionary.failed', { error });
        response.destroy();
      });
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** The address of the folder, with the slash at its end. Rejects with the error of the operating system. */
  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}${this.#folder}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer({ method, url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const file = this.#files.get(url);
    const bytes = file === undefined || method !== 'GET' ? undefined : await readDictionary(file.path);
    response.setHeader('Connection', 'close');
    if (bytes === undefined) {
      // The name tells which file a newer Chromium wants; only who knows the path is told of.
      if (url.startsWith(this.#folder))
        this.#log.warn('dictionary.missing', { name: url.slice(this.#folder.length) });
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'Content-Type': 'application/octet-stream',
      'Content-Length': bytes.length,
      'Cache-Control': 'no-store',
    });
    response.end(bytes);
  }
}
