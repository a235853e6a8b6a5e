import { beforeEach, describe, expect, it } from 'vitest';
import { MESSENGER_LIMITS } from '../../main/base/limits.ts';
import { Composing } from '../../main/messenger/composing-state.ts';
import { ManualClock } from '../support/manual-clock.ts';

let clock: ManualClock;
let enabled: boolean;
let sent: string[];
let theirs: string[];
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
    onTheirs: (people) => theirs.push(people.map(({ name }) => name).join()),
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

describe('others type (RFC 3994 §3.3)', () => {
  const tom = { address: 'tom@example.org', name: 'Tom' };
  const ann = { address: 'ann@example.org', name: 'Ann' };

  it('until they say idle, or a message comes', () => {
    composing.setTheirs(tom, true);
    composing.setTheirs(tom, true);
    composing.setTheirs(tom, false);
    composing.setTheirs(tom, false);
    expect(theirs).toEqual(['Tom', '']);
    expect(clock.pending).toBe(0);
  });

  it('are believed for as long as they announced, at most ten minutes, and anew with each repetition', () => {
    composing.setTheirs(tom, true, 60_000);
    clock.advance(59_999);
    composing.setTheirs(tom, true, 60_000);
    clock.advance(59_999);
    expect(theirs).toEqual(['Tom']);
    clock.advance(1);
    expect(theirs).toEqual(['Tom', '']);
    composing.setTheirs(tom, true, 24 * 60 * 60_000);
    clock.advance(10 * 60_000);
    expect(theirs).toEqual(['Tom', '', 'Tom', '']);
  });

  it('each for himself, in the order in which they began, as they are called now', () => {
    composing.setTheirs(tom, true, 60_000);
    clock.advance(30_000);
    composing.setTheirs(ann, true, 60_000);
    composing.setTheirs({ ...tom, name: 'Captain' }, true, 60_000);
    clock.advance(59_999);
    composing.setTheirs(ann, true, 60_000);
    clock.advance(1);
    composing.setTheirs(ann, false);
    expect(theirs).toEqual(['Tom', 'Tom,Ann', 'Captain,Ann', 'Ann', '']);
  });

  it('so many of them, one more is not kept, and kept when there is room again', () => {
    const person = (nth: number) => ({ address: `${nth}@example.org`, name: `${nth}` });
    for (let nth = 0; nth < MESSENGER_LIMITS.maxComposing; nth += 1) composing.setTheirs(person(nth), true);
    const full = theirs.at(-1);
    expect(full?.split(',')).toHaveLength(MESSENGER_LIMITS.maxComposing);
    composing.setTheirs(tom, true);
    expect(theirs.at(-1)).toBe(full);
    expect(clock.pending).toBe(MESSENGER_LIMITS.maxComposing);
    composing.setTheirs(person(0), false);
    composing.setTheirs(tom, true);
    expect(theirs.at(-1)).toMatch(/,Tom$/);
  });

  it('nobody any more when the session is over', () => {
    composing.setTheirs(tom, true);
    composing.setTheirs(ann, true);
    composing.clearTheirs();
    composing.clearTheirs();
    expect(theirs).toEqual(['Tom', 'Tom,Ann', '']);
    expect(clock.pending).toBe(0);
  });

  it('leaves no timer behind', () => {
    composing.setOurs(true);
    composing.setTheirs(tom, true);
    composing[Symbol.dispose]();
    expect(clock.pending).toBe(0);
  });
});
