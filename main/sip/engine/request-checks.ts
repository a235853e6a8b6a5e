/**
 * Owns: what a request must be before anybody looks at what it wants, and the status for what it is not
 * (RFC 3261 §8.2.1, §8.2.2, §21.4; RFC 4475). Called by: inbound-requests.ts. Calls: sip/headers, sip/uri.
 */
import { ProtocolError } from '../../base/protocol-error.ts';
import { parseCSeq, parseNameAddr, parseNameAddrList } from '../headers.ts';
import type { SipRequest } from '../message.ts';
import { parseSipUri } from '../uri.ts';
import { KNOWN_METHODS } from './context.ts';

/**
 * Option tags that the engine, the agent or an application may be relied on for. What it takes to honour `replaces` and
 * the like is the application's to judge; what nobody here has heard of is refused (RFC 3261 §8.2.2.3).
 */
const KNOWN_OPTIONS: ReadonlySet<string> = new Set([
  '100rel',
  '199',
  'answermode',
  'early-session',
  'eventlist',
  'explicitsub',
  'from-change',
  'geolocation-http',
  'geolocation-sip',
  'gruu',
  'histinfo',
  'ice',
  'join',
  'multiple-refer',
  'norefersub',
  'nosub',
  'outbound',
  'path',
  'precondition',
  'pref',
  'privacy',
  'recipient-list-invite',
  'recipient-list-message',
  'recipient-list-subscribe',
  'record-aware',
  'replaces',
  'resource-priority',
  'sdp-anat',
  'siprec',
  'tdialog',
  'timer',
  'trickle-ice',
  'uui',
]);

/** These may come once only (RFC 3261 §7.3.1). */
const ONCE = ['from', 'to', 'call-id', 'cseq', 'max-forwards'];

/** Why a request is refused: the status, its reason phrase and a header that says more. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly header?: readonly [name: string, value: string];
}

function bad(reason: string): Refusal {
  return { status: 400, reason };
}

/** Headers that every request needs, once each and readable (§8.1.1). @throws ProtocolError 400 */
function checkHeaders(request: SipRequest): Refusal | undefined {
  const { headers, method } = request;
  for (const name of ONCE) {
    const count = headers.count(name);
    if (count > 1) return bad(`More than one ${name}`);
    if (count === 0 && name !== 'max-forwards') return bad(`Missing ${name}`);
  }
  parseNameAddr(headers.get('from') ?? '');
  parseNameAddr(headers.get('to') ?? '');
  const callId = headers.get('call-id') ?? '';
  if (callId === '' || /\s/.test(callId)) return bad('Bad Call-ID Header');
  const cseq = parseCSeq(headers.get('cseq') ?? '');
  if (cseq.method !== method) {
    // RFC 4475 §3.1.2.18: that the method is unknown says more.
    return KNOWN_METHODS.has(method)
      ? bad('CSeq does not match the method')
      : { status: 501, reason: 'Not Implemented' };
  }
  const contact = headers.getAll('contact').join(', ');
  if (contact.trim() !== '*') parseNameAddrList(contact);
  headers.list('record-route').forEach(parseNameAddr);
  const maxForwards = headers.get('max-forwards');
  if (maxForwards !== undefined && (!/^\d{1,10}$/.test(maxForwards) || Number(maxForwards) > 255)) {
    return bad('Bad Max-Forwards Header');
  }
  return undefined;
}

/** §8.2.2.1: the scheme is ours, and a SIP URI in a request line carries no headers (§19.1.1, table). */
function checkUri(request: SipRequest): Refusal | undefined {
  const { headers } = parseSipUri(request.uri);
  return headers.size > 0 ? bad('Headers in the Request-URI') : undefined;
}

/** §8.2.2.3; an ACK and a CANCEL are never refused for that. */
function checkOptions(request: SipRequest): Refusal | undefined {
  if (!request.headers.has('require') || request.method === 'CANCEL') return undefined;
  const unknown = request.headers.list('require').filter((tag) => !KNOWN_OPTIONS.has(tag.toLowerCase()));
  if (unknown.length === 0) return undefined;
  return { status: 420, reason: 'Bad Extension', header: ['Unsupported', unknown.join(', ')] };
}

/** What is wrong with a request, if anything, in the order of §8.2. Never throws. */
export function refusalOf(request: SipRequest): Refusal | undefined {
  try {
    return checkHeaders(request) ?? checkUri(request) ?? checkOptions(request);
  } catch (error) {
    if (!(error instanceof ProtocolError) || typeof error.answer !== 'number') throw error;
    return error.answer === 416
      ? { status: 416, reason: 'Unsupported URI Scheme' }
      : { status: error.answer, reason: 'Bad Request' };
  }
}
