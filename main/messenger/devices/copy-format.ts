/**
 * Owns: a copy for another device of our user as it is on the wire: message/cpim with headers of a namespace of our own.
 * Called by: copy-outbox.ts, copy-inbox.ts. Calls: base/cpim.ts, imdn.ts, message-reference.ts.
 *
 * From, To, DateTime, Message-ID and references are those of the message that it is a copy of. `Copy.Kind` says what has
 * happened: `message`, `state`, `change`, `read`, `marks`, `hello`. A message that is a file has `Copy.File`, what became of it, and
 * its offer as content. `Copy.Standing: accepted`: who has been let in there is let in here.
 */
import type { Marks } from '../../../shared/domain/conversation.ts';
import { messageStateSchema, type MessageState } from '../../../shared/domain/message.ts';
import { cpimExtension, formatCpim, parseCpim, type CpimExtensionHeader } from '../../base/cpim.ts';
import { COPY_LIMITS } from '../../base/copy-limits.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import { toAddress } from '../../sip/address.ts';
import type { DeviceCopy } from '../../store/device-copies.ts';
import { imdnRequestHeaders, readImdnRequest } from '../../base/imdn.ts';
import { COPIED_FILE_STATES, describeForDevices, stateForDevices, type CopiedFile } from '../file-offer.ts';
import {
  changeInWords,
  readReference,
  referenceHeaders,
  type MessageReference,
} from '../message-reference.ts';

const NAMESPACE = 'urn:parley:params:copy';
const KINDS = ['message', 'state', 'change', 'read', 'marks', 'hello'] as const;
type Kind = (typeof KINDS)[number];

/** What all copies of a device say. */
export interface CopySender {
  readonly address: string;
  readonly displayName: string;
  /** What the device calls itself. */
  readonly device: string;
}

/** A copy as it came. */
export interface ReceivedCopy {
  readonly kind: Kind;
  /** The other person, or the room; empty in a hello. */
  readonly peerAddress: string;
  readonly peerName: string;
  readonly direction: 'in' | 'out';
  readonly wireId: string;
  readonly state: MessageState | undefined;
  readonly wantsDisplay: boolean;
  /** The other side follows changes of messages. */
  readonly takesChanges: boolean;
  /** Our user talks with this person, there. */
  readonly isAccepted: boolean;
  readonly reference: MessageReference | undefined;
  /** How the conversation is marked there. */
  readonly marks: Marks;
  readonly sentAtMs: number | undefined;
  readonly device: string;
  /** Counted from 1. */
  readonly part: number;
  readonly parts: number;
  /** The message is a file, and what has become of it there. */
  readonly fileState: CopiedFile['fileState'] | undefined;
  readonly contentType: string;
  /** Text as UTF-8, or the offer of a file. */
  readonly content: Buffer;
}

const MAX_DEVICE_CHARS = 64;
const MAX_ID_CHARS = 200;

/** As MESSAGE bodies, to be sent in this order. */
export function formatCopy(copy: DeviceCopy, sender: CopySender): Buffer[] {
  const { body, contentType = 'text/plain; charset=utf-8', reference } = saidBy(copy);
  const parts = inParts(Buffer.from(body, 'utf8'));
  const isOut = 'direction' in copy ? copy.direction === 'out' : copy.kind === 'state';
  const us = { uri: `sip:${sender.address}`, displayName: sender.displayName };
  const them = { uri: `sip:${copy.peerAddress}`, displayName: copy.peerName };
  const dispositions = copy.kind === 'message' && copy.displayReportWanted ? (['display'] as const) : [];
  const atMs = copy.kind === 'message' ? copy.sentAtMs : 'atMs' in copy ? copy.atMs : undefined;
  return parts.map((content, index) =>
    formatCpim({
      from: isOut ? us : them,
      to: [isOut ? them : us],
      ...(atMs === undefined ? {} : { dateTime: new Date(atMs).toISOString() }),
      extensions: [
        ...imdnRequestHeaders({ messageId: copy.wireId, dispositions }),
        ...(reference === undefined ? [] : referenceHeaders(reference)),
        header('Kind', copy.kind),
        header('Direction', isOut ? 'sent' : 'received'),
        header('Device', sender.device),
        ...('state' in copy ? [header('State', copy.state)] : []),
        ...('file' in copy && copy.file !== null ? [header('File', stateForDevices(copy.file))] : []),
        ...(copy.kind === 'marks' ? [header('Marks', formatMarks(copy.marks))] : []),
        ...(copy.takesChanges ? [header('Peer-Follows', 'changes')] : []),
        ...(copy.isAccepted ? [header('Standing', 'accepted')] : []),
        ...(parts.length > 1 ? [header('Part', `${index + 1}/${parts.length}`)] : []),
      ],
      contentType,
      content,
    }),
  );
}

