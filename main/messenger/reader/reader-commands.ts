/**
 * Owns: what the calls of a window do that only reads. Called by: hosts/reading.ts. Calls: the store that is read, and
 * what other windows read with.
 */
import type { AppInfo, CallOutput } from '../../../shared/ipc/contract.ts';
import type { ReadingCall } from '../../../shared/ipc/reading-calls.ts';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import type { ShownPolicy } from '../../../shared/policy.ts';
import type { Settings } from '../../../shared/settings.ts';
import { browseCommands } from '../browse-commands.ts';
import type { Commands } from '../commands.ts';
import { historyJobCommands } from '../history-job-commands.ts';
import type { HistoryJobs } from '../history-jobs.ts';
import { messageDetails } from '../message-details.ts';
import { listMessages } from '../message-pages.ts';
import { noteCommands } from '../note-commands.ts';
import { openingCommands } from '../opening.ts';
import { searchIn } from '../search-commands.ts';
import { shownGroup } from '../groups/group-commands.ts';
import { noFileDesktop, saveMessage, type FileDesktop } from '../transfer-commands.ts';
import type { HistoryReader, OpenReading } from './reader.ts';

/** A handler for every call that reads; the border refuses all others. */
export type ReaderCommands = Pick<Commands, ReadingCall>;

export interface ReaderCommandOptions {
  readonly reader: HistoryReader;
  readonly open: OpenReading;
  readonly jobs: HistoryJobs;
  readonly app: Pick<AppInfo, 'version' | 'host' | 'platform'>;
  readonly desktop?: FileDesktop;
  readonly settings: () => Settings;
  readonly policy: () => ShownPolicy;
}

export function readerCommands(options: ReaderCommandOptions): ReaderCommands {
  const { reader, open, jobs, app, desktop = noFileDesktop, settings, policy } = options;
  const { files, store } = open;
  const notes = noteCommands({ store, feed: reader.feed, conversation: refuse });
  const job = historyJobCommands(jobs);
  return {
    ...openingCommands(reader.opening),
    ...browseCommands({ store }),
    'app.info': () =>
      Promise.resolve({
        ...app,
        profile: reader.path,
        firstRun: false,
        hasFileDialogs: options.desktop !== undefined,
        canRestart: false,
      }),
    'reading.status': () => Promise.resolve(reader.reading),
    'settings.get': () => Promise.resolve(settings()),
    'policy.get': () => Promise.resolve(policy()),
    // Nobody signs in here: accounts of a copied profile stay what they are.
    'account.list': () => Promise.resolve([]),
    'session.list': () => Promise.resolve([]),
    'contact.list': () => store.call('selectContacts', null),
    'conversation.list': () => store.call('selectConversations', null),
    'group.list': () => groupsIn(open),
    'marks.list': notes['marks.list'],
    'message.list': (input) => listMessages(store, input),
    'message.details': ({ messageId }) => messageDetails({ store, sessions: () => [] }, messageId),
    'message.save': ({ messageId }) => saveMessage(store, desktop, messageId),
    'transfer.open': async ({ messageId }) => {
      await desktop.open((await files.copyOf(messageId)).path);
      return null;
    },
    'transfer.save': async ({ messageId }) => {
      const { path, name } = await files.copyOf(messageId);
      await desktop.saveFile(path, name);
      return null;
    },
    'search.query': (input) => searchIn(store, input),
    'job.current': job['job.current'],
    'job.export': job['job.export'],
    'job.stop': job['job.stop'],
    'job.resume': job['job.resume'],
    'job.dismiss': job['job.dismiss'],
    'job.reveal': job['job.reveal'],
  };
}

async function groupsIn({ store }: OpenReading): Promise<CallOutput<'group.list'>> {
  const conversations = await store.call('selectConversations', null);
  const accounts = new Set(
    conversations.filter(({ kind }) => kind === 'group').map(({ accountId }) => accountId),
  );
  const lists = await Promise.all(
    [...accounts].map((accountId) => store.call('selectGroups', { accountId })),
  );
  return lists.flat().map(shownGroup);
}

function refuse(): Promise<never> {
  return Promise.reject(new CallError('read-only', 'This is only read.'));
}
