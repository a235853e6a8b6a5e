/**
 * Owns: how the files of a messenger are joined to its conversations. Called by: messenger.ts. Calls: transfers.ts,
 * delivery.ts.
 */
import { join } from 'node:path';
import type { Message } from '../../shared/domain/message.ts';
import { systemClock } from '../base/clock.ts';
import type { Messenger } from './messenger.ts';
import { Transfers } from './transfers.ts';

export function createTransfers(
  messenger: Messenger,
  receive: {
    readonly receiveMessageChange: (message: Message) => void;
    readonly receiveAdded: (message: Message) => void;
  },
): Transfers {
  const { store, feed, log, limits, profile } = messenger;
  return new Transfers({
    store,
    feed,
    log,
    limits,
    clock: systemClock,
    folder: join(profile, 'files'),
    autoAcceptBytes: () => messenger.settings['files.autoAcceptBytes'],
    contextOf: async (conversationId, called) => {
      const { conversation, account } = await messenger.conversation(conversationId);
      if (conversation.kind === 'group') return account?.groups.find(conversationId)?.fileContext();
      return account?.chatContext(conversation, called);
    },
    moveMessage: async (id, state, failure) => {
      const changed = await store.call('updateMessageState', {
        id,
        state,
        ...(failure ? { failure } : {}),
      });
      if (changed !== null) receive.receiveMessageChange(changed);
    },
    receiveAdded: receive.receiveAdded,
    sendDeclined: async (conversationId, messageId) => {
      const { conversation, account } = await messenger.conversation(conversationId);
      // A room has not offered it to our user alone.
      if (conversation.kind === 'group') return;
      const report = { messageId, kind: 'delivery', status: 'forbidden' } as const;
      await (account &&
        messenger.delivery.sendNotification(account, undefined, conversation.peerAddress, report));
    },
  });
}
