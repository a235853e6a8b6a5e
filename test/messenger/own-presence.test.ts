import { expect, it } from 'vitest';
import { OwnPresenceState } from '../../main/messenger/presence/own-presence.ts';
import { initialSettings, type Settings } from '../../shared/settings.ts';
import { ManualClock } from '../support/manual-clock.ts';

const MINUTE = 60_000;

function open(settings: Partial<Settings> = {}) {
  const clock = new ManualClock();
  const all = { ...initialSettings(), ...settings };
  const told: (string | undefined)[] = [];
  const own = new OwnPresenceState({
    clock,
    settings: () => all,
    receiveChange: () => told.push(own.published?.show),
  });
  own.start();
  return { clock, own, told, settings: all };
}

it('is away after the minutes of the setting, and back with the first thing that is done', () => {
  const { clock, own, told } = open();
  clock.advance(9 * MINUTE);
  own.receiveActivity();
  clock.advance(10 * MINUTE - 1);
  expect([own.shown, told]).toEqual([{ show: 'available', isIdle: false }, []]);
  clock.advance(1);
  expect([own.shown, told]).toEqual([{ show: 'away', isIdle: true }, ['away']]);
  own.receiveActivity();
  expect([own.shown, told]).toEqual([{ show: 'available', isIdle: false }, ['away', 'available']]);
});

it('what was done some time ago counts from then', () => {
  const { clock, own } = open();
  clock.advance(30 * MINUTE);
  own.receiveActivity(10 * MINUTE);
  expect(own.shown.show).toBe('away');
  own.receiveActivity(10 * MINUTE - 1);
  expect(own.shown.show).toBe('available');
  clock.advance(1);
  expect(own.shown.show).toBe('away');
});

it('is away while the computer sleeps, whatever is done meanwhile, and back when it wakes up', () => {
  const { clock, own, told, settings } = open();
  own.receiveSleep(true);
  expect([own.shown, told]).toEqual([{ show: 'away', isIdle: true }, ['away']]);
  clock.advance(MINUTE);
  own.receiveActivity();
  expect(own.shown.show).toBe('away');
  own.receiveSleep(false);
  expect(told).toEqual(['away', 'available']);
  clock.advance(10 * MINUTE);
  expect(own.shown.show).toBe('away');
  own.receiveActivity();
  settings['presence.awayMinutes'] = 0;
  own.receiveSleep(true);
  expect(own.shown.show).toBe('available');
});

it('with 0 minutes nobody is away by himself, and the setting counts at once', () => {
  const { clock, own, settings } = open({ 'presence.awayMinutes': 0 });
  clock.advance(24 * 60 * MINUTE);
  expect(own.shown.show).toBe('available');
  settings['presence.awayMinutes'] = 1;
  own.receiveSettings();
  expect(own.shown.show).toBe('away');
});

it.each(['dnd', 'away', 'invisible'] as const)('who has chosen %s stays so', (choice) => {
  const { clock, own } = open({ 'presence.choice': choice, 'presence.note': 'hm' });
  const before = own.published;
  clock.advance(60 * MINUTE);
  expect(own.published).toEqual(before);
  expect(before).toEqual(choice === 'invisible' ? undefined : { show: choice, note: 'hm' });
});