/** Tells the other devices that there is another one now. */
export function formatHello(sender: CopySender): Buffer {
  const us = { uri: `sip:${sender.address}`, displayName: sender.displayName };
  return formatCpim({
    from: us,
    to: [us],
    extensions: [header('Kind', 'hello'), header('Device', sender.device)],
    contentType: 'text/plain; charset=utf-8',
    content: Buffer.alloc(0),
  });
}

/** Undefined: it is no copy. @throws ProtocolError 400 for one that nobody can follow */
export function parseCopy(body: Buffer): ReceivedCopy | undefined {
  const cpim = parseCpim(body);
  const value = (name: string) => cpimExtension(cpim, NAMESPACE, name);
  const named = value('Kind');
  if (named === undefined) return undefined;
  const kind = KINDS.find((known) => known === named);
  if (kind === undefined) throw unreadable('what it is a copy of');
  const direction = value('Direction') === 'sent' ? 'out' : 'in';
  const peer = direction === 'out' ? cpim.to[0] : cpim.from;
  const peerAddress = kind === 'hello' ? '' : toAddress(peer?.uri ?? '');
  if (peerAddress === undefined) throw unreadable('whose conversation it belongs to');
  const imdn = readImdnRequest(cpim);
  const wireId = imdn?.messageId ?? '';
  if (kind !== 'hello' && (wireId === '' || wireId.length > MAX_ID_CHARS)) throw unreadable('which message');
  const [, part = '1', parts = '1'] = /^(\d{1,3})\/(\d{1,3})$/.exec(value('Part') ?? '') ?? [];
  if (Number(part) < 1 || Number(part) > Number(parts) || Number(parts) > COPY_LIMITS.maxParts) {
    throw unreadable('which part of it this is');
  }
  const sentAtMs = Date.parse(cpim.dateTime ?? '');
  const state = value('State');
  const file = value('File');
  return {
    kind,
    peerAddress,
    peerName: peer?.displayName ?? '',
    direction,
    wireId,
    state: messageStateSchema.options.find((known) => known === state),
    wantsDisplay: imdn?.dispositions.includes('display') ?? false,
    takesChanges: value('Peer-Follows') === 'changes',
    isAccepted: value('Standing') === 'accepted',
    reference: readReference(cpim),
    marks: readMarks(value('Marks')),
    sentAtMs: Number.isNaN(sentAtMs) ? undefined : sentAtMs,
    device: (value('Device') ?? '').replace(/[\s\p{Cc}]+/gu, ' ').slice(0, MAX_DEVICE_CHARS),
    part: Number(part),
    parts: Number(parts),
    fileState: COPIED_FILE_STATES.find((known) => known === file),
    contentType: cpim.contentType,
    content: cpim.content,
  };
}

/** One at least; no character is cut. */
function inParts(content: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let start = 0;
  do {
    let end = Math.min(start + COPY_LIMITS.maxPartBytes, content.length);
    while (end < content.length && ((content[end] ?? 0) & 0xc0) === 0x80) end -= 1;
    parts.push(content.subarray(start, end));
    start = end;
  } while (start < content.length);
  return parts;
}

function header(name: string, value: string): CpimExtensionHeader {
  return { namespace: NAMESPACE, name, value };
}

const MARKS = ['pinned', 'muted', 'archived', 'unread'] as const;

/** `pinned muted`; `none`. */
function formatMarks(marks: Marks): string {
  return MARKS.filter((mark) => marks[mark]).join(' ') || 'none';
}

function readMarks(text = ''): Marks {
  const set = new Set(text.split(' '));
  return {
    pinned: set.has('pinned'),
    muted: set.has('muted'),
    archived: set.has('archived'),
    ...(set.has('unread') ? { unread: true } : {}),
  };
}

function saidBy(copy: DeviceCopy): {
  readonly body: string;
  readonly contentType?: string;
  readonly reference?: MessageReference;
} {
  if (copy.kind === 'change') {
    const { text, reference } = changeInWords(copy);
    return { body: text, reference };
  }
  if (copy.kind !== 'message') return { body: '' };
  const { text, replyTo, file } = copy;
  if (file !== null) return describeForDevices(file);
  return replyTo === null ? { body: text } : { body: text, reference: { type: 'reply', id: replyTo } };
}

function unreadable(what: string): ProtocolError {
  return new ProtocolError('COPY_MALFORMED', 400, `a copy does not say ${what}`);
}
