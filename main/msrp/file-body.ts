/**
 * Owns: the body of an invitation to a file: SDP alone, or with a thumbnail beside it (RFC 5547 §6, multipart/related);
 * and of what tells of a file without inviting anybody. Called by: messenger/file-call.ts, messenger/file-offer.ts,
 * imserver/kept-files.ts, imserver/rooms. Calls: file-sdp.ts, sdp.ts.
 */
import { randomBytes } from 'node:crypto';
import { fileAttributes, type FileDescription } from './file-sdp.ts';
import { buildMsrpOffer } from './sdp.ts';
import { parseMsrpUri } from './uri.ts';

/** A thumbnail; `id` is what `a=file-icon:cid:` names. */
export interface FileIcon {
  readonly id: string;
  readonly type: 'image/jpeg' | 'image/png';
  readonly bytes: Uint8Array;
}

/** A body with its Content-Type. */
export interface InviteBody {
  readonly contentType: string;
  readonly body: string;
}

/** Text all the way: the thumbnail as base64, so that no program on the way can break it. */
export function buildInviteBody(sdp: string, icon: FileIcon | undefined): InviteBody {
  if (icon === undefined) return { contentType: 'application/sdp', body: sdp };
  const boundary = `parley-${randomBytes(12).toString('hex')}`;
  const encoded = Buffer.from(icon.bytes).toString('base64').replace(/.{76}/g, '$&\r\n');
  return {
    contentType: `multipart/related;type="application/sdp";boundary="${boundary}"`,
    body: [
      `--${boundary}`,
      'Content-Type: application/sdp',
      '',
      sdp,
      `--${boundary}`,
      `Content-Type: ${icon.type}`,
      'Content-Transfer-Encoding: base64',
      `Content-ID: <${icon.id}>`,
      'Content-Disposition: icon',
      '',
      encoded,
      `--${boundary}--`,
      '',
    ].join('\r\n'),
  };
}

/** Nobody is to come anywhere: the file is asked for by its id. */
const NO_PLACE = [parseMsrpUri('msrps://file.invalid:9/told;tcp')];

/** What other devices, or the members of a room, are told of a file, in the form of an offer. */
export function buildToldFile(
  file: Omit<FileDescription, 'direction' | 'start' | 'iconId'>,
  icon: FileIcon | undefined,
): InviteBody {
  const attributes = fileAttributes({ ...file, direction: 'sendonly', start: 0, iconId: icon?.id });
  return buildInviteBody(buildMsrpOffer({ path: NO_PLACE, acceptTypes: ['*'], attributes }), icon);
}

const MAX_PARTS = 8;

/** Takes a body apart: the SDP, and pictures by their Content-ID. Never throws; without parts the body is the SDP. */
export function readInviteBody(
  contentType: string | undefined,
  body: string,
  maxIconBytes: number,
): { readonly sdp: string; readonly icon: (id: string | undefined) => FileIcon | undefined } {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType ?? '') ?? [];
  const boundary = quoted ?? plain;
  if (!/^multipart\//i.test(contentType ?? '') || boundary === undefined) {
    return { sdp: body, icon: () => undefined };
  }
  const parts = `\r\n${body}`.split(`\r\n--${boundary}`, MAX_PARTS).slice(1).map(readPart);
  const sdp = parts.find(({ type }) => type === 'application/sdp')?.content ?? '';
  return {
    sdp: sdp.endsWith('\r\n') ? sdp : `${sdp}\r\n`,
    icon: (id) => {
      const part = parts.find((each) => id !== undefined && each.id === id);
      if (part === undefined || !part.base64) return undefined;
      const bytes = Buffer.from(part.content, 'base64');
      const type = pictureType(bytes);
      return id === undefined || type === undefined || bytes.length > maxIconBytes
        ? undefined
        : { id, type, bytes };
    },
  };
}

interface Part {
  readonly type: string;
  readonly id: string;
  readonly base64: boolean;
  readonly content: string;
}

function readPart(text: string): Part {
  const blank = text.indexOf('\r\n\r\n');
  const head = blank < 0 ? '' : text.slice(0, blank);
  const value = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'im').exec(head)?.[1]?.trim() ?? '';
  return {
    type: (value('Content-Type').split(';', 1)[0] ?? '').trim().toLowerCase(),
    id: value('Content-ID').replace(/^<|>$/g, ''),
    base64: value('Content-Transfer-Encoding').toLowerCase() === 'base64',
    content: blank < 0 ? '' : text.slice(blank + 4),
  };
}

/** By its first bytes: what a peer calls a picture may be anything. */
export function pictureType(bytes: Uint8Array): FileIcon['type'] | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'image/jpeg';
  const isPng = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a].every((byte, at) => bytes[at] === byte);
  return isPng ? 'image/png' : undefined;
}
