/**
 * Owns: `app://parley/…`: the built window's files, and nothing else of the disk.
 * Called by: main.ts. Calls: window-files.ts.
 */
import { readFile } from 'node:fs/promises';
import type { CustomScheme, Protocol } from 'electron';
import { SECURITY_HEADERS, windowFile } from '../window-files.ts';
import { APP_SCHEME, isOwnUrl } from './channels.ts';

/** For `registerSchemesAsPrivileged`, before Electron is ready. */
export const appScheme: CustomScheme = {
  scheme: APP_SCHEME,
  privileges: { standard: true, secure: true, supportFetchAPI: true, corsEnabled: true },
};

/** Answers requests from `folder`. */
export function serveAppProtocol(protocol: Protocol, folder: string): void {
  protocol.handle(APP_SCHEME, (request) => answer(request, folder));
}

async function answer(request: Request, folder: string): Promise<Response> {
  if (request.method !== 'GET') return refusal(405, 'Only GET is possible here.');
  const file = isOwnUrl(request.url) ? windowFile(folder, new URL(request.url).pathname) : undefined;
  if (file === undefined) return refusal(404, 'There is no such file.');
  try {
    return new Response(await readFile(file.path), {
      headers: { ...SECURITY_HEADERS, 'Content-Type': file.type },
    });
  } catch {
    return refusal(404, 'There is no such file.');
  }
}

function refusal(status: number, text: string): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { ...SECURITY_HEADERS, 'Content-Type': 'text/plain; charset=utf-8' },
  });
}
