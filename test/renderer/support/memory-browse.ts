/** Owns: days, figures and shared things of a world, as the store would answer. Called by: memory-backend. Calls: nothing. */
import type { Marks } from '../../../shared/domain/conversation.ts';
import type { HistoryJob } from '../../../shared/domain/history.ts';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import type { Message } from '../../../shared/domain/message.ts';
import type { CallName, CheckedInput } from '../../../shared/ipc/contract.ts';
import type { World } from './memory-backend.ts';

const dayMs = 86_400_000;

type BrowseCall = Extract<CallName, `browse.${string}`>;

function dayOf(ms: number): number {
  return Math.floor((ms - new Date(ms).getTimezoneOffset() * 60_000) / dayMs);
}

export function browseHandlers(world: World): {
  [Name in BrowseCall]: (input: CheckedInput<Name>) => unknown;
} {
  const of = (id: string): Message[] => world.messages.filter(({ conversationId }) => conversationId === id);
  return {
    'browse.days': ({ conversationId, fromDay, toDay }) => {
      const days = Map.groupBy(of(conversationId), ({ sentAtMs }) => dayOf(sentAtMs));
      return [...days]
        .filter(([day]) => day >= fromDay && day <= toDay)
        .map(([day, messages]) => ({ day, count: messages.length }));
    },
    'browse.positionOfDay': ({ conversationId, day }) =>
      of(conversationId).find(({ sentAtMs }) => dayOf(sentAtMs) >= day)?.position ?? null,
    'browse.firstUnread': ({ conversationId }) => {
      const seen = world.conversations.find(({ id }) => id === conversationId)?.readPosition ?? 0;
      const first = of(conversationId).find(
        ({ direction, position }) => direction === 'in' && position > seen,
      );
      return first?.position ?? null;
    },
    'browse.withTrait': ({ conversationId, trait, before = Infinity, after, limit }) => {
      const found = of(conversationId)
        .filter(({ position }) => position < before && position > (after ?? -1))
        .filter(({ file, text }) =>
          trait === 'link'
            ? file === undefined && text.includes('https://')
            : file !== undefined && (trait === 'file' || file.type.startsWith('image/')),
        );
      if (after === undefined) found.reverse();
      return { messages: found.slice(0, limit), hasMore: found.length > limit };
    },
    'browse.figures': ({ conversationId }) => {
      const all = of(conversationId);
      const files = all.flatMap(({ file }) => (file === undefined ? [] : [file]));
      return {
        incoming: all.filter(({ direction }) => direction === 'in').length,
        outgoing: all.filter(({ direction }) => direction === 'out').length,
        firstSentAtMs: all[0]?.sentAtMs ?? null,
        lastSentAtMs: all.at(-1)?.sentAtMs ?? null,
        files: files.length,
        fileBytes: files.reduce((sum, { size }) => sum + (size ?? 0), 0),
      };
    },
  };
}

type JobCall = Extract<CallName, `job.${string}`>;

/** Exports and imports that a spec drives by hand: each begins, and is stopped when asked. */
export function jobHandlers(
  world: World,
  publish: (job: HistoryJob | null) => void,
): {
  [Name in JobCall]: (input: CheckedInput<Name>) => unknown;
} {
  const change = (job: HistoryJob | null): HistoryJob | null => {
    world.job = job;
    publish(job);
    return job;
  };
  const begin = (kind: HistoryJob['kind']): HistoryJob | null =>
    change({
      kind,
      state: 'running',
      folder: '/home/bob/Parley 2026-11-23 0335',
      conversations: 0,
      messages: 120,
      total: kind === 'export' ? 480 : null,
      files: 0,
      added: 0,
      failure: null,
    });
  return {
    'job.current': () => world.job ?? null,
    'job.export': () => begin('export'),
    'job.stage': () => null,
    'job.import': () => begin('import'),
    'job.stop': () => change(world.job ? { ...world.job, state: 'stopped' } : null),
    'job.resume': () => change(world.job ? { ...world.job, state: 'running' } : null),
    'job.dismiss': () => change(null),
    'job.reveal': () => null,
  };
}

type NoteCall = Extract<CallName, `draft.${string}` | `marks.${string}` | 'message.details'>;

/** Drafts and marks, and what is kept of a message. */
export function noteHandlers(
  world: World,
  publish: (id: ConversationId, marks: Marks) => void,
): { [Name in NoteCall]: (input: CheckedInput<Name>) => unknown } {
  const entries = <Value>(record: Record<ConversationId, Value> | undefined): [ConversationId, Value][] =>
    Object.entries(record ?? {}) as [ConversationId, Value][];
  return {
    'draft.list': () => entries(world.drafts).map(([conversationId, text]) => ({ conversationId, text })),
    'draft.set': ({ conversationId, text }) => {
      world.drafts = { ...world.drafts, [conversationId]: text };
      return null;
    },
    'marks.list': () => entries(world.marks).map(([conversationId, marks]) => ({ conversationId, marks })),
    'marks.set': ({ conversationId, marks }) => {
      world.marks = { ...world.marks, [conversationId]: marks };
      publish(conversationId, marks);
      return null;
    },
    'message.details': ({ messageId }) => {
      const message = world.messages.find(({ id }) => id === messageId);
      const session = world.sessions.find(({ conversationId }) => conversationId === message?.conversationId);
      return {
        storedAtMs: message?.sentAtMs ?? 0,
        times: message === undefined ? [] : [{ state: message.state, atMs: message.sentAtMs + 2_000 }],
        wireId: `wire-${messageId}`,
        device: message?.direction === 'out' ? 'Laptop' : null,
        session: session ?? null,
      };
    },
  };
}

type KeepCall = 'message.delete' | 'conversation.clear' | 'retention.get' | 'retention.set';

/** What is deleted, and how long the rest is kept. */
export function keepHandlers(
  world: World,
  publish: (id: ConversationId, positions: number[]) => void,
): { [Name in KeepCall]: (input: CheckedInput<Name>) => unknown } {
  const rules = new Map<ConversationId, number | null>();
  const remove = (id: ConversationId, isMeant: (message: Message) => boolean): null => {
    const gone = world.messages.filter((message) => message.conversationId === id && isMeant(message));
    world.messages = world.messages.filter((message) => !gone.includes(message));
    publish(
      id,
      gone.map(({ position }) => position),
    );
    return null;
  };
  return {
    'message.delete': ({ conversationId, ids }) => remove(conversationId, ({ id }) => ids.includes(id)),
    'conversation.clear': ({ conversationId }) => remove(conversationId, () => true),
    'retention.get': ({ conversationId }) => ({ keepMs: rules.get(conversationId) ?? null }),
    'retention.set': ({ conversationId, keepMs }) => {
      rules.set(conversationId, keepMs);
      return { keepMs };
    },
  };
}
