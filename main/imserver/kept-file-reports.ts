/**
 * Owns: what the server reports of a file or message that it keeps, in the name of whom it is for (RFC 5438), and reading
 * from such a report that he has declined it. Called by: kept-files.ts, deferred-messages.ts, expired-messages.ts. Calls: base/cpim.ts, base/imdn.ts.
 */
import { randomBytes } from 'node:crypto';
import { CPIM_TYPE, formatCpim, parseCpim } from '../base/cpim.ts';
import {
  buildImdnReport,
  IMDN_TYPE,
  imdnRequestHeaders,
  parseImdnReport,
  readImdnRequest,
} from '../base/imdn.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import type { KeptFile } from '../store/kept-files.ts';

/** A MESSAGE from one user to another. */
export interface KeptReport {
  readonly sender: string;
  readonly recipient: string;
  readonly contentType: string;
  readonly body: Buffer;
}

/** To the sender of a file: it has arrived, or it was there for too long and is gone. */
export function buildKeptReport(
  { sender, recipient, transferId }: Pick<KeptFile, 'sender' | 'recipient' | 'transferId'>,
  status: 'delivered' | 'failed',
  { domain, nowMs }: { readonly domain: string; readonly nowMs: number },
): KeptReport {
  const uri = `sip:${recipient}@${domain}`;
  const dateTime = new Date(nowMs).toISOString();
  const content = buildImdnReport({
    ...{ messageId: transferId, dateTime, kind: 'delivery', status },
    ...{ recipientUri: uri, originalRecipientUri: uri },
  });
  const body = formatCpim({
    from: { uri },
    to: [{ uri: `sip:${sender}@${domain}` }],
    dateTime,
    extensions: imdnRequestHeaders({ messageId: randomBytes(16).toString('hex'), dispositions: [] }),
    contentType: IMDN_TYPE,
    contentHeaders: [{ name: 'Content-Disposition', value: 'notification' }],
    content,
  });
  return { sender: recipient, recipient: sender, contentType: CPIM_TYPE, body };
}

/**
 * To the sender of a message that nobody has come for in time. Undefined: he has not asked to be told (RFC 5438 §6.2,
 * `negative-delivery`); the file of an offer that waited is reported on by itself.
 */
export function buildExpiryReport(
  { sender, recipient, contentType, body }: KeptReport,
  about: { readonly domain: string; readonly nowMs: number },
): KeptReport | undefined {
  if (!isCpim(contentType)) return undefined;
  try {
    const asked = readImdnRequest(parseCpim(body));
    if (asked?.dispositions.includes('negative-delivery') !== true) return undefined;
    return buildKeptReport({ sender, recipient, transferId: asked.messageId }, 'failed', about);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function isCpim(contentType: string): boolean {
  return /^\s*message\/cpim\b/i.test(contentType);
}

/** The message that a report declines (`forbidden`); undefined: it is something else. */
export function declinedBy(contentType: string, body: Buffer): string | undefined {
  // Nearly everything is a text, and not looked at any further.
  if (!isCpim(contentType) || !body.includes('<forbidden/>')) return undefined;
  try {
    const inner = parseCpim(body);
    if (!inner.contentType.toLowerCase().startsWith(IMDN_TYPE)) return undefined;
    const { messageId, kind, status } = parseImdnReport(inner.content);
    return kind === 'delivery' && status === 'forbidden' ? messageId : undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
