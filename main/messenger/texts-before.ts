/**
 * Owns: that a file is offered behind the texts that were written before it: it waits until they have left, for a moment.
 * Called by: transfer-runs.ts. Calls: store, feed.
 */
import type { TransferHost, TransferRecord } from './transfer-record.ts';

/** Files that have waited in vain: they do not wait again. */
const impatient = new WeakSet<TransferRecord>();

/** Resolves when none of these texts is queued any more, when the file is to wait no longer, or not to go out now. */
export async function textsBefore(
  { store, feed, clock, limits, log }: TransferHost,
  record: TransferRecord,
  signal: AbortSignal,
): Promise<void> {
  const { conversationId, position } = record.stored;
  const isOver = async (): Promise<boolean> => {
    if (record.state !== 'waiting' || signal.aborted) return true;
    const [oldest] = await store.call('selectQueued', { conversationId, limit: 1 });
    return oldest === undefined || oldest.position > position;
  };
  if (impatient.has(record) || (await isOver())) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    isOver().then(
      (over) => {
        if (over) resolve();
      },
      (error: unknown) => {
        log.error('file.texts-not-read', { error });
        resolve();
      },
    );
  };
  const release = feed.subscribe(({ event, data }) => {
    const isText = event === 'message.changed' && data.message.conversationId === conversationId;
    if (isText || (event === 'transfer.changed' && data.messageId === record.id)) look();
  });
  using _patience = clock.startTimer(limits.fileBehindTextsMs, () => {
    impatient.add(record);
    resolve();
  });
  signal.addEventListener('abort', look, { once: true });
  await promise;
  signal.removeEventListener('abort', look);
  release();
}
