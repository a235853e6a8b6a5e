/**
 * Owns: the shape of a torture case and the making of its message. Called by: the lists of cases. Calls: nothing.
 */

/** What has to become of a message: handed up, answered by the engine with a status, or silently dropped. */
export type Outcome = 'up' | 'dropped' | number;

export interface TortureCase {
  /** Section of the RFC. */
  readonly section: string;
  readonly title: string;
  /** The file with the message of RFC 4475, where its folder is at hand. */
  readonly file?: string;
  readonly outcome: Outcome;
  /** What becomes of the RFC's own message, where that is something else. */
  readonly rfcOutcome?: Outcome;
  /** Texts that the message handed up, or the answer, contains. */
  readonly contains?: readonly string[];
  /** The same for the RFC's own message. */
  readonly rfcContains?: readonly string[];
  readonly message: Buffer;
}

export const SDP =
  'v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n';

export function text(lines: readonly string[], body = ''): Buffer {
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'utf8');
}

let count = 0;

/** A plain request in which some header lines are replaced (by name), left out (`''`) or added. */
export function request(
  startLine: string,
  changes: Readonly<Record<string, string>> = {},
  extra: readonly string[] = [],
  body = '',
): Buffer {
  count += 1;
  const method = startLine.split(' ')[0] ?? '';
  const standard: Record<string, string> = {
    Via: `Via: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKours${count}`,
    'Max-Forwards': 'Max-Forwards: 70',
    From: `From: "Ann" <sip:ann@example.net>;tag=t${count}`,
    To: 'To: <sip:ben@example.com>',
    'Call-ID': `Call-ID: ours-${count}@192.0.2.7`,
    CSeq: `CSeq: 17 ${method}`,
    Contact: 'Contact: <sip:ann@192.0.2.7:5070>',
    Type: body === '' ? '' : 'Content-Type: application/sdp',
    Length: `Content-Length: ${Buffer.byteLength(body)}`,
    ...changes,
  };
  return text([startLine, ...Object.values(standard).filter((line) => line !== ''), ...extra], body);
}

export const INVITE = 'INVITE sip:ben@example.com SIP/2.0';
export const OPTIONS = 'OPTIONS sip:ben@example.com SIP/2.0';
export const REGISTER = 'REGISTER sip:example.com SIP/2.0';
