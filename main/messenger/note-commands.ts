/**
 * Owns: what our user notes down about conversations: drafts and marks, kept beside the settings.
 * Called by: commands.ts. Calls: store, feed.
 */
import * as v from 'valibot';
import { marksSchema } from '../../shared/domain/conversation.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { CallName } from '../../shared/ipc/contract.ts';
import { systemClock } from '../base/clock.ts';
import type { Commands } from './commands.ts';
import type { Messenger } from './messenger.ts';
import { MARKS_KEY } from '../store/marks.ts';

const DRAFT = 'draft:';

type NoteCall = Extract<CallName, `draft.${string}` | `marks.${string}`>;

export function noteCommands(
  messenger: Pick<Messenger, 'store' | 'feed' | 'conversation'>,
): Pick<Commands, NoteCall> {
  const { feed, store } = messenger;
  /** Notes of one kind by conversation; what cannot be read any more is left out. */
  const select = async <Schema extends v.GenericSchema>(
    prefix: string,
    schema: Schema,
  ): Promise<{ conversationId: ConversationId; value: v.InferOutput<Schema> }[]> => {
    const stored = await store.call('selectSettings', null);
    return Object.entries(stored).flatMap(([key, text]) => {
      if (!key.startsWith(prefix)) return [];
      const parsed = v.safeParse(schema, parseJson(text));
      const conversationId = key.slice(prefix.length) as ConversationId;
      return parsed.success ? [{ conversationId, value: parsed.output }] : [];
    });
  };
  return {
    'draft.list': async () => {
      const drafts = await select(DRAFT, v.string());
      return drafts
        .filter(({ value }) => value !== '')
        .map(({ conversationId, value }) => ({ conversationId, text: value }));
    },
    'draft.set': async ({ conversationId, text }) => {
      await messenger.conversation(conversationId);
      await store.call('upsertSetting', { key: `${DRAFT}${conversationId}`, value: JSON.stringify(text) });
      return null;
    },
    'marks.list': async () => {
      const marks = await select(MARKS_KEY, marksSchema);
      return marks.map(({ conversationId, value }) => ({ conversationId, marks: value }));
    },
    'marks.set': async ({ conversationId, marks }) => {
      await messenger.conversation(conversationId);
      await store.call('upsertMarks', { conversationId, marks, changedAtMs: systemClock.now() });
      feed.publish('marks.changed', { conversationId, marks });
      return null;
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
