/**
 * Owns: which file an invitation, or an invitation that the server has kept, is about. Called by: request-routing.ts,
 * transfers.ts. Calls: msrp/file-body.ts, msrp/file-sdp.ts.
 */
import { readInviteBody, type FileIcon } from '../msrp/file-body.ts';
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
