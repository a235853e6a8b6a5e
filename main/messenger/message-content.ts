/**
 * Owns: what a message is once its wrapping is read: its type, its bytes, its id, who wrote it when.
 * Called by: inbox.ts, groups/room-inbox.ts. Calls: base/cpim.ts, imdn.ts, text-content.ts.
 */
import { createHash } from 'node:crypto';
import { cpimHead, CPIM_TYPE, parseCpim } from '../base/cpim.ts';
import { readImdnRequest, type ImdnRequest } from '../base/imdn.ts';
import { readReference, type MessageReference } from './message-reference.ts';
import { decodeText, htmlToText } from './text-content.ts';

/** What came, with its wrapping read. */
export interface MessageContent {
  readonly type: string;
  /** With its parameters. */
  readonly contentType: string;
  /** Content-Disposition inside CPIM. */
  readonly disposition: string | undefined;
  readonly bytes: Buffer;
  readonly wireId: string;
  readonly sentAtMs: number | undefined;
  readonly wanted: readonly ImdnRequest[];
  /** URIs of CPIM. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** As its author calls himself. */
  readonly fromName: string | undefined;
  /** What it says about another message. */
  readonly reference: MessageReference | undefined;
  /** Of CPIM, as they stand; null without. */
  readonly headers: string | null;
}

const MAX_WIRE_ID_CHARS = 200;

/** Reads the wrapping. Throws ProtocolError 400 when it is damaged. */
export function unwrapMessage(contentType: string, body: Buffer, fallbackId: string): MessageContent {
  const type = mediaType(contentType);
  if (type !== CPIM_TYPE) {
    return {
      type,
      contentType,
      disposition: undefined,
      bytes: body,
      wireId: boundedId(fallbackId),
      sentAtMs: undefined,
      wanted: [],
      from: undefined,
      to: undefined,
      fromName: undefined,
      reference: undefined,
      headers: null,
    };
  }
  const cpim = parseCpim(body);
  const imdn = readImdnRequest(cpim);
  const sentAtMs = Date.parse(cpim.dateTime ?? '');
  return {
    type: mediaType(cpim.contentType),
    contentType: cpim.contentType,
    disposition: cpim.contentHeaders.find(({ name }) => name.toLowerCase() === 'content-disposition')?.value,
    bytes: cpim.content,
    wireId: boundedId(imdn?.messageId ?? fallbackId),
    sentAtMs: Number.isNaN(sentAtMs) ? undefined : sentAtMs,
    wanted: imdn?.dispositions ?? [],
    from: cpim.from?.uri,
    to: cpim.to[0]?.uri,
    fromName: cpim.from?.displayName,
    reference: boundedReference(readReference(cpim)),
    headers: cpimHead(body, cpim.content),
  };
}

/** As a reader sees it: HTML as plain text, whatever the character set. */
export function readMessageText({ type, contentType, bytes }: MessageContent): string {
  const text = decodeText(bytes, contentType);
  return type === 'text/html' ? htmlToText(text) : text;
}

function mediaType(contentType: string): string {
  return (contentType.split(';')[0] ?? '').trim().toLowerCase();
}

/** By the id that its message was stored with. */
function boundedReference(reference: MessageReference | undefined): MessageReference | undefined {
  return reference === undefined ? undefined : { ...reference, id: boundedId(reference.id) };
}

/** Ids of strangers may be long; what is stored is not. */
function boundedId(id: string): string {
  return id.length <= MAX_WIRE_ID_CHARS ? id : createHash('sha256').update(id).digest('hex');
}
