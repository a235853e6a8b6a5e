import { expect, it } from 'vitest';
import { SIP_LIMITS } from '../../../main/base/limits.ts';
import { Admission } from '../../../main/sip/engine/admission.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const { maxTokens, inviteCost, refusalsPerS, loopSampleMs, busySamples, busyArrivals, tokensPerS } =
  SIP_LIMITS;
const MOST = maxTokens / inviteCost;

function open(utilisation: () => number = () => 0) {
  const clock = new ManualClock();
  let turn = 0;
  // 0, 0.5, 0, 0.5 …: whatever share is refused, half of the draws hit it early.
  const admission = new Admission(clock, () => (turn++ % 2) / 2, utilisation);
  return { clock, admission };
}

it('the share of an address: at the limit an INVITE passes, one over gets 503 with Retry-After (§21.5.4)', () => {
  const { admission, clock } = open();
  for (let i = 0; i < MOST; i += 1) expect(admission.admit('INVITE', '192.0.2.1')).toBe('yes');
  expect(admission.admit('INVITE', '192.0.2.1')).toMatchObject({
    status: 503,
    header: ['Retry-After', expect.stringMatching(/^\d+$/)],
  });
  // Somebody else has a share of his own.
  expect(admission.admit('INVITE', '192.0.2.2')).toBe('yes');
  // A second later there is room for a second's worth.
  clock.advance(1_000);
  for (let i = 0; i < tokensPerS / inviteCost; i += 1) {
    expect(admission.admit('INVITE', '192.0.2.1')).toBe('yes');
  }
  expect(admission.admit('INVITE', '192.0.2.1')).not.toBe('yes');
});

it('refusals of one second: at the limit they are sent, one over is dropped', () => {
  const { admission } = open();
  for (let i = 0; i < MOST; i += 1) admission.admit('INVITE', '192.0.2.1');
  for (let i = 0; i < refusalsPerS; i += 1) expect(admission.admit('INVITE', '192.0.2.1')).not.toBe('drop');
  expect(admission.admit('INVITE', '192.0.2.1')).toBe('drop');
});

it('addresses that are remembered: one over the ceiling forgets the oldest', () => {
  const { admission } = open();
  for (let i = 0; i < MOST; i += 1) admission.admit('INVITE', 'first');
  expect(admission.admit('INVITE', 'first')).not.toBe('yes');
  for (let i = 0; i < SIP_LIMITS.maxCachedRoutes; i += 1) admission.admit('OPTIONS', `other ${i}`);
  expect(admission.admit('INVITE', 'first')).toBe('yes');
});

it('a loop without idle moments, to which requests come again, refuses a growing share of heavy addresses, and recovers', () => {
  let busy = 1;
  const { admission, clock } = open(() => busy);
  admission.start();
  const sample = () => {
    for (let i = 0; i < busyArrivals; i += 1) admission.admit('INVITE', 'heavy');
    for (let i = 0; i < busyArrivals / 2; i += 1) admission.receiveRepeat();
    clock.advance(loopSampleMs);
  };
  for (let i = 0; i < busySamples - 1; i += 1) sample();
  expect(admission.refusedShare).toBe(0);
  for (let i = 0; i < 40; i += 1) sample();
  expect(admission.refusedShare).toBeCloseTo(0.95);
  const verdicts = Array.from({ length: 100 }, () => admission.admit('INVITE', 'heavy'));
  expect(verdicts.filter((verdict) => verdict !== 'yes').length).toBeGreaterThan(90);
  // Whoever asks for little is let in all the same.
  expect(admission.admit('INVITE', 'light')).toBe('yes');
  busy = 0.5;
  for (let i = 0; i < 40; i += 1) sample();
  expect(admission.refusedShare).toBe(0);
  admission[Symbol.dispose]();
});

it('a busy loop to which nothing comes again is coping', () => {
  const { admission, clock } = open(() => 1);
  admission.start();
  for (let i = 0; i < 100; i += 1) {
    for (let one = 0; one < busyArrivals; one += 1) admission.admit('INVITE', 'heavy');
    clock.advance(loopSampleMs);
  }
  expect(admission.refusedShare).toBe(0);
  admission[Symbol.dispose]();
});

it('a busy loop without new requests refuses nothing', () => {
  const { admission, clock } = open(() => 1);
  admission.start();
  for (let i = 0; i < 100; i += 1) clock.advance(loopSampleMs);
  expect(admission.refusedShare).toBe(0);
  admission[Symbol.dispose]();
});
