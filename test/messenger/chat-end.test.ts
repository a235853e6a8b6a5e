import { describe, expect, it } from 'vitest';
import { sessionEndCodes } from '../../shared/domain/conversation.ts';
import { chatEnd, endOfInvite, outboxVerdict } from '../../main/messenger/chat-end.ts';
import { parseSipMessage, type SipResponse } from '../../main/sip/message.ts';

/** The outcome of an invitation that was refused; `from` is empty when our own engine made the answer up. */
function refused(status: number, headers: readonly string[] = [], from = '192.0.2.1') {
  const text = [
    `SIP/2.0 ${status} Reason`,
    'Via: SIP/2.0/UDP x;branch=z9hG4bKx',
    'From: <sip:a@b>;tag=1',
    'To: <sip:c@d>;tag=2',
    'Call-ID: x',
    'CSeq: 1 INVITE',
    ...headers,
    'Content-Length: 0',
    '',
    '',
  ];
  const message = parseSipMessage(Buffer.from(text.join('\r\n'))) as SipResponse;
  return {
    kind: 'refused' as const,
    status,
    reason: 'Reason',
    response: {
      status,
      reason: 'Reason',
      message,
      body: '',
      dialogId: undefined,
      source: { address: from, port: 5060 },
      sendAck: () => Promise.resolve(),
    },
  };
}

describe('why a session did not come about', () => {
  it.each([
    [401, 'not-signed-in', 'keep'],
    [403, 'forbidden', 'fail'],
    [404, 'unknown-peer', 'fail'],
    [407, 'not-signed-in', 'keep'],
    [408, 'no-answer', 'defer'],
    [410, 'unknown-peer', 'fail'],
    [415, 'refused', 'fail'],
    [480, 'not-registered', 'defer'],
    [486, 'busy', 'fail'],
    [487, 'cancelled', 'keep'],
    [488, 'media-failed', 'defer'],
    [491, 'cancelled', 'keep'],
    [500, 'server-unreachable', 'keep'],
    [503, 'server-unreachable', 'keep'],
    [600, 'busy', 'fail'],
    [603, 'declined', 'fail'],
    [604, 'unknown-peer', 'fail'],
    [606, 'media-failed', 'defer'],
  ] as const)('%i is %s, its messages %s', (status, code, verdict) => {
    const end = endOfInvite(refused(status), 'Tom');
    expect([end.code, outboxVerdict(end.code)]).toEqual([code, verdict]);
  });

  it.each([408, 503])('%i that our own engine made up means that the server cannot be reached', (status) => {
    expect(endOfInvite(refused(status, [], ''), 'Tom').code).toBe('server-unreachable');
  });

  it('the words of a Warning are shown: which address was tried, and why it failed', () => {
    const warning = 'Warning: 399 parley "no connection to 192.0.2.1:5000: refused"';
    expect(endOfInvite(refused(488, [warning]), 'Tom').message).toBe(
      'No direct connection to Tom came about (no connection to 192.0.2.1:5000: refused).',
    );
    expect(endOfInvite(refused(420), 'Tom').message).toBe("Tom's side refused the session (420 Reason).");
  });

  it('nobody answered, or it was taken back', () => {
    expect(endOfInvite({ kind: 'no-answer' }, 'Tom').code).toBe('no-answer');
    expect(endOfInvite({ kind: 'cancelled' }, 'Tom').code).toBe('cancelled');
  });

  it('each code has one sentence', () => {
    for (const code of sessionEndCodes) {
      const { message } = chatEnd(code, 'Tom');
      expect(message).toMatch(/^[A-Z].*\.$/);
      expect(message).not.toMatch(/undefined|\(\)/);
    }
  });
});
