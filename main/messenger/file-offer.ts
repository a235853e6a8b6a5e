/**
 * Owns: which file an invitation, one that the server has kept, or a copy for another device is about. Called by:
 * request-routing.ts, transfers.ts, devices/copy-format.ts. Calls: msrp/file-body.ts, msrp/file-sdp.ts.
 */
import type { OutgoingState } from '../store/messages.ts';
import type { StoredTransfer } from '../store/transfers.ts';
import {
  buildToldFile,
  pictureType,
  readInviteBody,
  type FileIcon,
  type InviteBody,
} from '../msrp/file-body.ts';
import { parseFile, type FileDescription } from '../msrp/file-sdp.ts';
import { parseMsrpDescription, type MsrpDescription } from '../msrp/sdp.ts';

/** What an invitation says about a file. */
export interface OfferedFile {
  readonly offer: MsrpDescription;
  readonly file: FileDescription;
  readonly icon: FileIcon | undefined;
}

/** Undefined: it is not about a file. */
export function readOffer(
  contentType: string | undefined,
  body: string,
  maxPreviewBytes: number,
): OfferedFile | undefined {
  const { sdp, icon } = readInviteBody(contentType, body, maxPreviewBytes);
  const offer = parseMsrpDescription(sdp);
  const file = offer && parseFile(offer);
  return offer && file && { offer, file, icon: icon(file.iconId) };
}

/** What has become of a file on the device that tells of it; `offered`: nobody has answered, or it is on its way. */
export const COPIED_FILE_STATES = ['offered', 'done', 'declined', 'cancelled', 'failed'] as const;

/** What the other devices are told of the state of a file. */
export function stateForDevices({ state }: Pick<StoredTransfer, 'state'>): CopiedFile['fileState'] {
  return COPIED_FILE_STATES.find((known) => known === state) ?? 'offered';
}

/** A file of which another device of our user tells: its offer, as `describeForDevices` writes it. */
export interface CopiedFile {
  readonly contentType: string;
  readonly content: Buffer;
  readonly wireId: string;
  readonly direction: 'in' | 'out';
  /** Of the message, when our user has sent it. */
  readonly state: OutgoingState;
  readonly fileState: (typeof COPIED_FILE_STATES)[number];
  readonly sentAtMs: number | undefined;
}

/** What a copy is about: `ours` is a file that this device sends. `unreadable`: it says nothing of a file. */
export type ToldFile = 'theirs' | 'ours' | 'unreadable';

/** What everybody says of a file in SDP. */
export function fileFacts(stored: Omit<StoredTransfer, 'messageId'>) {
  return {
    name: stored.name,
    type: stored.type,
    size: stored.size ?? undefined,
    sha1: stored.sha1 ?? undefined,
    sha256: stored.sha256 ?? undefined,
    transferId: stored.transferId,
  };
}

/** What other devices are told of a file, in the form of an offer. */
export function describeForDevices(stored: Omit<StoredTransfer, 'messageId'>): InviteBody {
  const file = {
    ...fileFacts(stored),
    disposition: 'attachment',
    modifiedMs: stored.modifiedMs ?? undefined,
  } as const;
  return buildToldFile(file, iconOf(stored));
}

/** The thumbnail of a file, if it is one that others can show. */
export function iconOf({
  preview,
  transferId,
}: Pick<StoredTransfer, 'preview' | 'transferId'>): FileIcon | undefined {
  const type = preview === null ? undefined : pictureType(preview);
  return preview === null || type === undefined
    ? undefined
    : { id: iconId(transferId), type, bytes: preview };
}

export function iconId(transferId: string): string {
  return `${transferId}@icon.invalid`;
}
