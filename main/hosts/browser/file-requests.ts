/**
 * Owns: `/files`: files that the window hands in, and files of messages that it shows or saves.
 * Called by: http.ts, after Host and cookie have been checked. Calls: shown-files.ts, handed-in.ts.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { MessageId } from '../../../shared/domain/ids.ts';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import { systemClock } from '../../base/clock.ts';
import { IPC_LIMITS } from '../../base/limits.ts';
import type { ReadFile } from '../../messenger/reader/reading-files.ts';
import { isShownType, keepHandedIn } from '../handed-in.ts';
import type { FileService } from '../shown-files.ts';
import { SECURITY_HEADERS } from '../window-files.ts';

let handingIn = 0;

/** `POST /files?name=…&type=…` with the bytes; answered with `{"fileId": …}`. */
export async function receiveHandedIn(
  service: FileService,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { origin, host } = request.headers;
  // A cookie comes along with whatever any page sends here; the Origin says which page it was.
  if (origin !== undefined && origin !== `http://${host ?? ''}`) {
    refuse(response, 403, 'not-allowed', 'Files are handed in by the window of Parley only.');
    return;
  }
  const files = service.handedIn();
  if (files === undefined) {
    refuse(response, 403, 'read-only', 'This window takes no files.');
    return;
  }
  if (handingIn >= IPC_LIMITS.maxHandedIn) {
    refuse(response, 503, 'too-many', 'Too many files at once. Wait for some of them.');
    return;
  }
  handingIn += 1;
  const stalled = new AbortController();
  let timer = systemClock.startTimer(IPC_LIMITS.handInStallMs, () => stalled.abort());
  request.on('data', () => {
    timer[Symbol.dispose]();
    timer = systemClock.startTimer(IPC_LIMITS.handInStallMs, () => stalled.abort());
  });
  request.pause();
  try {
    const name = url.searchParams.get('name') ?? '';
    const path = await keepHandedIn(files.folder, name, request, stalled.signal);
    const fileId = files.choose({ path, name, type: url.searchParams.get('type') ?? '' });
    answer(response, 200, { fileId });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT')
      refuse(response, 507, 'disk-full', 'The disk is full. Make room, then try again.');
    else refuse(response, 500, 'internal', 'The file could not be kept.');
  } finally {
    timer[Symbol.dispose]();
    handingIn -= 1;
  }
}

/** `GET /files/<message id>`: to save it; with `?shown` a picture that the window shows. */
export async function sendMessageFile(
  files: FileService,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let file: ReadFile | undefined;
  try {
    file = await files.fileOf(decodeURIComponent(url.pathname.slice('/files/'.length)) as MessageId);
  } catch (error) {
    if (!(error instanceof CallError) && !(error instanceof URIError)) throw error;
    refuse(response, 404, 'not-found', error.message);
    return;
  }
  if (file === undefined) {
    refuse(response, 404, 'not-open', 'The history is not open yet.');
    return;
  }
  const shown = url.searchParams.has('shown');
  if (shown && !isShownType(file.type)) {
    refuse(response, 415, 'not-allowed', 'This is no picture that the window shows.');
    return;
  }
  response.writeHead(200, {
    ...SECURITY_HEADERS,
    // Whoever opens it directly gets a picture and nothing that runs.
    'Content-Security-Policy': "default-src 'none'; sandbox",
    'Content-Type': shown ? file.type : 'application/octet-stream',
    'Content-Length': file.size,
    'Content-Disposition': shown ? 'inline' : attachment(file.name),
    'Cache-Control': 'private, no-store',
  });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  // A window that closes in the middle is no mistake of ours.
  await pipeline(file.bytes(), response).catch(() => response.destroy());
}

/** RFC 6266 with RFC 8187: the name in UTF-8, and a plain one for whoever reads that only. */
function attachment(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

function answer(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    'Content-Type': 'application/json; charset=utf-8',
    'Cache-Control': 'no-store',
    // What is left of a body that was not read to its end is not read any more.
    ...(status === 200 ? {} : { Connection: 'close' }),
  });
  response.end(JSON.stringify(body));
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  answer(response, status, { code, message });
}
