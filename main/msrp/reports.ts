/**
 * Owns: when a request is answered and when its message is reported (RFC 4975 §7.1.1–§7.1.2, §7.2).
 * Called by: receiving.ts, endpoint.ts, session.ts. Calls: connection.ts to send.
 */
import { ByteSpans } from './byte-spans.ts';
import type { MsrpConnection } from './connection.ts';
import {
  firstPathUri,
  formatByteRange,
  formatResponse,
  parseByteRange,
  type ByteRange,
  type MsrpHead,
} from './message.ts';
import { createTransactionId } from './transactions.ts';

/** Failure-Report: `no` asks for no response at all, `partial` for failures only (RFC 4975 §7.1.1). */
export type FailureReport = 'yes' | 'no' | 'partial';

/** Reads a Failure-Report value; absent or unknown means `yes`. */
export function parseFailureReport(value: string | undefined): FailureReport {
  if (value === undefined) return 'yes';
  const lower = value.toLowerCase();
  return lower === 'no' || lower === 'partial' ? lower : 'yes';
}

/** Whether a request wants to hear of `status` (RFC 4975 §7.2). A REPORT never does. */
export function isResponseWanted(head: MsrpHead, status: number): boolean {
  if (head.method === 'REPORT') return false;
  const failureReport = parseFailureReport(head.failureReport);
  return failureReport === 'yes' || (failureReport === 'partial' && status !== 200);
}

/**
 * Answers a request hop by hop, if it wants an answer. To-Path is the first URI of its From-Path. `patient`: more of
 * the same message is on its way, its answers may leave together.
 */
export function sendResponse(
  connection: MsrpConnection,
  head: MsrpHead,
  status: number,
  patient = false,
): void {
  if (head.fromPath === undefined || !isResponseWanted(head, status)) return;
  const toPath = firstPathUri(head.fromPath);
  const fromPath = firstPathUri(head.toPath ?? '');
  const response = formatResponse(head.transactionId, status, toPath, fromPath);
  connection.sendFrame(response, undefined, '', patient);
}

/** Whether the sender of a chunk wants a success report of its message (RFC 4975 §7.1.1). */
export function isSuccessReportWanted(head: MsrpHead): boolean {
  return head.successReport?.toLowerCase() === 'yes';
}

/** Reports a whole message of `size` bytes as stored (step 9 of the way of a SEND; RFC 4975 §7.1.2). */
export function sendSuccessReport(
  connection: MsrpConnection,
  report: { toPath: string; fromPath: string; messageId: string; size: number },
): void {
  const id = createTransactionId();
  const range = formatByteRange({ start: 1, end: report.size, total: report.size });
  connection.sendFrame(
    `MSRP ${id} REPORT\r\nTo-Path: ${report.toPath}\r\nFrom-Path: ${report.fromPath}\r\nMessage-ID: ${report.messageId}\r\nByte-Range: ${range}\r\nStatus: 000 200 OK\r\n-------${id}$\r\n`,
  );
}

/** What a REPORT says about one of our messages; status 200 only when all of it has been reported. */
export interface MsrpSessionReport {
  readonly messageId: string;
  readonly status: number;
  readonly byteRange?: ByteRange;
}

const STATUS = /^(\d{3}) (\d{3})(?: .*)?$/;

/** The code in a Status header of namespace 000 (RFC 4975 §7.1.2); undefined for anything else. */
function parseReportStatus(value: string | undefined): number | undefined {
  const match = value === undefined ? null : STATUS.exec(value);
  return match?.[1] === '000' ? Number(match[2]) : undefined;
}

/** Messages of a session whose success is reported in pieces at the same time, and pieces with gaps of one. */
const MAX_PARTLY_REPORTED = 64;

/** The reports of one session. Some peers send one for each chunk, some one for the whole message: bytes count. */
export class MsrpReports {
  #partly: Map<string, ByteSpans> | undefined;

  /** What a REPORT says; undefined: nothing, or not yet. Throws ProtocolError for a malformed Byte-Range. */
  read(head: MsrpHead): MsrpSessionReport | undefined {
    const status = parseReportStatus(head.reportStatus);
    const { messageId } = head;
    if (status === undefined || messageId === undefined) return undefined;
    const byteRange = head.byteRange === undefined ? undefined : parseByteRange(head.byteRange);
    if (status === 200 && !this.#isWhole(messageId, byteRange)) return undefined;
    return { messageId, status, ...(byteRange === undefined ? {} : { byteRange }) };
  }

  #isWhole(messageId: string, range: ByteRange | undefined): boolean {
    const { start = 1, end, total } = range ?? {};
    const spans = this.#partly?.get(messageId) ?? new ByteSpans();
    this.#partly?.delete(messageId);
    if (end === undefined || total === undefined) return true;
    spans.add(start - 1, end);
    if (spans.prefix >= total) return true;
    if (spans.size > MAX_PARTLY_REPORTED) return false;
    this.#partly ??= new Map();
    this.#partly.set(messageId, spans);
    const [oldest] = this.#partly.keys();
    if (this.#partly.size > MAX_PARTLY_REPORTED && oldest !== undefined) this.#partly.delete(oldest);
    return false;
  }
}
