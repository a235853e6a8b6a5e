/**
 * Owns: how a room tells of a file that its server keeps: as an offer to programs that can ask for it, in words to others.
 * Called by: room-files.ts, room-participant.ts. Calls: base/cpim.ts, msrp/file-body.ts.
 */
import { formatCpim, parseCpim } from '../../base/cpim.ts';
import { imdnRequestHeaders } from '../../base/imdn.ts';
import { buildToldFile, readInviteBody, type FileIcon } from '../../msrp/file-body.ts';
import { parseFile, type FileDescription } from '../../msrp/file-sdp.ts';
import { parseMsrpDescription } from '../../msrp/sdp.ts';
import type { Room } from './room.ts';

/** What an offer in a room comes as: who lists both understands it. */
export const FILE_TYPES = ['application/sdp', 'multipart/related'] as const;

/**
 * The offer of a file as a message of the history. It is built anew from what its sender has said: where his computer is
 * concerns nobody, since it is the server that has the file.
 */
export function buildFileNotice(
  room: Room,
  sender: { readonly user: string; readonly domain: string },
  file: FileDescription,
  icon: FileIcon | undefined,
  nowMs: number,
): Buffer {
  const { user, domain } = sender;
  const told = buildToldFile(file, icon && { ...icon, id: `${file.transferId ?? ''}@icon.invalid` });
  return formatCpim({
    from: { displayName: room.shownName(user), uri: `sip:${user}@${domain}` },
    to: [{ uri: `sip:${room.name}@${domain}` }],
    dateTime: new Date(Math.min(file.sentMs ?? nowMs, nowMs)).toISOString(),
    extensions: imdnRequestHeaders({ messageId: file.transferId ?? '', dispositions: [] }),
    contentType: told.contentType,
    content: Buffer.from(told.body, 'utf8'),
  });
}

/** The same for a program that would not know what to do with an offer. */
export function fileNoticeInWords(body: Buffer): Buffer {
  const { from = { uri: '' }, to, dateTime, extensions, contentType, content: told } = parseCpim(body);
  const { sdp } = readInviteBody(contentType, told.toString('utf8'), 0);
  const offer = parseMsrpDescription(sdp);
  const { name = 'file', size = 0 } = (offer && parseFile(offer)) ?? {};
  const shown = name.replace(/\p{Cc}/gu, ' ');
  const text = `(I have sent a file to the group: ${shown}, ${inUnits(size)}. This program cannot fetch it.)`;
  const content = Buffer.from(text, 'utf8');
  const said = { from, to, extensions, contentType: 'text/plain; charset=utf-8', content };
  return formatCpim(dateTime === undefined ? said : { ...said, dateTime });
}

/** `1.5 MB`. */
function inUnits(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  const step = bytes < 1_000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${Number((bytes / 1_000 ** step).toFixed(1))} ${units[step] ?? ''}`;
}
