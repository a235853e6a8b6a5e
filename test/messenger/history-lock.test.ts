/**
 * A passphrase around the key of a history: asked for before anything is opened, changed, forgotten, removed.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLog } from '../../main/base/log.ts';
import { AppDoor } from '../../main/hosts/app-door.ts';
import { plainLook, ReadingApp } from '../../main/hosts/reading.ts';
import { openHistoryKey } from '../../main/messenger/history/history-key.ts';
import { keyFileOf } from '../../main/messenger/history/key-file.ts';
import { newRecoveryKey, readRecoveryKey } from '../../main/messenger/history/recovery-key.ts';
import { givenPassphrase } from '../../main/messenger/opening.ts';
import { filePermissionSecrets, type SecretBox } from '../../main/messenger/secrets.ts';
import type { CallInput, CallName, CallOutput } from '../../shared/ipc/contract.ts';
import { openFilledHistory } from '../support/filled-history.ts';
import { eventually } from '../support/eventually.ts';

const HEADLESS = join(import.meta.dirname, '../../main/hosts/headless/main.ts');
const FIRST = 'correct horse battery';
const SECOND = 'staple Ünïcode';

// Each guess costs what it is meant to cost.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let folder: string;
let profile: string;
let running: { close(): Promise<void> }[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-lock-'));
  profile = join(folder, 'profile');
  running = [];
});

afterEach(async () => {
  for (const each of running) await each.close();
  await rm(folder, { recursive: true, force: true });
});

/** The program behind a window, from the moment that its window is there. */
class Program {
  readonly door: AppDoor;

  constructor(secrets: SecretBox = filePermissionSecrets, set: readonly string[] = []) {
    this.door = AppDoor.start({
      ...{ profile, secrets, set },
      host: 'browser',
      log: silentLog,
      policyPlaces: [],
    });
    running.push(this);
  }

  async call<Name extends CallName>(call: Name, input: CallInput<Name>): Promise<CallOutput<Name>> {
    const answer = await this.door.api.receiveCall({ id: 1, call, input });
    if (!answer.ok) throw Object.assign(new Error(answer.message), { code: answer.code });
    return answer.value as CallOutput<Name>;
  }

  async becomes(state: string) {
    await eventually(async () => expect((await this.call('opening.status', {})).state).toBe(state));
    return this.call('opening.status', {});
  }

  async close(): Promise<void> {
    running = running.filter((each) => each !== this);
    await this.door[Symbol.asyncDispose]();
  }
}

async function opened(...args: ConstructorParameters<typeof Program>): Promise<Program> {
  const program = new Program(...args);
  await program.becomes('open');
  return program;
}

const refused = (code: string): unknown => expect.objectContaining({ code });

/** A profile whose history has this passphrase; resolves with its recovery key. */
async function lockProfile(passphrase = FIRST): Promise<string> {
  const program = await opened();
  const { recoveryKey } = await program.call('lock.setPassphrase', { passphrase });
  await program.close();
  return recoveryKey ?? '';
}

