/**
 * A program that stores messages until it is killed, and prints the id of each that was answered.
 * Called by: store.test.ts. Calls: main/store.
 */
import type { AccountId, ConversationId, MessageId } from '../../shared/domain/ids.ts';
import { Store } from '../../main/store/store.ts';

const store = await Store.open(process.argv[2] ?? '');
const conversationId = 'c1' as ConversationId;
await store.call('openConversation', {
  id: conversationId,
  accountId: 'a1' as AccountId,
  peerAddress: 'tom@example.org',
  peerName: 'Tom',
  standing: 'accepted',
  nowMs: 1,
});

for (let index = 0; ;) {
  const batch = Array.from({ length: 32 }, () => `m${String((index += 1)).padStart(6, '0')}` as MessageId);
  await Promise.all(
    batch.map(async (id) => {
      await store.insertMessage({
        id,
        conversationId,
        direction: 'out',
        wireId: id,
        text: `text of ${id}`,
        sentAtMs: 1,
        storedAtMs: 1,
        state: 'queued',
        displayReportWanted: false,
      });
      process.stdout.write(`${id}\n`);
    }),
  );
}
