/**
 * Owns: the loopback HTTP server of the browser host: the window's files, and files of messages.
 * Called by: web-host.ts. Calls: access.ts, window-files.ts, file-requests.ts.
 */
import { readFile, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Log } from '../../base/log.ts';
import type { FileService } from '../shown-files.ts';
import { SECURITY_HEADERS, windowFile } from '../window-files.ts';
import type { BrowserAccess } from './access.ts';
import { receiveHandedIn, sendMessageFile } from './file-requests.ts';

export interface HttpOptions {
  readonly access: BrowserAccess;
  readonly log: Log;
  /** Folder of the built renderer; without it only the WebSocket is served. */
  readonly rendererFolder?: string;
  /** Without it no file is taken in or given out. */
  readonly files?: FileService;
}

/** A server that is not listening yet. */
export function createHttpServer(options: HttpOptions): Server {
  const server = createServer(
    // A file that is handed in takes as long as it takes; it has a timer of its own, and no other body is read.
    { requestTimeout: 0, headersTimeout: 5_000, maxHeaderSize: 16_384 },
    (request, response) => {
      receiveRequest(options, request, response).catch((error: unknown) => {
        options.log.error('http.failed', { error });
        respond(response, 500, 'Something went wrong inside Parley.');
      });
    },
  );
  server.maxConnections = 100;
  return server;
}

async function receiveRequest(
  { access, rendererFolder, files }: HttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!access.isHostAllowed(request)) {
    respond(response, 421, 'Parley answers to this computer only.');
    return;
  }
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  if (url === null) {
    respond(response, 400, 'This is no address of Parley.');
    return;
  }
  const mayHaveFiles = access.hasCookie(request) || access.hasBearer(request);
  if (files !== undefined && mayHaveFiles && request.method === 'POST' && url.pathname === '/files') {
    await receiveHandedIn(files, url, request, response);
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    respond(response, 405, 'Only GET is possible here.');
    return;
  }
  if (files !== undefined && mayHaveFiles && url.pathname.startsWith('/files/')) {
    await sendMessageFile(files, url, request, response);
    return;
  }
  const token = url.searchParams.get('token');
  if (url.pathname === '/' && token !== null) {
    const cookie = access.redeem(token, request);
    if (cookie === undefined && !access.hasCookie(request)) {
      respond(response, 403, 'This link has been used already. Start Parley again to get a new one.');
      return;
    }
    response.writeHead(303, {
      ...SECURITY_HEADERS,
      Location: '/',
      ...(cookie ? { 'Set-Cookie': cookie } : {}),
    });
    response.end();
    return;
  }
  if (!access.hasCookie(request)) {
    respond(response, 403, 'Open this window by starting Parley.');
    return;
  }
  if (rendererFolder === undefined) {
    respond(response, 404, 'This is Parley without a window.');
    return;
  }
  await sendFile(rendererFolder, url.pathname, request, response);
}

async function sendFile(
  folder: string,
  pathname: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const file = windowFile(folder, pathname);
  const found = file !== undefined && (await stat(file.path).catch(() => undefined))?.isFile();
  if (!found) {
    respond(response, 404, 'There is no such file.');
    return;
  }
  // Built files carry a hash of their content in their name, the page itself does not.
  const cache = pathname.startsWith('/assets/') ? 'private, max-age=31536000, immutable' : 'no-store';
  const content = await readFile(file.path);
  response.writeHead(200, {
    ...SECURITY_HEADERS,
    'Content-Type': file.type,
    'Content-Length': content.length,
    'Cache-Control': cache,
  });
  response.end(request.method === 'HEAD' ? undefined : content);
}

function respond(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    // A body that nobody has asked for is not read.
    ...(status === 405 ? { Connection: 'close' } : {}),
    'Content-Type': 'text/plain; charset=utf-8',
    'Cache-Control': 'no-store',
  });
  response.end(`${text}\n`);
}