describe('a passphrase', () => {
  it('is asked for before anything is opened; then everything is as it was', async () => {
    const program = await opened();
    expect(await program.call('lock.status', {})).toEqual({
      passphrase: false,
      keyring: false,
      required: false,
    });
    await program.call('settings.set', { key: 'appearance.language', value: 'de' });
    const key = await openHistoryKey(profile, filePermissionSecrets);
    await program.call('lock.setPassphrase', { passphrase: FIRST });
    expect(await program.call('lock.status', {})).toMatchObject({ passphrase: true });
    await program.close();

    const written = await readFile(keyFileOf(profile), 'utf8');
    expect(written).not.toContain(Buffer.from(key).toString('hex'));
    expect(written).not.toContain(Buffer.from(key).toString('base64'));
    // Where nobody can be asked nothing is opened.
    await expect(openHistoryKey(profile, filePermissionSecrets)).rejects.toEqual(refused('STORE_LOCKED'));

    const again = new Program();
    expect(await again.becomes('locked')).toMatchObject({ what: 'profile', name: null, failures: 0 });
    await expect(again.call('settings.get', {})).rejects.toEqual(refused('not-open'));
    await expect(again.call('opening.unlock', { passphrase: 'wrong' })).rejects.toEqual(
      refused('wrong-password'),
    );
    await again.call('opening.unlock', { passphrase: FIRST });
    await again.becomes('open');
    expect((await again.call('settings.get', {}))['appearance.language']).toBe('de');
  });

  it('is too short below eight signs', async () => {
    const program = await opened();
    await expect(program.call('lock.setPassphrase', { passphrase: 'seven s' })).rejects.toEqual(
      refused('invalid-input'),
    );
    expect(await program.call('lock.status', {})).toMatchObject({ passphrase: false });
  });

  it('is changed and removed by who knows it, and whoever guesses waits', async () => {
    await lockProfile();
    const program = new Program();
    await program.becomes('locked');
    await program.call('opening.unlock', { passphrase: FIRST });
    await program.becomes('open');
    await expect(program.call('lock.setPassphrase', { passphrase: SECOND })).rejects.toEqual(
      refused('wrong-password'),
    );
    expect(await program.call('lock.setPassphrase', { passphrase: SECOND, current: FIRST })).toEqual({
      recoveryKey: null,
    });
    for (let nth = 0; nth < 3; nth += 1) {
      await expect(program.call('lock.remove', { current: FIRST })).rejects.toEqual(
        refused('wrong-password'),
      );
    }
    await expect(program.call('lock.remove', { current: SECOND })).rejects.toEqual(refused('too-many'));
    await program.close();

    const key = await openHistoryKey(profile, filePermissionSecrets, { source: givenPassphrase(SECOND) });
    await expect(
      openHistoryKey(profile, filePermissionSecrets, { source: givenPassphrase(FIRST) }),
    ).rejects.toEqual(refused('STORE_LOCKED'));

    const other = new Program();
    await other.becomes('locked');
    await other.call('opening.unlock', { passphrase: SECOND });
    await other.becomes('open');
    await other.call('lock.remove', { current: SECOND });
    expect(await openHistoryKey(profile, filePermissionSecrets)).toEqual(key);
  });

  it('of a host with a keyring gives the key back to it when it is removed', async () => {
    const keyring: SecretBox = {
      backend: 'keyring',
      protect: (secret) => Buffer.from(Array.from(secret).reverse().join('')),
      reveal: (secret) => Array.from(Buffer.from(secret).toString()).reverse().join(''),
    };
    const program = await opened(keyring);
    expect(await program.call('lock.status', {})).toMatchObject({ passphrase: false, keyring: true });
    await program.call('lock.setPassphrase', { passphrase: FIRST });
    await program.call('lock.remove', { current: FIRST });
    expect(JSON.parse(await readFile(keyFileOf(profile), 'utf8'))).toMatchObject({ backend: 'keyring' });
  });

  it('cannot be made cheaper to guess by writing other numbers beside it', async () => {
    await lockProfile();
    const written = JSON.parse(await readFile(keyFileOf(profile), 'utf8')) as {
      passphrase: { n: number };
    };
    written.passphrase.n = 1_024;
    await writeFile(keyFileOf(profile), JSON.stringify(written));
    await expect(
      openHistoryKey(profile, filePermissionSecrets, { source: givenPassphrase(FIRST) }),
    ).rejects.toEqual(refused('STORE_LOCKED'));
    // Nor can it take the memory of this computer.
    written.passphrase.n = 2 ** 30;
    await writeFile(keyFileOf(profile), JSON.stringify(written));
    await expect(
      openHistoryKey(profile, filePermissionSecrets, { source: givenPassphrase(FIRST) }),
    ).rejects.toThrow(/damaged/);
  });

  it('is wanted by a policy where there is no keyring, and cannot be removed then', async () => {
    const set = ['history.requirePassphrase=true'];
    const program = await opened(filePermissionSecrets, set);
    expect(await program.call('lock.status', {})).toEqual({
      passphrase: false,
      keyring: false,
      required: true,
    });
    await program.call('lock.setPassphrase', { passphrase: FIRST });
    await expect(program.call('lock.remove', { current: FIRST })).rejects.toEqual(refused('locked'));
  });
});

