import { beforeEach, describe, expect, it } from 'vitest';
import { Composing } from '../../main/messenger/composing-state.ts';
import { ManualClock } from '../support/manual-clock.ts';

let clock: ManualClock;
let enabled: boolean;
let sent: string[];
let theirs: boolean[];
let composing: Composing;
beforeEach(() => {
  clock = new ManualClock();
  enabled = true;
  sent = [];
  theirs = [];
  composing = new Composing({
    clock,
    enabled: () => enabled,
    send: (state) => sent.push(state),
    onTheirs: (active) => theirs.push(active),
  });
});

describe('we type (RFC 3994 §3.2)', () => {
  it('active at the first key, idle after 15 s without one', () => {
    composing.setOurs(true);
    clock.advance(14_999);
    composing.setOurs(true);
    clock.advance(14_999);
    expect(sent).toEqual(['active']);
    clock.advance(1);
    expect(sent).toEqual(['active', 'idle']);
    expect(clock.pending).toBe(0);
  });

  it('active is repeated while typing goes on for a minute', () => {
    for (let second = 0; second <= 120; second += 10) {
      composing.setOurs(true);
      clock.advance(10_000);
    }
    expect(sent).toEqual(['active', 'active', 'active']);
  });

  it('a message that is sent says idle by itself', () => {
    composing.setOurs(true);
    composing.messageSent();
    clock.advance(60_000);
    expect(sent).toEqual(['active']);
    composing.setOurs(true);
    expect(sent).toEqual(['active', 'active']);
  });

  it('leaving the composer is idle once', () => {
    composing.setOurs(false);
    composing.setOurs(true);
    composing.setOurs(false);
    composing.setOurs(false);
    expect(sent).toEqual(['active', 'idle']);
  });

  it('is nobody else’s business when the setting says so', () => {
    enabled = false;
    composing.setOurs(true);
    composing.setOurs(false);
    expect([sent, clock.pending]).toEqual([[], 0]);
  });
});

describe('the other side types (RFC 3994 §3.3)', () => {
  it('until it says idle, or a message comes', () => {
    composing.setTheirs(true);
    composing.setTheirs(true);
    composing.setTheirs(false);
    composing.setTheirs(false);
    expect(theirs).toEqual([true, false]);
    expect(clock.pending).toBe(0);
  });

  it('is believed for as long as it announced, at most ten minutes, and anew with each repetition', () => {
    composing.setTheirs(true, 60_000);
    clock.advance(59_999);
    composing.setTheirs(true, 60_000);
    clock.advance(59_999);
    expect(theirs).toEqual([true]);
    clock.advance(1);
    expect(theirs).toEqual([true, false]);
    composing.setTheirs(true, 24 * 60 * 60_000);
    clock.advance(10 * 60_000);
    expect(theirs).toEqual([true, false, true, false]);
  });

  it('leaves no timer behind', () => {
    composing.setOurs(true);
    composing.setTheirs(true);
    composing[Symbol.dispose]();
    expect(clock.pending).toBe(0);
  });
});
