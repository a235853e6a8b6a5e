import { describe, expect, it } from 'vitest';
import {
  ANSWERED_ELSEWHERE,
  declinedElsewhere,
  isByeElsewhere,
  isCancelElsewhere,
  isCancelUnanswered,
  UNANSWERED,
} from '../../main/sip/reason.ts';

describe('why it is over (RFC 3326)', () => {
  it.each([
    ['what we say ourselves', ANSWERED_ELSEWHERE, true, true],
    ['what we say when he has declined', declinedElsewhere(603), true, true],
    ['the cause alone', 'SIP;cause=200', true, false],
    ['with spaces', 'SIP ;cause=200 ;text="Call completed elsewhere"', true, true],
    ['as gateways say it', 'Q.850;cause=26;text="Answered elsewhere"', true, true],
    ['that he is busy everywhere', 'SIP;cause=600;text="Busy Everywhere"', true, false],
    [
      'a drachtio server that came too late',
      'SIP;cause=200;text="ACK-BYE due to cancel race condition"',
      true,
      false,
    ],
    ['the caller has hung up', 'SIP;cause=487;text="Request Terminated"', false, false],
    ['nobody answered', 'SIP;cause=408;text="Not elsewhere either"', false, false],
    ['normal clearing', 'Q.850;cause=16', false, false],
    ['another cause that begins so', 'SIP;cause=2000;text="elsewhere"', false, false],
    ['nothing of use', ';;="', false, false],
  ])('%s: %s', (_what, value, inCancel, inBye) => {
    expect([isCancelElsewhere([value]), isByeElsewhere([value])]).toEqual([inCancel, inBye]);
  });

  it.each([
    [UNANSWERED, true],
    ['SIP ;cause=408;text="Request Timeout"', true],
    ['Q.850;cause=19', true],
    ['Q.850;cause=18;text="No user responding"', true],
    ['Q.850;cause=16', false],
    ['SIP;cause=4080', false],
    ['SIP;cause=487;text="408"', false],
    [ANSWERED_ELSEWHERE, false],
  ])('that nobody has answered in time, in a CANCEL: %s', (value, unanswered) => {
    expect(isCancelUnanswered([value])).toBe(unanswered);
  });

  it('one of several values counts', () => {
    expect(isByeElsewhere(['Q.850;cause=16;text="Normal"', ANSWERED_ELSEWHERE])).toBe(true);
    expect(isByeElsewhere([])).toBe(false);
  });
});
