/**
 * Owns: `app://…/…`: the built window's files, pictures of messages, and nothing else of the disk.
 * Called by: main.ts. Calls: window-files.ts, shown-files.ts.
 */
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { CustomScheme, Protocol } from 'electron';
import type { MessageId } from '../../../shared/domain/ids.ts';
import { isShownType } from '../handed-in.ts';
import type { ShownFiles } from '../shown-files.ts';
import { SECURITY_HEADERS, windowFile } from '../window-files.ts';
import { APP_SCHEME, ownHost } from './channels.ts';

/** For `registerSchemesAsPrivileged`, before Electron is ready. */
export const appScheme: CustomScheme = {
  scheme: APP_SCHEME,
  privileges: { standard: true, secure: true, supportFetchAPI: true, corsEnabled: true },
};

/** The files behind the window with this host; undefined when there is none. */
type PicturesOf = (host: string) => ShownFiles | undefined;

/** Answers requests from `folder`, and for pictures of messages. */
export function serveAppProtocol(protocol: Protocol, folder: string, picturesOf: PicturesOf): void {
  protocol.handle(APP_SCHEME, (request) => answer(request, folder, picturesOf));
}

async function answer(request: Request, folder: string, picturesOf: PicturesOf): Promise<Response> {
  if (request.method !== 'GET') return refusal(405, 'Only GET is possible here.');
  const host = ownHost(request.url);
  if (host === undefined) return refusal(404, 'There is no such file.');
  const { pathname } = new URL(request.url);
  if (pathname.startsWith('/files/'))
    return answerPicture(pathname.slice('/files/'.length), picturesOf(host));
  const file = windowFile(folder, pathname);
  if (file === undefined) return refusal(404, 'There is no such file.');
  try {
    return new Response(await readFile(file.path), {
      headers: { ...SECURITY_HEADERS, 'Content-Type': file.type },
    });
  } catch {
    return refusal(404, 'There is no such file.');
  }
}

async function answerPicture(id: string, files: ShownFiles | undefined): Promise<Response> {
  const file = await files?.fileOf(id as MessageId).catch(() => undefined);
  if (file === undefined || !isShownType(file.type)) return refusal(404, 'There is no such picture.');
  // What Node streams and what the web streams differ in their types only.
  const body = Readable.toWeb(file.bytes()) as unknown as ConstructorParameters<typeof Response>[0];
  return new Response(body, {
    headers: {
      ...SECURITY_HEADERS,
      'Content-Security-Policy': "default-src 'none'; sandbox",
      'Content-Type': file.type,
      'Content-Length': String(file.size),
    },
  });
}

function refusal(status: number, text: string): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { ...SECURITY_HEADERS, 'Content-Type': 'text/plain; charset=utf-8' },
  });
}
