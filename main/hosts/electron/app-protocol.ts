/**
 * Owns: `app://parley/…`: the built window's files, and nothing else of the disk.
 * Called by: main.ts. Calls: the file system.
 */
import { readFile } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import type { CustomScheme, Protocol } from 'electron';
import { CONTENT_SECURITY_POLICY } from '../browser/http.ts';
import { APP_SCHEME, isOwnUrl } from './channels.ts';

/** For `registerSchemesAsPrivileged`, before Electron is ready. */
export const appScheme: CustomScheme = {
  scheme: APP_SCHEME,
  privileges: { standard: true, secure: true, supportFetchAPI: true, corsEnabled: true },
};

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};

const HEADERS = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), usb=()',
} as const;

/** Answers requests from `folder`. */
export function serveAppProtocol(protocol: Protocol, folder: string): void {
  protocol.handle(APP_SCHEME, (request) => answer(request, folder));
}

async function answer(request: Request, folder: string): Promise<Response> {
  if (request.method !== 'GET') return refusal(405, 'Only GET is possible here.');
  const path = isOwnUrl(request.url) ? pathInside(folder, new URL(request.url).pathname) : undefined;
  const type = path === undefined ? undefined : TYPES[extname(path)];
  if (path === undefined || type === undefined) return refusal(404, 'There is no such file.');
  try {
    return new Response(await readFile(path), { headers: { ...HEADERS, 'Content-Type': type } });
  } catch {
    return refusal(404, 'There is no such file.');
  }
}

/** The file that an address names, or undefined when it would lie outside of `folder` or is no address at all. */
export function pathInside(folder: string, pathname: string): string | undefined {
  let decoded: string;
  try {
    decoded = decodeURIComponent(pathname);
  } catch {
    return undefined;
  }
  if (decoded.includes('\0')) return undefined;
  const path = join(folder, decoded === '/' ? 'index.html' : decoded);
  return path.startsWith(folder + sep) ? path : undefined;
}

function refusal(status: number, text: string): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { ...HEADERS, 'Content-Type': 'text/plain; charset=utf-8' },
  });
}
