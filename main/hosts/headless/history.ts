/**
 * Owns: `npm run history`: a history exported, checked and taken in, from the command line.
 * Called by: people and scripts. Calls: messenger/history, store.ts.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { exportFormats, type ExportFormat } from '../../../shared/domain/history.ts';
import type { Conversation } from '../../../shared/domain/conversation.ts';
import { exportArchive } from '../../messenger/history/archive-export.ts';
import { ExportError } from '../../messenger/history/export-error.ts';
import { exportHistory } from '../../messenger/history/export.ts';
import { openHistoryKey } from '../../messenger/history/history-key.ts';
import { givenPassphrase, type PassphraseSource } from '../../messenger/opening.ts';
import { importHistory } from '../../messenger/history/import.ts';
import { verifyExport } from '../../messenger/history/verify.ts';
import { historyOf } from '../../messenger/profile.ts';
import { filePermissionSecrets } from '../../messenger/secrets.ts';
import { StoreError } from '../../store/database.ts';
import { Store } from '../../store/store.ts';
import { defaultProfile } from '../profile.ts';
import { takeInstanceLock } from '../single-instance.ts';
import { readSecret } from '../terminal-secret.ts';
import { VERSION } from '../version.ts';

const HELP = `A history as files.

  history export PLACE [--format jsonl|html|text|parley] [--with ADDRESS ...] [--encrypt] [--profile FOLDER]
  history verify PLACE
  history import PLACE [--profile FOLDER]

export writes every conversation, or those with the addresses that are named, into the folder PLACE, or as an archive
into the file PLACE when its name ends with .parley. An export that was stopped goes on when it is started again with
the same PLACE. --encrypt asks for a passphrase, without which nobody reads the archive. verify tells whether an export
is complete and as it was written. import takes JSON Lines or an archive in; what is there already stays as it is.
Parley must not be running on the profile.

PARLEY_ARCHIVE_PASSPHRASE: the passphrase of an archive, where there is no terminal to ask for it.
PARLEY_PASSPHRASE: in the same way that of the history, when it has one.
`;

const ARCHIVE_END = '.parley';
const ARCHIVE_PASSPHRASE = 'PARLEY_ARCHIVE_PASSPHRASE';
const HISTORY_PASSPHRASE = 'PARLEY_PASSPHRASE';

class UsageError extends Error {}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      format: { type: 'string' },
      with: { type: 'string', multiple: true },
      encrypt: { type: 'boolean', default: false },
      profile: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  const [command, where] = positionals;
  if (values.help || command === undefined) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  if (where === undefined) throw new UsageError(`history ${command}: which folder, or which archive?`);
  const place = resolve(where);
  const profile = values.profile === undefined ? defaultProfile() : resolve(values.profile);
  switch (command) {
    case 'verify':
      return verify(place);
    case 'export': {
      const format = formatOf(place, values.format);
      const passphrase = values.encrypt ? await newPassphrase(format) : undefined;
      return onProfile(profile, (store) => exportTo(store, { place, format, passphrase }, values.with));
    }
    case 'import':
      return onProfile(profile, (store) => importFrom(store, place, resolve(profile, 'files')));
    default:
      throw new UsageError(`history ${command}: there are export, verify and import.`);
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** How far it is, for somebody who watches. */
function tell(messages: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${messages} messages`);
}

function tellEnd(): void {
  if (process.stderr.isTTY) process.stderr.write('\n');
}

function formatOf(place: string, given: string | undefined): ExportFormat {
  const isArchive = place.endsWith(ARCHIVE_END);
  const format = exportFormats.find((each) => each === (given ?? (isArchive ? 'parley' : 'jsonl')));
  if (format === undefined) throw new UsageError(`--format ${given}: there are ${exportFormats.join(', ')}.`);
  if (format === 'parley' && !isArchive) {
    throw new UsageError(`The name of an archive ends with ${ARCHIVE_END}: ${place}${ARCHIVE_END}`);
  }
  return format;
}

async function newPassphrase(format: ExportFormat): Promise<string> {
  if (format !== 'parley')
    throw new UsageError('--encrypt: only an archive (--format parley) can be encrypted.');
  const passphrase = await readSecret(ARCHIVE_PASSPHRASE, 'Passphrase of the archive: ');
  if (passphrase === undefined) throw new UsageError(`--encrypt: set ${ARCHIVE_PASSPHRASE}.`);
  return passphrase;
}

/** Tries without a passphrase first, and asks for one where it is needed. */
async function withPassphrase<T>(work: (passphrase?: string) => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ExportError) || error.kind !== 'locked') throw error;
    const passphrase = await readSecret(ARCHIVE_PASSPHRASE, 'Passphrase of the archive: ');
    if (passphrase === undefined) throw error;
    return work(passphrase);
  }
}

/** From the environment or the terminal, once. */
const typedPassphrase: PassphraseSource = {
  ask: async (what, attempt) => {
    const passphrase = await readSecret(HISTORY_PASSPHRASE, 'Passphrase of your history: ');
    if (passphrase === undefined)
      throw new UsageError(`The history has a passphrase: set ${HISTORY_PASSPHRASE}.`);
    return givenPassphrase(passphrase).ask(what, attempt);
  },
};

async function onProfile(profile: string, work: (store: Store) => Promise<number>): Promise<number> {
  const taken = await takeInstanceLock(profile);
  if (!('lock' in taken)) throw new UsageError(`Parley is running on ${profile}. End it first.`);
  await using _lock = taken.lock;
  const key = await openHistoryKey(profile, filePermissionSecrets, { source: typedPassphrase });
  await using store = await Store.open(historyOf(profile), { key });
  return await work(store);
}

async function chosen(store: Store, addresses: readonly string[] | undefined): Promise<Conversation[]> {
  const all = await store.call('selectConversations', null);
  const unknown = addresses?.find((address) => !all.some(({ peerAddress }) => peerAddress === address));
  if (unknown !== undefined)
    throw new UsageError(`--with ${unknown}: there is no conversation with this address.`);
  return all.filter(({ peerAddress }) => addresses?.includes(peerAddress) !== false);
}

async function exportTo(
  store: Store,
  { place, format, passphrase }: { place: string; format: ExportFormat; passphrase: string | undefined },
  addresses: readonly string[] | undefined,
): Promise<number> {
  const conversations = (await chosen(store, addresses)).map(({ id }) => id);
  const stop = new AbortController();
  process.once('SIGINT', () => {
    stop.abort(new UsageError('Stopped. Start it again with the same place to go on.'));
  });
  const options = {
    store,
    program: `Parley ${VERSION}`,
    signal: stop.signal,
    receiveProgress: ({ messages }: { messages: number }) => {
      tell(messages);
    },
  };
  const { counts } =
    format === 'parley'
      ? await exportArchive({
          ...options,
          path: place,
          passphrase,
          selection: { conversations: addresses === undefined ? null : conversations },
        })
      : await exportHistory({ ...options, folder: place, format, conversations });
  tellEnd();
  say(
    `${counts.messages} messages of ${counts.conversations} conversations and ${counts.files} files in ${place}`,
  );
  return 0;
}

async function importFrom(store: Store, from: string, filesFolder: string): Promise<number> {
  const result = await withPassphrase((passphrase) =>
    importHistory({
      store,
      from,
      filesFolder,
      passphrase,
      receiveProgress: ({ messages }) => {
        tell(messages);
      },
    }),
  );
  tellEnd();
  say(`${result.messages} messages of ${result.conversations} conversations, ${result.added} of them new.`);
  return 0;
}

async function verify(place: string): Promise<number> {
  const { manifest, problems } = await withPassphrase((passphrase) => verifyExport(place, passphrase));
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
