/**
 * Owns: `npm run history`: a history exported, checked and taken in, from the command line.
 * Called by: people and scripts. Calls: messenger/history, store.ts.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { exportHistory } from '../../messenger/history/export.ts';
import { openHistoryKey } from '../../messenger/history/history-key.ts';
import { importHistory } from '../../messenger/history/import.ts';
import { ExportError, verifyExport } from '../../messenger/history/verify.ts';
import { historyOf } from '../../messenger/profile.ts';
import { filePermissionSecrets } from '../../messenger/secrets.ts';
import { StoreError } from '../../store/database.ts';
import { Store } from '../../store/store.ts';
import { defaultProfile } from '../profile.ts';
import { takeInstanceLock } from '../single-instance.ts';
import { VERSION } from '../version.ts';

const HELP = `A history as files.

  history export FOLDER [--format jsonl|html|text] [--with ADDRESS ...] [--profile FOLDER]
  history verify FOLDER
  history import FOLDER [--profile FOLDER]

export writes every conversation, or those with the addresses that are named, into FOLDER. An export that was stopped
goes on when it is started again in the same folder. verify tells whether an export is complete and as it was written.
import takes an export in JSON Lines in; what is there already stays as it is. Parley must not be running on the profile.
`;

class UsageError extends Error {}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      format: { type: 'string', default: 'jsonl' },
      with: { type: 'string', multiple: true },
      profile: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  const [command, where] = positionals;
  if (values.help || command === undefined) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  if (where === undefined) throw new UsageError(`history ${command}: which folder?`);
  const folder = resolve(where);
  const profile = values.profile === undefined ? defaultProfile() : resolve(values.profile);
  switch (command) {
    case 'verify':
      return verify(folder);
    case 'export':
      return onProfile(profile, (store) => exportTo(store, folder, values.format, values.with));
    case 'import':
      return onProfile(profile, async (store) => {
        const result = await importHistory({ store, folder, filesFolder: resolve(profile, 'files') });
        say(
          `${result.messages} messages of ${result.conversations} conversations, ${result.added} of them new.`,
        );
        return 0;
      });
    default:
      throw new UsageError(`history ${command}: there are export, verify and import.`);
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function onProfile(profile: string, work: (store: Store) => Promise<number>): Promise<number> {
  const taken = await takeInstanceLock(profile);
  if (!('lock' in taken)) throw new UsageError(`Parley is running on ${profile}. End it first.`);
  await using _lock = taken.lock;
  const key = await openHistoryKey(profile, filePermissionSecrets);
  await using store = await Store.open(historyOf(profile), { key });
  return await work(store);
}

async function exportTo(
  store: Store,
  folder: string,
  format: string,
  addresses: readonly string[] | undefined,
): Promise<number> {
  if (format !== 'jsonl' && format !== 'html' && format !== 'text') {
    throw new UsageError(`--format ${format}: there are jsonl, html and text.`);
  }
  const all = await store.call('selectConversations', null);
  const unknown = addresses?.find((address) => !all.some(({ peerAddress }) => peerAddress === address));
  if (unknown !== undefined)
    throw new UsageError(`--with ${unknown}: there is no conversation with this address.`);
  const stop = new AbortController();
  process.once('SIGINT', () => {
    stop.abort(new UsageError('Stopped. Start it again with the same folder to go on.'));
  });
  const conversations = all.filter(({ peerAddress }) => addresses?.includes(peerAddress) !== false);
  const { counts } = await exportHistory({
    store,
    folder,
    format,
    program: `Parley ${VERSION}`,
    signal: stop.signal,
    conversations: conversations.map(({ id }) => id),
    receiveProgress: ({ messages, conversations: done }) => {
      process.stderr.write(`\r${done} of ${conversations.length} conversations, ${messages} messages`);
    },
  });
  process.stderr.write('\n');
  say(
    `${counts.messages} messages of ${counts.conversations} conversations and ${counts.files} files in ${folder}`,
  );
  return 0;
}

async function verify(folder: string): Promise<number> {
  const { manifest, problems } = await verifyExport(folder);
  const { messages, conversations, files } = manifest.counts;
  if (problems.length === 0) {
    say(
      `complete and as it was written: ${messages} messages, ${conversations} conversations, ${files} files`,
    );
    return 0;
  }
  for (const problem of problems) say(problem);
  return 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  const isExpected =
    error instanceof UsageError ||
    error instanceof ExportError ||
    error instanceof StoreError ||
    'code' in (error as object);
  process.stderr.write(
    `${isExpected && error instanceof Error ? error.message : String((error as Error).stack)}\n`,
  );
  process.exitCode = 2;
}
