/**
 * Owns: what SDP says about a file (RFC 5547 §6): selector, transfer id, range, disposition, date, icon.
 * Called by: main/messenger/file-call.ts. Calls: sdp.ts for the attribute shapes.
 */
import { MSRP_LIMITS } from '../base/limits.ts';
import type { MsrpDescription, SdpAttribute } from './sdp.ts';

/** A file as an offer or answer describes it. Hashes are lower-case hexadecimal. */
export interface FileDescription {
  /** Which way it goes, from the view of whoever says so. */
  readonly direction: 'sendonly' | 'recvonly';
  /** As the peer wrote it: not yet safe as a name on disk. */
  readonly name: string | undefined;
  readonly type: string | undefined;
  readonly size: number | undefined;
  readonly sha1: string | undefined;
  /** Our own addition: RFC 5547 knows SHA-1 only. */
  readonly sha256: string | undefined;
  readonly transferId: string | undefined;
  /** `render`: to be shown in the conversation; `attachment`: to be kept. */
  readonly disposition: 'render' | 'attachment';
  /** Last change of the file. */
  readonly modifiedMs: number | undefined;
  /** First byte that is sent or wanted, counted from 0. */
  readonly start: number;
  /** When its sender has sent it; undefined: he does not say. */
  readonly sentMs?: number | undefined;
  /** Content-ID of the part that has the thumbnail. */
  readonly iconId: string | undefined;
}

/** In an answer: who is called is away, and his server keeps the file for him. Our own addition. */
export const KEPT_ATTRIBUTE = 'x-parley-kept';
/** Of a room: its server keeps files for its members. Our own addition. */
export const ROOM_FILES_ATTRIBUTE = 'x-parley-room-files';
/** When its sender has sent it, which may be long before it leaves (RFC 3339). Our own addition. */
const SENT_ATTRIBUTE = 'x-parley-sent';
const SHA256_ATTRIBUTE = 'x-parley-sha-256';
const ID = /^[\x21-\x7e]{1,200}$/;
const TYPE = /^[\w!#$&.+^-]{1,64}\/[\w!#$&.+^-]{1,64}(?:;[\x20-\x7e]{1,200})?$/;

/** The attributes of the message line for a file (RFC 5547 §6). */
export function fileAttributes(file: FileDescription): SdpAttribute[] {
  const selector = [
    ...(file.name === undefined ? [] : [`name:"${escapeName(file.name)}"`]),
    ...(file.type === undefined ? [] : [`type:${file.type}`]),
    ...(file.size === undefined ? [] : [`size:${file.size}`]),
    ...(file.sha1 === undefined ? [] : [`hash:sha-1:${toPairs(file.sha1)}`]),
  ];
  return [
    { name: file.direction, value: undefined },
    { name: 'file-selector', value: selector.join(' ') },
    ...attribute(SHA256_ATTRIBUTE, file.sha256 && toPairs(file.sha256)),
    ...attribute('file-transfer-id', file.transferId),
    { name: 'file-disposition', value: file.disposition },
    ...attribute(
      'file-date',
      file.modifiedMs === undefined ? undefined : `modification:"${toDate(file.modifiedMs)}"`,
    ),
    ...attribute(SENT_ATTRIBUTE, file.sentMs === undefined ? undefined : new Date(file.sentMs).toISOString()),
    ...attribute('file-icon', file.iconId === undefined ? undefined : `cid:${file.iconId}`),
    // Bytes count from 1 here (RFC 5547 §6).
    ...attribute('file-range', file.start === 0 ? undefined : `${file.start + 1}-${file.size ?? '*'}`),
  ];
}

/** Reads a file from a message line; undefined when it is not about one. Never throws: what is odd is left out. */
export function parseFile({ attributes }: MsrpDescription): FileDescription | undefined {
  const value = (name: string): string | undefined =>
    attributes.find((attribute) => attribute.name === name)?.value;
  const selector = value('file-selector');
  if (selector === undefined && !attributes.some(({ name }) => name === 'file-selector')) return undefined;
  const fields = readSelector(selector ?? '');
  const transferId = value('file-transfer-id');
  const date = /modification:"([^"]{1,64})"/.exec(value('file-date') ?? '')?.[1];
  const modifiedMs = Date.parse(date ?? '');
  const sentMs = Date.parse((value(SENT_ATTRIBUTE) ?? '').slice(0, 40));
  const iconId = /^cid:(.{1,200})$/.exec(value('file-icon') ?? '')?.[1];
  const start = /^(\d{1,15})-(?:\d{1,15}|\*)$/.exec(value('file-range') ?? '')?.[1];
  return {
    direction: attributes.some(({ name }) => name === 'recvonly') ? 'recvonly' : 'sendonly',
    ...fields,
    sha256: fromPairs(value(SHA256_ATTRIBUTE), 32),
    transferId: transferId !== undefined && ID.test(transferId) ? transferId : undefined,
    disposition: value('file-disposition') === 'render' ? 'render' : 'attachment',
    modifiedMs: Number.isNaN(modifiedMs) ? undefined : modifiedMs,
    start: Math.max(0, Number(start ?? 1) - 1),
    sentMs: Number.isNaN(sentMs) ? undefined : sentMs,
    iconId,
  };
}

const FIELD = /(?:^|\s)(name:"([^"]*)"|type:(\S+)|size:(\d{1,15})|hash:([\w-]+):([0-9A-Fa-f:]+))(?=\s|$)/g;

/** The selectors in any order; unknown ones end the reading of what they hide only. */
function readSelector(text: string): Pick<FileDescription, 'name' | 'type' | 'size' | 'sha1'> {
  const found: { name?: string; type?: string; size?: number; sha1?: string | undefined } = {};
  const bounded = text.slice(0, MSRP_LIMITS.maxFileSelectorChars);
  for (const [, , name, type, size, algorithm, hash] of bounded.matchAll(FIELD)) {
    if (name !== undefined) found.name = unescapeName(name);
    else if (type !== undefined) {
      if (TYPE.test(type)) found.type = type.toLowerCase();
    } else if (size !== undefined) found.size = Number(size);
    else if (algorithm?.toLowerCase() === 'sha-1') found.sha1 = fromPairs(hash, 20);
  }
  return { name: found.name, type: found.type, size: found.size, sha1: found.sha1 };
}

/** RFC 5547 §6: NUL, CR, LF, the quotation mark and the percent sign are percent-encoded. */
function escapeName(name: string): string {
  return name.replace(/[\0\r\n"%]/g, (character) => encodeURIComponent(character));
}

function unescapeName(text: string): string {
  return text.replace(/%(00|0[AD]|2[25])/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
}

/** Upper-case pairs with colons. */
function toPairs(hex: string): string {
  return hex.toUpperCase().match(/../g)?.join(':') ?? '';
}

function fromPairs(text: string | undefined, bytes: number): string | undefined {
  const hex = (text ?? '').replaceAll(':', '').toLowerCase();
  return /^[0-9a-f]+$/.test(hex) && hex.length === bytes * 2 ? hex : undefined;
}

/** RFC 5322 with a numeric zone, as the examples have it. */
function toDate(ms: number): string {
  return new Date(ms).toUTCString().replace('GMT', '+0000');
}

function attribute(name: string, value: string | undefined): SdpAttribute[] {
  return value === undefined ? [] : [{ name, value }];
}
