/**
 * Owns: one file that tells a person what there is to know when something does not work, to be read before it is sent.
 * Called by: diagnostics-commands.ts, hosts/diagnostics-file.ts. Calls: zip.ts, the store.
 */
import { open, readdir, stat } from 'node:fs/promises';
import { arch, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { settingKeys, type Settings } from '../../shared/settings.ts';
import type { ShownPolicy } from '../../shared/policy.ts';
import type { AppInfo } from '../../shared/ipc/contract.ts';
import type { Account } from '../../shared/domain/account.ts';
import type { Store } from '../store/store.ts';
import type { WireMessage } from './wire-reader.ts';
import { zip } from './zip.ts';

/** The end of each log, and how many files of a folder are named. */
const MAX_LOG_BYTES = 512 * 1024;
const MAX_FILES = 200;

/** What our user writes is in these settings. */
const SAID = ['presence.note', 'appearance.recentEmoji'] as const;

const README = `What is in this file, and what is not.

versions.json    the program, the system, the machine
settings.json    every setting that holds, and who has decided it
accounts.json    the accounts and how they are connected, without passwords
history.json     how large the history is, and the files of the profile by name and size
wire.txt         the last messages of SIP and MSRP, without passwords and without what people wrote
log.txt          the end of the log, without passwords and without what people wrote

Addresses of people stand in accounts.json, wire.txt and log.txt. Take out what you do not want to send.
`;

export interface DiagnosticsParts {
  readonly app: Pick<AppInfo, 'version' | 'host' | 'platform'>;
  readonly profile: string;
  readonly settings: Settings;
  readonly policy: ShownPolicy;
  readonly accounts: readonly Account[];
  readonly store: Pick<Store, 'call' | 'isEncrypted'>;
  readonly wire: readonly WireMessage[];
}

/** The file as bytes. Rejects with StoreError when the history cannot be read. */
export async function collectDiagnostics(parts: DiagnosticsParts): Promise<Buffer> {
  const { profile, wire } = parts;
  const log = [await endOf(join(profile, 'parley.old.log')), await endOf(join(profile, 'parley.log'))];
  return zip([
    { name: 'README.txt', text: README },
    { name: 'versions.json', text: json(versions(parts)) },
    { name: 'settings.json', text: json(shownSettings(parts)) },
    { name: 'accounts.json', text: json(parts.accounts) },
    { name: 'history.json', text: json(await history(parts)) },
    { name: 'wire.txt', text: wire.map(wireText).join('\n') },
    { name: 'log.txt', text: log.join('') },
  ]);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function versions({ app }: DiagnosticsParts): object {
  const { node, electron, chrome } = process.versions;
  return {
    parley: app.version,
    host: app.host,
    platform: `${app.platform} ${release()} ${arch()}`,
    node,
    electron,
    chrome,
    processors: cpus().length,
    memoryBytes: totalmem(),
    residentBytes: process.memoryUsage.rss(),
    upS: Math.round(process.uptime()),
  };
}

function shownSettings({ settings, policy }: DiagnosticsParts): object {
  const shown = settingKeys.map((key) => {
    const rule = policy.rules.find((one) => one.key === key);
    const by = rule === undefined ? 'user or default' : `${rule.source}${rule.locked ? ', locked' : ''}`;
    const said = SAID.find((one) => one === key);
    const isSaid = said !== undefined && settings[said].length > 0;
    return [key, { value: isSaid ? '(redacted)' : withoutSecrets(settings[key]), by }];
  });
  return { settings: Object.fromEntries(shown) as object, faults: policy.faults };
}

function withoutSecrets(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return { ...value, ...('secret' in value ? { secret: '(redacted)' } : {}) };
}

async function history({ store, profile }: DiagnosticsParts): Promise<object> {
  const { incoming, outgoing } = await store.call('selectTotals', null);
  const conversations = await store.call('selectConversations', null);
  const names = (await readdir(profile)).sort().slice(0, MAX_FILES);
  const files = await Promise.all(
    names.map(async (name) => {
      const found = await stat(join(profile, name)).catch(() => undefined);
      return { name, bytes: found?.isFile() === true ? found.size : null };
    }),
  );
  return { encrypted: store.isEncrypted, conversations: conversations.length, incoming, outgoing, files };
}

function wireText({ timeUs, from, to, protocol, text }: WireMessage): string {
  return `${(timeUs / 1e6).toFixed(6)} ${protocol} ${from} -> ${to}\n${text.replaceAll('\r\n', '\n')}\n`;
}

/** The end of a file, from a line's beginning on; empty when there is none. */
async function endOf(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - MAX_LOG_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
    const text = buffer.toString('utf8', 0, bytesRead);
    return from === 0 ? text : text.slice(text.indexOf('\n') + 1);
  } finally {
    await file.close();
  }
}