describe('a recovery key', () => {
  it('is read as people type it, and a wrong sign is noticed', () => {
    const { bytes, text } = newRecoveryKey();
    expect(text).toMatch(/^(?:[0-9A-HJKMNP-TV-Z]{4}-){8}[0-9A-HJKMNP-TV-Z]{4}$/);
    expect(readRecoveryKey(text)).toEqual(bytes);
    expect(readRecoveryKey(` ${text.toLowerCase().replaceAll('-', ' – ')} `)).toEqual(bytes);
    expect(readRecoveryKey(text.replaceAll('0', 'o').replaceAll('1', 'l'))).toEqual(bytes);
    for (let at = 0; at < text.length; at += 1) {
      if (text[at] === '-') continue;
      const other = text[at] === 'X' ? 'Y' : 'X';
      expect(readRecoveryKey(text.slice(0, at) + other + text.slice(at + 1)), text).toBeUndefined();
    }
    expect(readRecoveryKey(text.slice(0, -1))).toBeUndefined();
    expect(readRecoveryKey('')).toBeUndefined();
  });

  it('opens the history when the passphrase is forgotten, with a new one', async () => {
    const recoveryKey = await lockProfile();
    const program = new Program();
    await program.becomes('locked');
    await expect(program.call('opening.unlock', { recoveryKey })).rejects.toEqual(refused('invalid-input'));
    await expect(
      program.call('opening.unlock', { recoveryKey: newRecoveryKey().text, newPassphrase: SECOND }),
    ).rejects.toEqual(refused('wrong-password'));
    await program.call('opening.unlock', { recoveryKey: recoveryKey.toLowerCase(), newPassphrase: SECOND });
    await program.becomes('open');
    // It stays good, until there is another one.
    const { recoveryKey: second } = await program.call('lock.newRecoveryKey', { current: recoveryKey });
    await program.close();
    await openHistoryKey(profile, filePermissionSecrets, { source: givenPassphrase(SECOND) });
    const third = new Program();
    await third.becomes('locked');
    await expect(third.call('opening.unlock', { recoveryKey, newPassphrase: FIRST })).rejects.toEqual(
      refused('wrong-password'),
    );
    await third.call('opening.unlock', { recoveryKey: second, newPassphrase: FIRST });
    await third.becomes('open');
  });

  it('opens a copied profile, of which nothing changes', async () => {
    const recoveryKey = await lockProfile();
    const key = await openHistoryKey(profile, filePermissionSecrets, { source: givenPassphrase(FIRST) });
    const copy = join(folder, 'copy');
    await cp(profile, copy, { recursive: true });
    await rm(join(copy, 'history.sqlite'));
    await (await openFilledHistory(copy, key))[Symbol.asyncDispose]();
    const hash = async () =>
      createHash('sha256')
        .update(await readFile(keyFileOf(copy)))
        .digest('hex');
    const before = await hash();
    const reader = new ReadingApp({
      path: copy,
      host: 'browser',
      secrets: filePermissionSecrets,
      log: silentLog,
      profile: folder,
      look: () => plainLook,
    });
    running.push({ close: () => reader[Symbol.asyncDispose]() });
    const call = (name: string, input: object) => reader.api.receiveCall({ id: 1, call: name, input });
    await eventually(async () =>
      expect(await call('opening.status', {})).toMatchObject({
        value: { state: 'locked', what: 'profile', name: 'copy' },
      }),
    );
    expect(await call('opening.unlock', { recoveryKey })).toMatchObject({ ok: true });
    await eventually(async () =>
      expect(await call('opening.status', {})).toMatchObject({ value: { state: 'open' } }),
    );
    expect(await call('conversation.list', {})).toMatchObject({ value: { length: 3 } });
    expect(await hash()).toBe(before);
  });
});

describe('without a window', () => {
  /** What the program says, until it is ready or has ended. */
  async function start(args: string[], stdin: 'ignore' | number = 'ignore'): Promise<string> {
    const child = spawn(process.execPath, [HEADLESS, '--profile', profile, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', stdin],
    });
    let output = '';
    const { promise, resolve } = Promise.withResolvers<undefined>();
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.includes('"url"')) resolve(undefined);
      });
    }
    const ended = new Promise((done) => child.once('close', done));
    await Promise.race([promise, ended]);
    child.kill('SIGTERM');
    await ended;
    return output;
  }

  it('it comes from a file or a descriptor', async () => {
    await lockProfile();
    const file = join(folder, 'secret');
    await writeFile(file, `${FIRST}\n`);
    expect(await start([])).toMatch(/Its passphrase is needed/);
    expect(await start(['--passphrase-file', file])).toContain('"url"');
    const descriptor = await open(file);
    expect(await start(['--passphrase-fd', '3'], descriptor.fd)).toContain('"url"');
    await descriptor.close();
    await writeFile(file, 'another one\n');
    expect(await start(['--passphrase-file', file])).toMatch(/not the passphrase of the history/);
    expect(await start(['--passphrase-file', join(folder, 'none')])).toMatch(/could not be read.*ENOENT/);
    expect(await start(['--set', 'history.requirePassphrase=true', '--passphrase-fd', 'x'])).toMatch(
      /number/,
    );
  });

  it('a policy that wants one is not gone around', async () => {
    expect(await start(['--set', 'history.requirePassphrase=true'])).toMatch(/wants a passphrase/);
  });
});
