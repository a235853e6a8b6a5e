/** Where policies stand on a computer, and that a change of them is noticed. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  parseRegistry,
  policyPlaces,
  PolicyWatch,
  readCommandLine,
  type PolicyPlace,
} from '../../main/hosts/policy.ts';
import type { Policy } from '../../shared/policy.ts';
import { ManualClock } from '../support/manual-clock.ts';

let folder: string;
let places: readonly PolicyPlace[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-policy-'));
  places = [
    { source: 'machine', kind: 'file', path: join(folder, 'machine.json') },
    { source: 'user', kind: 'file', path: join(folder, 'user.json') },
  ];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFile(join(folder, name), text);

it('no file is no policy; machine and user are read, and the command line', async () => {
  const watch = new PolicyWatch({ places, receiveChange: () => undefined });
  expect(await watch.read()).toEqual({ rules: [], faults: [] });
  await write('machine.json', '{ "history.keepDays": 30 }');
  await write('user.json', '\uFEFF{ "history.keepDays": 5, "privacy.sendComposing": false }');
  const commandLine = ['privacy.sendComposing=true', 'messages.encryption=required'];
  const all = new PolicyWatch({ places, commandLine, receiveChange: () => undefined });
  const { rules, faults } = await all.read();
  expect(faults).toEqual([]);
  expect(rules.map(({ key, value, source }) => [key, value, source])).toEqual([
    ['history.keepDays', 30, 'machine'],
    ['privacy.sendComposing', false, 'user'],
    ['messages.encryption', 'required', 'command-line'],
  ]);
});

it.each([
  ['no JSON', '{ "history.keepDays": 30'],
  ['no object', '[1, 2]'],
  ['too large', `{"a":"${'x'.repeat(1024 * 1024)}"}`],
])('a file that is %s: everything is locked, and said with its place', async (_what, text) => {
  await write('machine.json', text);
  const { rules, faults } = await new PolicyWatch({ places, receiveChange: () => undefined }).read();
  expect(rules.find(({ key }) => key === 'messages.encryption')).toMatchObject({
    value: 'required',
    locked: true,
  });
  expect(faults[0]).toContain(join(folder, 'machine.json'));
});

it('something else in the place of the file is not "no policy"', async () => {
  await mkdir(join(folder, 'machine.json'));
  const { faults } = await new PolicyWatch({ places, receiveChange: () => undefined }).read();
  expect(faults).toHaveLength(1);
});

it('a change is told, once', async () => {
  const clock = new ManualClock();
  const told: Policy[] = [];
  let changed = Promise.withResolvers<void>();
  using watch = new PolicyWatch({
    places,
    clock,
    receiveChange: (policy) => {
      told.push(policy);
      changed.resolve();
    },
  });
  await watch.read();
  watch.start();
  const until = async (): Promise<void> => {
    let isOver = false;
    void changed.promise.then(() => {
      isOver = true;
    });
    while (!isOver) {
      clock.advance(1_000);
      await new Promise((done) => setImmediate(done));
    }
    changed = Promise.withResolvers();
  };
  await write('machine.json', '{ "history.hold": true }');
  await until();
  await rm(join(folder, 'machine.json'));
  await until();
  expect(told.map(({ rules }) => rules.map(({ key }) => key))).toEqual([['history.hold'], []]);
});

it('what is not key=value is refused with a sentence', () => {
  expect(() => readCommandLine(['history.keepDays'])).toThrow(
    '--set needs key=value, not "history.keepDays".',
  );
});

it('Windows: values of the key are locked, those of Recommended are not; numbers and text', () => {
  const key = String.raw`HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Parley`;
  const output = [
    '',
    key,
    '    messages.encryption    REG_SZ    required',
    '    history.keepDays    REG_DWORD    0x5a',
    '    messages.relays    REG_SZ    ["relay.example.org"]',
    '',
    String.raw`${key}\Recommended`,
    '    history.keepDays    REG_DWORD    0x1',
    '    privacy.sendComposing    REG_DWORD    0x0',
    '',
  ].join('\r\n');
  expect(parseRegistry(output)).toEqual({
    'messages.encryption': { value: 'required' },
    'history.keepDays': { value: 90 },
    'messages.relays': { value: ['relay.example.org'] },
    'privacy.sendComposing': { value: 0, locked: false },
  });
  expect(policyPlaces('win32').map(({ path }) => path)).toEqual([
    String.raw`HKLM\SOFTWARE\Policies\Parley`,
    String.raw`HKCU\SOFTWARE\Policies\Parley`,
  ]);
});
