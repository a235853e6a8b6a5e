/**
 * Owns: what a failed or finished session means, as a code and in words. Called by: chat.ts, outbox.ts.
 * Calls: nothing.
 */
import type { SessionEndCode } from '../../shared/domain/conversation.ts';
import { isPolicyRefusal } from '../sip/agent/policy-warning.ts';
import type { IncomingInvite, InviteOutcome } from '../sip/agent/invite.ts';

/** Why a session is over. */
export interface ChatEnd {
  readonly code: SessionEndCode;
  /** One sentence for the user. */
  readonly message: string;
}

/** What happens to the messages that wait for a session that did not come about. */
export type OutboxVerdict =
  /** The IM Server keeps them until the person is back. */
  | 'defer'
  /** They stay on our disk and go out by themselves later. */
  | 'keep'
  /** They are not tried again unless the user says so. */
  | 'fail';

const VERDICTS: Partial<Record<SessionEndCode, OutboxVerdict>> = {
  'not-registered': 'defer',
  'no-answer': 'defer',
  'media-failed': 'defer',
  'unknown-peer': 'fail',
  declined: 'fail',
  busy: 'fail',
  forbidden: 'fail',
  'other-domain': 'fail',
  refused: 'fail',
  // What was not to go in the clear does not go by another way behind the user's back either.
  'encryption-refused': 'fail',
  'encryption-downgraded': 'fail',
  'wrong-certificate': 'fail',
};

export function outboxVerdict(code: SessionEndCode): OutboxVerdict {
  return VERDICTS[code] ?? 'keep';
}

const SOMEBODY_LISTENS =
  'Somebody on the way may want to read along: try from another network, and tell whoever runs your server.';

/** Words for the ends that need no more than a name. */
export function chatEnd(code: SessionEndCode, peerName: string, detail = ''): ChatEnd {
  const more = detail === '' ? '' : ` (${detail})`;
  const sentences: Record<SessionEndCode, string> = {
    'ended-by-us': 'You ended the session.',
    'ended-by-peer': `${peerName} ended the session.`,
    idle: 'The session ended because nothing was said for a while.',
    declined: `${peerName} declined.`,
    busy: `${peerName} is busy.`,
    'no-answer': `${peerName} did not answer. The message waits at the server.`,
    'not-registered': `${peerName} is not signed in. The message waits at the server.`,
    'unknown-peer': `The server knows nobody with the address of ${peerName}. Check the address.`,
    forbidden: `The server does not allow a session with ${peerName}.`,
    'other-domain': `The servers do not let you and ${peerName} talk with each other${more}. Ask whoever runs yours.`,
    'server-unreachable': 'The server cannot be reached. The message goes out by itself when it is back.',
    'not-signed-in': 'You are not signed in. The message goes out by itself when you are.',
    'media-failed': `No direct connection to ${peerName} came about${more}.`,
    'media-lost': `The connection to ${peerName} was lost${more}. A new session is set up by itself.`,
    'encryption-refused': `Messages with ${peerName} would not be encrypted, so nothing was sent${more}. A program that encrypts is needed there, or the settings have to allow others.`,
    'encryption-downgraded': `Messages with ${peerName} were to be encrypted, and then they were not: nothing was sent${more}. ${SOMEBODY_LISTENS}`,
    'wrong-certificate': `Somebody else than ${peerName} was at the other end of the connection: nothing was sent${more}. ${SOMEBODY_LISTENS}`,
    cancelled: 'You took the invitation back.',
    'taken-back': `${peerName} took the invitation back before you answered.`,
    missed: `You did not answer ${peerName} in time.`,
    'answered-elsewhere': 'You answered on another device.',
    refused: `${peerName}'s side refused the session${more}.`,
    shutdown: 'Parley was closed.',
  };
  return { code, message: sentences[code] };
}

/** What an invitation to us that has been cancelled means. */
export function endOfCancelled(
  { answeredElsewhere, unanswered }: Pick<IncomingInvite, 'answeredElsewhere' | 'unanswered'>,
  peerName: string,
): ChatEnd {
  if (answeredElsewhere) return chatEnd('answered-elsewhere', peerName);
  return chatEnd(unanswered ? 'missed' : 'taken-back', peerName);
}

/** Our user has declined an invitation. */
export function endOfDeclined(): ChatEnd {
  return { code: 'declined', message: 'You declined.' };
}

/** Reads the outcome of an invitation that was not accepted. */
export function endOfInvite(
  outcome: Exclude<InviteOutcome, { kind: 'accepted' }>,
  peerName: string,
): ChatEnd {
  if (outcome.kind === 'no-answer' || outcome.kind === 'cancelled') return chatEnd(outcome.kind, peerName);
  const { status, reason, response } = outcome;
  // The engine makes up 408 and 503 itself when nobody answers or nothing can be sent: they have no source.
  const nobodyAnswered = response.source.address === '' && (status === 408 || status === 503);
  if (nobodyAnswered) return chatEnd('server-unreachable', peerName);
  const warning = response.message.headers.get('warning');
  const code = isPolicyRefusal(status, warning) ? 'other-domain' : CODE_OF_STATUS[status];
  if (code !== undefined) {
    return chatEnd(code, peerName, /"([^"]*)"/.exec(warning ?? '')?.[1] ?? '');
  }
  if (status >= 500 && status < 600) return chatEnd('server-unreachable', peerName);
  return chatEnd('refused', peerName, `${status} ${reason}`);
}

const CODE_OF_STATUS: Readonly<Record<number, SessionEndCode>> = {
  401: 'not-signed-in',
  403: 'forbidden',
  404: 'unknown-peer',
  407: 'not-signed-in',
  408: 'no-answer',
  410: 'unknown-peer',
  480: 'not-registered',
  486: 'busy',
  487: 'cancelled',
  488: 'media-failed',
  491: 'cancelled',
  600: 'busy',
  603: 'declined',
  604: 'unknown-peer',
  606: 'media-failed',
};
