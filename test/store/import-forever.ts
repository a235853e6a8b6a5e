/**
 * A program that takes messages in until it is killed, and prints the number of each part that was answered.
 * Called by: bulk-work.test.ts. Calls: main/store.
 */
import type { AccountId, ConversationId } from '../../shared/domain/ids.ts';
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

async function take(number: number): Promise<void> {
  const part = Array.from({ length: 20 }, (_, index) => ({
    conversationId,
    direction: 'in' as const,
    wireId: `${number}-${index}`,
    text: `text of ${number}-${index}`,
    sentAtMs: 1,
    storedAtMs: 1,
    state: 'read' as const,
    displayReportWanted: false,
  }));
  await store.call('importMessages', part);
  process.stdout.write(`${number}\n`);
}

const underWay: Promise<void>[] = [];
for (let number = 0; ; number += 1) {
  underWay.push(take(number));
  if (underWay.length >= 40) await underWay.shift();
}
