/**
 * Owns: the loopback HTTP server of the browser host: the window's files, nothing else.
 * Called by: web-host.ts. Calls: access.ts, the built renderer.
 */
import { readFile, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';
import type { Log } from '../../base/log.ts';
import type { BrowserAccess } from './access.ts';

/** What the window may do: its own files and its own WebSocket. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};

const SECURITY_HEADERS = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), usb=()',
};

export interface HttpOptions {
  readonly access: BrowserAccess;
  readonly log: Log;
  /** Folder of the built renderer; without it only the WebSocket is served. */
  readonly rendererFolder?: string;
}

/** A server that is not listening yet. */
export function createHttpServer(options: HttpOptions): Server {
  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 16_384 },
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
  { access, rendererFolder }: HttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!access.isHostAllowed(request)) {
    respond(response, 421, 'Parley answers to this computer only.');
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    respond(response, 405, 'Only GET is possible here.');
    return;
  }
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  if (url === null) {
    respond(response, 400, 'This is no address of Parley.');
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
  const path = join(folder, pathname === '/' ? 'index.html' : decode(pathname));
  const type = TYPES[extname(path)];
  const inside = path.startsWith(folder + sep) && type !== undefined;
  const found = inside && (await stat(path).catch(() => undefined))?.isFile();
  if (!found) {
    respond(response, 404, 'There is no such file.');
    return;
  }
  // Built files carry a hash of their content in their name, the page itself does not.
  const cache = pathname.startsWith('/assets/') ? 'private, max-age=31536000, immutable' : 'no-store';
  const content = await readFile(path);
  response.writeHead(200, {
    ...SECURITY_HEADERS,
    'Content-Type': type,
    'Content-Length': content.length,
    'Cache-Control': cache,
  });
  response.end(request.method === 'HEAD' ? undefined : content);
}

/** Percent-encoding undone; empty, which is no file, when it is malformed. */
function decode(pathname: string): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return '';
  }
}

function respond(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    'Content-Type': 'text/plain; charset=utf-8',
    'Cache-Control': 'no-store',
  });
  response.end(`${text}\n`);
}
