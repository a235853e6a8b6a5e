/**
 * Owns: the built window's files: which of them an address names, and with what headers they are served.
 * Called by: browser/http.ts, electron/app-protocol.ts. Calls: nothing.
 */
import { extname, join, sep } from 'node:path';

/** What the window may do: its own files and its own way to the main process. */
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

/** On every answer of a host. */
export const SECURITY_HEADERS = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), usb=()',
} as const;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};

/** Where a file of the window would lie, and its content type. Whether it is there is not looked at. */
export interface WindowFile {
  readonly path: string;
  readonly type: string;
}

/** The file that the path of an address names; undefined when it lies outside of `folder` or is of no known type. */
export function windowFile(folder: string, pathname: string): WindowFile | undefined {
  let decoded: string;
  try {
    decoded = decodeURIComponent(pathname);
  } catch {
    return undefined;
  }
  if (decoded.includes('\0')) return undefined;
  const path = join(folder, decoded === '/' ? 'index.html' : decoded);
  const type = TYPES[extname(path)];
  return path.startsWith(folder + sep) && type !== undefined ? { path, type } : undefined;
}
