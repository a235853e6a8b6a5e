/**
 * Owns: the calls of the contract that find one's way in a conversation. Called by: commands.ts. Calls: store.
 */
import type { CallName } from '../../shared/ipc/contract.ts';
import type { Commands } from './commands.ts';
import type { Messenger } from './messenger.ts';

const DAY_MS = 86_400_000;

export function browseCommands({
  store,
}: Pick<Messenger, 'store'>): Pick<Commands, Extract<CallName, `browse.${string}`>> {
  return {
    'browse.days': (input) => store.call('selectDays', input),
    'browse.positionOfDay': ({ conversationId, day }) =>
      store.call('selectPositionAt', { conversationId, sentAtMs: noonOf(day) }),
    'browse.firstUnread': (input) => store.call('selectFirstUnread', input),
    'browse.withTrait': async ({ limit, ...input }) => {
      const found = await store.call('selectWithTrait', { ...input, limit: limit + 1 });
      return { messages: found.slice(0, limit), hasMore: found.length > limit };
    },
    'browse.figures': (input) => store.call('selectFigures', input),
  };
}

/** A time that is on that day of the local calendar, however its clocks were set. */
function noonOf(day: number): number {
  const date = new Date(day * DAY_MS);
  return new Date(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate(), 12).getTime();
}
