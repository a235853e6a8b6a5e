/**
 * A program that stores numbered messages until it is ended, and says of each on a line of its own what became of it:
 * `stored N`, or `refused N CODE` (then it tries a few more, closes well and ends). A store that cannot be opened is
 * `unopened CODE`.
 * Called by: store-crash.ts as a process of its own. Calls: main/store.
 */
import { writeSync } from 'node:fs';
import type { AccountId, ConversationId, MessageId } from '../../shared/domain/ids.ts';
import { StoreError } from '../../main/store/database.ts';
import { Store } from '../../main/store/store.ts';

/** Messages that are under way to the disk together. */
const AT_ONCE = 4;
/** Rounds after the first refusal: a disk that was full for a moment may take the next message. */
const FURTHER_ROUNDS = 3;

const [path = '', first = '1', last = 'Infinity'] = process.argv.slice(2);
const conversationId = 'c1' as ConversationId;

/** Written at once, in the order of what happened: what is said is said before the next thing happens. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

const codeOf = (error: unknown): string => (error instanceof StoreError ? error.code : String(error));

async function run(): Promise<void> {
  await using store = await Store.open(path);
  await store.call('openConversation', {
    id: conversationId,
    accountId: 'a1' as AccountId,
    peerAddress: 'tom@example.org',
    peerName: 'Tom',
    standing: 'accepted',
    nowMs: 1,
  });
  let further = Infinity;
  for (let number = Number(first); number <= Number(last) && further > 0; further -= 1) {
    const batch = Array.from({ length: AT_ONCE }, () => number++);
    const stored = await Promise.all(
      batch.map(async (one) => {
        try {
          const id = `m${one}` as MessageId;
          await store.insertMessage({
            id,
            conversationId,
            direction: one % 2 === 0 ? 'in' : 'out',
            wireId: one.toString(16).padStart(32, '0'),
            text: `word${one} in a sentence of its own ${'and more '.repeat(one % 60)}`,
            sentAtMs: one,
            storedAtMs: one,
            state: one % 2 === 0 ? 'received' : 'queued',
            displayReportWanted: false,
          });
          say(`stored ${one}`);
          return true;
        } catch (error) {
          say(`refused ${one} ${codeOf(error)}`);
          return false;
        }
      }),
    );
    if (stored.includes(false) && further === Infinity) further = FURTHER_ROUNDS;
  }
}

try {
  await run();
} catch (error) {
  say(`unopened ${codeOf(error)}`);
}
