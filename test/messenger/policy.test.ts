/** What a rollout decides: which source counts, what a user may still change, and what holds when one cannot be read. */
import { afterEach, describe, expect, it } from 'vitest';
import { readPolicy, type PolicyText } from '../../main/messenger/policy-reading.ts';
import { settingKeys, settingSpecs } from '../../shared/settings.ts';
import { World } from '../support/im-world.ts';

const text = (source: PolicyText['source'], values: PolicyText['values']): PolicyText => ({
  source,
  place: `policy of ${source}`,
  values,
});

const valueOf = (texts: readonly PolicyText[], key: string) =>
  readPolicy(texts).rules.find((rule) => rule.key === key);

describe('reading', () => {
  it('machine beats user, user beats the command line, whatever their order', () => {
    const machine = text('machine', { 'history.keepDays': 90 });
    const user = text('user', { 'history.keepDays': 7, 'messages.encryption': 'required' });
    const line = text('command-line', { 'history.keepDays': 1, 'messages.encryption': 'off' });
    for (const texts of [
      [machine, user, line],
      [line, user, machine],
    ]) {
      expect(valueOf(texts, 'history.keepDays')).toMatchObject({ value: 90, source: 'machine' });
      expect(valueOf(texts, 'messages.encryption')).toMatchObject({ value: 'required', source: 'user' });
    }
    // A mere default of the machine is stronger than a lock of the user as well.
    const mild = text('machine', { 'history.keepDays': { value: 90, locked: false } });
    expect(valueOf([user, mild], 'history.keepDays')).toMatchObject({ value: 90, locked: false });
  });

  it('what stands there plainly is locked; 0 and 1 are no and yes', () => {
    const texts = [text('machine', { 'privacy.sendDisplayed': 0, 'history.keepDays': 1, 'history.hold': 1 })];
    expect(valueOf(texts, 'privacy.sendDisplayed')).toMatchObject({ value: false, locked: true });
    expect(valueOf(texts, 'history.keepDays')).toMatchObject({ value: 1 });
    expect(valueOf(texts, 'history.hold')).toMatchObject({ value: true });
  });

  it('a setting whose value is an object may stand there plainly or with its lock', () => {
    const engine = { kind: 'embedded' };
    for (const value of [engine, { value: engine }]) {
      expect(valueOf([text('machine', { 'network.engine': value })], 'network.engine')).toMatchObject({
        value: engine,
        locked: true,
      });
    }
  });

  it('a value that is none locks its setting at the strictest, and is said', () => {
    const { rules, faults } = readPolicy([text('machine', { 'messages.encryption': 'maybe', colour: 1 })]);
    expect(rules).toEqual([
      { key: 'messages.encryption', value: 'required', locked: true, source: 'machine' },
    ]);
    expect(faults).toEqual([
      expect.stringMatching(/^policy of machine: "messages.encryption" has no valid value/),
      'policy of machine: there is no setting "colour".',
    ]);
  });

  it('a source that cannot be read locks everything that may be locked', () => {
    const { rules, faults } = readPolicy([
      text('machine', undefined),
      text('user', { 'history.keepDays': 3 }),
    ]);
    expect(rules.map(({ key }) => key).sort()).toEqual(
      settingKeys.filter((key) => settingSpecs[key].lockable).sort(),
    );
    expect(rules.every(({ locked }) => locked)).toBe(true);
    expect(rules.find(({ key }) => key === 'messages.encryption')?.value).toBe('required');
    expect(faults[0]).toContain('cannot be read');
  });
});

describe('in a messenger', () => {
  let world: World | undefined;
  afterEach(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  it('a lock holds over what the user has chosen, cannot be changed, and comes off live', async () => {
    world = await World.open([]);
    const policy = readPolicy([
      text('machine', {
        'messages.encryption': 'required',
        'sessions.idleMinutes': { value: 5, locked: false },
      }),
    ]);
    const bob = await world.openPerson('bob', { policy });
    const { commands, messenger } = bob;
    expect(await commands['settings.get']({})).toMatchObject({
      'messages.encryption': 'required',
      'sessions.idleMinutes': 5,
    });
    await expect(
      commands['settings.set']({ key: 'messages.encryption', value: 'off' }),
    ).rejects.toMatchObject({ code: 'locked' });
    await commands['settings.set']({ key: 'sessions.idleMinutes', value: 7 });
    expect(messenger.settings['sessions.idleMinutes']).toBe(7);
    expect((await commands['policy.get']({})).rules).toContainEqual({
      key: 'messages.encryption',
      locked: true,
      source: 'machine',
    });
    await messenger.applyPolicy(readPolicy([]));
    await commands['settings.set']({ key: 'messages.encryption', value: 'off' });
    await messenger.applyPolicy(policy);
    expect(messenger.settings['messages.encryption']).toBe('required');
    await messenger.applyPolicy(readPolicy([]));
    // What he had chosen was kept.
    expect(messenger.settings['messages.encryption']).toBe('off');
    expect(bob.events.filter(({ event }) => event === 'policy.changed')).toHaveLength(3);
  });
});
