/**
 * Owns: asking for, and reporting, the delivery and display of a message (IMDN, RFC 5438).
 * Called by: messenger/delivery.ts, messenger/inbox.ts, imserver/kept-files.ts. Calls: cpim.ts, xml.ts.
 */
import { ProtocolError } from './protocol-error.ts';
import { cpimExtension, type CpimExtensionHeader, type CpimMessage } from './cpim.ts';
import { escapeXml, parseXml, xmlChild } from './xml.ts';

/** The CPIM namespace of the request headers (RFC 5438 §6). */
export const IMDN_NAMESPACE = 'urn:ietf:params:imdn';
/** The content type of a report. */
export const IMDN_TYPE = 'message/imdn+xml';

/** What a sender may ask for (RFC 5438 §6.2). */
export type ImdnRequest = 'positive-delivery' | 'negative-delivery' | 'processing' | 'display';

const REQUESTS: ReadonlySet<string> = new Set<ImdnRequest>([
  'positive-delivery',
  'negative-delivery',
  'processing',
  'display',
]);

/** What a report may say, by kind (RFC 5438 §7.2.1). */
const STATUSES = {
  delivery: ['delivered', 'failed', 'forbidden', 'error'],
  processing: ['processed', 'stored', 'forbidden', 'error'],
  display: ['displayed', 'forbidden', 'error'],
} as const;

/** The kind of a report. */
export type ImdnKind = keyof typeof STATUSES;
/** The status that it reports. */
export type ImdnStatus = (typeof STATUSES)[ImdnKind][number];

/** A report on one message. */
export interface ImdnReport {
  /** The `imdn.Message-ID` of the message that is reported on. */
  readonly messageId: string;
  /** RFC 3339: when the reported message was sent. */
  readonly dateTime: string;
  readonly recipientUri?: string;
  readonly originalRecipientUri?: string;
  readonly kind: ImdnKind;
  readonly status: ImdnStatus;
}

/** The CPIM headers that identify a message and ask for reports on it (RFC 5438 §6.1, §6.2). */
export function imdnRequestHeaders(request: {
  messageId: string;
  dispositions: readonly ImdnRequest[];
}): CpimExtensionHeader[] {
  const headers = [{ namespace: IMDN_NAMESPACE, name: 'Message-ID', value: request.messageId }];
  if (request.dispositions.length > 0) {
    const value = request.dispositions.join(', ');
    headers.push({ namespace: IMDN_NAMESPACE, name: 'Disposition-Notification', value });
  }
  return headers;
}

/** What a CPIM message asks for; undefined when it has no IMDN Message-ID. Unknown requests are left out. */
export function readImdnRequest(
  message: Pick<CpimMessage, 'extensions'>,
): { messageId: string; dispositions: readonly ImdnRequest[] } | undefined {
  const messageId = cpimExtension(message, IMDN_NAMESPACE, 'Message-ID');
  if (messageId === undefined || messageId === '') return undefined;
  const value = cpimExtension(message, IMDN_NAMESPACE, 'Disposition-Notification') ?? '';
  const dispositions = value
    .split(',')
    .map((item) => item.trim().toLowerCase())
    .filter((item): item is ImdnRequest => REQUESTS.has(item));
  return { messageId, dispositions };
}

/** Builds a report (RFC 5438 §7.2.1). It is sent with Content-Disposition: notification, never with a request. */
export function buildImdnReport(report: ImdnReport): Buffer {
  const element = (name: string, value: string | undefined): string =>
    value === undefined ? '' : `<${name}>${escapeXml(value)}</${name}>\r\n`;
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\r\n<imdn xmlns="urn:ietf:params:xml:ns:imdn">\r\n${[
      element('message-id', report.messageId),
      element('datetime', report.dateTime),
      element('recipient-uri', report.recipientUri),
      element('original-recipient-uri', report.originalRecipientUri),
    ].join(
      '',
    )}<${report.kind}-notification><status><${report.status}/></status></${report.kind}-notification>\r\n</imdn>\r\n`,
  );
}

/** Reads a report. Throws ProtocolError, status 400, when it is malformed or says nothing that we know. */
export function parseImdnReport(body: Buffer): ImdnReport {
  const root = parseXml(body);
  const messageId = xmlChild(root, 'message-id')?.text ?? '';
  if (root.name !== 'imdn' || messageId === '') {
    throw new ProtocolError('IMDN_MALFORMED', 400, 'not an IMDN with a message-id');
  }
  for (const kind of ['delivery', 'processing', 'display'] as const) {
    const status = xmlChild(xmlChild(root, `${kind}-notification`), 'status')?.children[0]?.name;
    const known = STATUSES[kind].find((name) => name === status);
    if (known === undefined) continue;
    const recipientUri = xmlChild(root, 'recipient-uri')?.text;
    const originalRecipientUri = xmlChild(root, 'original-recipient-uri')?.text;
    return {
      messageId,
      dateTime: xmlChild(root, 'datetime')?.text ?? '',
      ...(recipientUri === undefined ? {} : { recipientUri }),
      ...(originalRecipientUri === undefined ? {} : { originalRecipientUri }),
      kind,
      status: known,
    };
  }
  throw new ProtocolError('IMDN_MALFORMED', 400, 'no status that we know');
}
