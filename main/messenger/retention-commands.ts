/**
 * Owns: the calls of the contract that delete, and that say how long is kept. Called by: commands.ts. Calls: retention.ts.
 */
import type { Commands } from './commands.ts';
import type { Messenger } from './messenger.ts';

export function retentionCommands({
  retention,
}: Pick<Messenger, 'retention'>): Pick<
  Commands,
  'message.delete' | 'conversation.clear' | 'retention.get' | 'retention.set'
> {
  return {
    'message.delete': async ({ conversationId, ids }) => {
      await retention.delete(conversationId, ids);
      return null;
    },
    'conversation.clear': async ({ conversationId }) => {
      await retention.clear(conversationId);
      return null;
    },
    'retention.get': async ({ conversationId }) => ({ keepMs: await retention.rule(conversationId) }),
    'retention.set': async ({ conversationId, keepMs }) => {
      await retention.setRule(conversationId, keepMs);
      return { keepMs };
    },
  };
}
