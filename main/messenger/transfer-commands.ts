/**
 * Owns: the calls of the contract that are about files. Called by: commands.ts. Calls: transfers.ts, the host's desktop.
 */
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { CallName } from '../../shared/ipc/contract.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { Store } from '../store/store.ts';
import type { Commands } from './commands.ts';
import { groupMarks } from './conversation-actions.ts';
import type { Messenger } from './messenger.ts';
import type { FilePlace } from './transfers.ts';

/** What a host with a desktop does with a file. Each rejects with CallError. */
export interface FileDesktop {
  open(path: string): Promise<void>;
  reveal(path: string): Promise<void>;
  /** Asks where, and copies; a user who changes his mind is no error. */
  saveFile(path: string, name: string): Promise<void>;
  saveText(text: string | Uint8Array, name: string): Promise<void>;
  /** Asks for a folder to write into, or to read from. Undefined: the user has changed his mind. */
  chooseFolder(purpose: 'export' | 'import'): Promise<string | undefined>;
  /** Asks for an archive, or another file that Parley reads. Undefined: as above. */
  chooseArchive(): Promise<string | undefined>;
}

const none = (): Promise<never> =>
  Promise.reject(new CallError('not-allowed', 'This window saves files itself.'));

/** A host without one: its window downloads. */
export const noFileDesktop: FileDesktop = {
  open: none,
  reveal: none,
  saveFile: none,
  saveText: none,
  chooseFolder: none,
  chooseArchive: none,
};

export function transferCommands(
  messenger: Messenger,
  desktop: FileDesktop,
): Pick<Commands, Extract<CallName, `transfer.${string}` | 'message.save'>> {
  const { transfers } = messenger;
  return {
    'message.save': ({ messageId }) => saveMessage(messenger.store, desktop, messageId),
    'transfer.send': async ({ conversationId, fileId, preview }) => {
      const place = await beforeFile(messenger, conversationId);
      return transfers.send(place, fileId, preview);
    },
    'transfer.accept': ({ messageId }) => transfers.accept(messageId),
    'transfer.decline': ({ messageId }) => transfers.decline(messageId),
    'transfer.pause': ({ messageId }) => transfers.pause(messageId),
    'transfer.resume': ({ messageId }) => transfers.resume(messageId),
    'transfer.cancel': ({ messageId }) => transfers.cancel(messageId),
    'transfer.open': async ({ messageId }) => {
      await desktop.open((await transfers.fileOf(messageId)).path);
      return null;
    },
    'transfer.reveal': async ({ messageId }) => {
      await desktop.reveal((await transfers.fileOf(messageId)).path);
      return null;
    },
    'transfer.save': async ({ messageId }) => {
      const { path, name } = await transfers.fileOf(messageId);
      await desktop.saveFile(path, name);
      return null;
    },
  };
}

/** Whoever sends a file agrees to talk. Rejects with CallError where none can be sent. */
export async function beforeFile(messenger: Messenger, conversationId: ConversationId): Promise<FilePlace> {
  const { conversation } = await messenger.conversation(conversationId);
  messenger.presence.refuseBlocked(conversation);
  const group = await groupMarks(messenger, conversation);
  if (conversation.standing !== 'accepted') await messenger.setStanding(conversationId, 'accepted');
  return { conversationId, group };
}

/** Asks where the text of a message goes. Rejects with CallError. */
export async function saveMessage(store: Store, desktop: FileDesktop, id: MessageId): Promise<null> {
  const message = await store.call('selectMessage', { id });
  if (message === null) throw new CallError('not-found', 'This message does not exist any more.');
  await desktop.saveText(message.text, `${new Date(message.sentAtMs).toISOString().slice(0, 10)}.txt`);
  return null;
}
