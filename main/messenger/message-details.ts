/**
 * Owns: what is known of one message: when it was stored and came into each state, what it is called on the wire, in which
 * session it was.
 * Called by: commands.ts. Calls: store, messenger.ts.
 */
import type { MessageId } from '../../shared/domain/ids.ts';
import type { MessageDetails } from '../../shared/domain/message.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { Messenger } from './messenger.ts';

/** Rejects with CallError. */
export async function messageDetails(
  messenger: Pick<Messenger, 'sessions' | 'store'>,
  id: MessageId,
): Promise<MessageDetails> {
  const { store } = messenger;
  const message = await store.call('selectMessage', { id });
  if (message === null) throw new CallError('not-found', 'This message does not exist any more.');
  const { conversationId, direction, position, sentAtMs } = message;
  const [stored] = await store.call('selectExportPage', { conversationId, after: position - 1, limit: 1 });
  if (stored?.id !== id) throw new CallError('not-found', 'This message does not exist any more.');
  const { storedAtMs, wireId } = stored;
  const device = await store.call('selectMessageDevice', { id });
  const times = await store.call('selectMessageTimes', { id });
  // What others say about the time is by their clock; when it came is by ours.
  const atMs = direction === 'in' ? storedAtMs : sentAtMs;
  const past = await store.call('selectExportSessions', { conversationId });
  const session = past.findLast(
    ({ startedMs, endedMs }) => startedMs <= atMs && (endedMs === null || atMs <= endedMs),
  );
  if (session === undefined) return { storedAtMs, times, wireId, device, session: null };
  const known = messenger
    .sessions()
    .find((each) => each.conversationId === conversationId && each.startedMs === session.startedMs);
  return {
    storedAtMs,
    times,
    wireId,
    device,
    session: {
      id: known?.id ?? null,
      startedMs: session.startedMs,
      endedMs: session.endedMs,
      mediaPath: known?.mediaPath ?? null,
      encrypted: known?.encrypted ?? null,
    },
  };
}
