/**
 * Owns: the feed of newer versions: where it lies, whose it is, what is in it. Called by: updates.ts. Calls: node:crypto.
 *
 * `<url>/<channel>.json` says what there is, `<channel>.json.sig` is its signature (Ed25519, base64). Nothing in it is
 * looked at before the signature is; each file is named with its length and SHA-512, so one signature is for all.
 */
import { createPublicKey, verify } from 'node:crypto';
import * as v from 'valibot';
import { UPDATE_LIMITS } from '../../base/update-limits.ts';
import type { UpdateFailure } from '../../../shared/domain/update.ts';

/** Three numbers: which of two is newer is never a question of taste. */
const version = v.pipe(v.string(), v.maxLength(32), v.regex(/^\d{1,6}\.\d{1,6}\.\d{1,6}$/));

const feedFile = v.object({
  platform: v.picklist(['linux', 'win32', 'darwin']),
  arch: v.picklist(['x64', 'arm64']),
  kind: v.picklist(['AppImage', 'nsis', 'msi', 'deb', 'rpm', 'tar.gz', 'dmg', 'pkg']),
  /** Beside the feed. It is never the name of anything here. */
  name: v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._ -]{0,127}$/)),
  bytes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(UPDATE_LIMITS.maxPackageBytes)),
  /** Base64. */
  sha512: v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]{86}==$/)),
});
const feedSchema = v.object({ version, files: v.pipe(v.array(feedFile), v.maxLength(64)) });
export type Feed = v.InferOutput<typeof feedSchema>;
export type FeedFile = v.InferOutput<typeof feedFile>;

/** `fetch` of the host: in Electron it knows the proxies and authorities of the system. */
export type Fetch = (url: string, init: { readonly signal: AbortSignal }) => Promise<Response>;

export class UpdateError extends Error {
  override readonly name = 'UpdateError';
  readonly failure: UpdateFailure;

  constructor(failure: UpdateFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

export interface FeedPlace {
  /** A folder; `https:`, or `http:` on this computer. */
  readonly url: string;
  /** `stable`, or whatever its publisher has. */
  readonly channel: string;
  /** 32 bytes of an Ed25519 key, base64. */
  readonly key: string;
}

/** The address of something beside the feed. @throws UpdateError `not-trusted` when it could be read on the way. */
export function addressBeside(place: string, name: string): string {
  const url = new URL(encodeURIComponent(name), place.endsWith('/') ? place : `${place}/`);
  const isHere = url.hostname === '127.0.0.1' || url.hostname === '[::1]' || url.hostname === 'localhost';
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isHere))
    throw new UpdateError('not-trusted', `The feed has to be https://: ${url.origin}`);
  return url.href;
}

/** Reads the feed and whose it is. @throws UpdateError */
export async function readFeed(place: FeedPlace, fetch: Fetch, signal: AbortSignal): Promise<Feed> {
  const { maxFeedBytes, maxSignatureBytes } = UPDATE_LIMITS;
  const address = addressBeside(place.url, `${place.channel}.json`);
  const text = await readBytes(address, maxFeedBytes, fetch, signal);
  const signature = await readBytes(`${address}.sig`, maxSignatureBytes, fetch, signal);
  if (!isSignedBy(place.key, text, Buffer.from(signature.toString('latin1').trim(), 'base64')))
    throw new UpdateError('not-trusted', 'The feed is not signed with the key of the settings.');
  try {
    return v.parse(feedSchema, JSON.parse(text.toString('utf8')));
  } catch {
    throw new UpdateError('damaged', 'The feed is signed, but not as this version reads it.');
  }
}

function isSignedBy(key: string, text: Buffer, signature: Buffer): boolean {
  const raw = Buffer.from(key, 'base64');
  if (raw.length !== 32 || signature.length !== 64) return false;
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') };
  return verify(null, text, createPublicKey({ key: jwk, format: 'jwk' }), signature);
}

async function readBytes(
  address: string,
  maxBytes: number,
  fetch: Fetch,
  signal: AbortSignal,
): Promise<Buffer> {
  const body = await openBody(address, fetch, signal);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (bytes > maxBytes) throw new UpdateError('damaged', `${address} has more than ${maxBytes} bytes.`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** @throws UpdateError `unreachable` */
export async function openBody(
  address: string,
  fetch: Fetch,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  let answer: Response;
  try {
    answer = await fetch(address, { signal });
  } catch (error) {
    throw new UpdateError('unreachable', `${address}: ${String(error)}`);
  }
  if (!answer.ok || answer.body === null)
    throw new UpdateError('unreachable', `${address}: ${answer.status}`);
  return answer.body;
}

/** Is `a` newer than `b`? Both are three numbers with dots between. */
export function isNewer(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => text.split('.').map((part) => Number.parseInt(part, 10)));
  for (let place = 0; place < 3; place += 1) {
    const difference = (left?.[place] ?? 0) - (right?.[place] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
