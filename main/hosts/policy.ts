/**
 * Owns: where a rollout writes its decisions on this computer, and noticing that they have changed.
 * Called by: app.ts. Calls: policy-reading.ts, the file system; on Windows reg.exe, on macOS plutil.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Policy, PolicySource } from '../../shared/policy.ts';
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import { readPolicy, type PolicyText } from '../messenger/policy-reading.ts';

/** One place in which a policy may stand. */
export interface PolicyPlace {
  readonly source: PolicySource;
  readonly kind: 'file' | 'plist' | 'registry';
  /** A path, or a key of the registry. */
  readonly path: string;
}

export interface PolicyWatchOptions {
  readonly places: readonly PolicyPlace[];
  /** `key=value` of the command line; a value is JSON, or a plain text. */
  readonly commandLine?: readonly string[];
  /** Another policy holds from now on. */
  readonly receiveChange: (policy: Policy) => void;
  readonly clock?: Clock;
}

/** A file is looked at this often; what needs a program to be read, more seldom. */
const FILE_EVERY_MS = 5_000;
const PROGRAM_EVERY_MS = 15 * 60_000;
const MAX_POLICY_BYTES = 1024 * 1024;
const PROGRAM_MS = 10_000;
const REGISTRY = String.raw`SOFTWARE\Policies\Parley`;
const PLIST = 'org.parley.messenger.plist';

/** Where this system keeps them, the machine's before the user's. */
export function policyPlaces(platform: NodeJS.Platform = process.platform): readonly PolicyPlace[] {
  switch (platform) {
    case 'win32':
      return [
        { source: 'machine', kind: 'registry', path: `HKLM\\${REGISTRY}` },
        { source: 'user', kind: 'registry', path: `HKCU\\${REGISTRY}` },
      ];
    case 'darwin': {
      const managed = '/Library/Managed Preferences';
      return [
        { source: 'machine', kind: 'plist', path: join(managed, PLIST) },
        { source: 'user', kind: 'plist', path: join(managed, userInfo().username, PLIST) },
      ];
    }
    default: {
      const config = process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config');
      return [
        { source: 'machine', kind: 'file', path: '/etc/parley/policy.json' },
        { source: 'user', kind: 'file', path: join(config, 'parley', 'policy.json') },
      ];
    }
  }
}

/** Reads the policy, and again and again. */
export class PolicyWatch implements Disposable {
  readonly #options: PolicyWatchOptions;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #last = '';
  #closed = false;

  constructor(options: PolicyWatchOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** What holds now. Never rejects: what cannot be read is a fault of the policy. */
  async read(): Promise<Policy> {
    const { places, commandLine = [] } = this.#options;
    const texts = await Promise.all(places.map(readPlace));
    const policy = readPolicy([
      ...texts.filter((text) => text !== undefined),
      ...(commandLine.length === 0 ? [] : [readCommandLine(commandLine)]),
    ]);
    this.#last = JSON.stringify(policy);
    return policy;
  }

  /** Begins to look for changes; after the first `read`. */
  start(): void {
    const isFile = this.#options.places.every(({ kind }) => kind === 'file');
    this.#timer = this.#clock.startTimer(isFile ? FILE_EVERY_MS : PROGRAM_EVERY_MS, () => {
      const before = this.#last;
      void this.read().then((policy) => {
        if (this.#closed) return;
        if (this.#last !== before) this.#options.receiveChange(policy);
        this.start();
      });
    });
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
  }
}

/** `key=value`, each locked for this run. Throws a sentence for what is not of that form. */
export function readCommandLine(pairs: readonly string[]): PolicyText {
  const values: Record<string, unknown> = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) throw new Error(`--set needs key=value, not "${pair}".`);
    values[pair.slice(0, at)] = parseLoosely(pair.slice(at + 1));
  }
  return { source: 'command-line', place: 'The command line', values };
}

/** Undefined: there is none. */
async function readPlace({ source, kind, path }: PolicyPlace): Promise<PolicyText | undefined> {
  try {
    const values = kind === 'registry' ? await readRegistry(path) : await readFileOf(kind, path);
    return values === undefined ? undefined : { source, place: path, values };
  } catch {
    return { source, place: path, values: undefined };
  }
}

async function readFileOf(
  kind: 'file' | 'plist',
  path: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  if (bytes.length > MAX_POLICY_BYTES) throw new Error('too large');
  const text =
    kind === 'file'
      ? bytes.toString('utf8')
      : await outputOf('/usr/bin/plutil', ['-convert', 'json', '-o', '-', path]);
  const parsed: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new Error('no object');
  return parsed as Record<string, unknown>;
}

async function readRegistry(path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    return parseRegistry(await outputOf('reg.exe', ['query', path, '/s']));
  } catch (error) {
    // 1: there is no such key.
    if ((error as { code?: unknown }).code === 1) return undefined;
    throw error;
  }
}

/**
 * What `reg query KEY /s` prints: a line for each key, below it one for each value with its type. Values of the subkey
 * `Recommended` are not locked. Text is JSON where it is, else plain.
 */
export function parseRegistry(output: string): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  let key = '';
  for (const line of output.split(/\r?\n/)) {
    const value = /^ {4}(\S.*?) {4}(REG_\w+) {4}(.*)$/.exec(line);
    if (value === null) {
      if (line.startsWith('HKEY_')) key = line.trim();
      continue;
    }
    const [, name = '', type = '', text = ''] = value;
    const parsed = type === 'REG_DWORD' ? readNumber(text, key, name) : parseLoosely(text);
    const isRecommended = key.toLowerCase().endsWith(String.raw`\recommended`);
    if (!isRecommended) values[name] = { value: parsed };
    else if (!Object.hasOwn(values, name)) values[name] = { value: parsed, locked: false };
  }
  return values;
}

/** A number; where it means yes or no, that is told by the setting's own check of 0 and 1. */
function readNumber(text: string, key: string, name: string): number {
  const number = Number.parseInt(text, text.startsWith('0x') ? 16 : 10);
  if (Number.isNaN(number)) throw new Error(`${key} ${name} is no number`);
  return number;
}

function parseLoosely(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function outputOf(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, {
    timeout: PROGRAM_MS,
    maxBuffer: MAX_POLICY_BYTES,
  });
  return stdout;
}
