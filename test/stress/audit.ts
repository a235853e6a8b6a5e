/**
 * Owns: what has to be true of a history after its program was ended in the middle: it opens undamaged, whatever was
 * answered as stored is there once, in order and with its state, and is found.
 * Called by: store-crash.ts. Calls: main/store.
 */
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { findDamage } from '../../main/store/database.ts';
import { Store } from '../../main/store/store.ts';

/** What the writer has said. */
export interface Said {
  readonly stored: ReadonlySet<number>;
  /** No message beyond this one was ever handed in. */
  readonly last: number;
}

const PAGE = 200;
const SEARCHED = 3;

async function readAll(store: Store, conversationId: ConversationId): Promise<Message[]> {
  const all: Message[] = [];
  for (;;) {
    const after = all.at(-1)?.position ?? 0;
    const page = await store.call('selectMessagePage', { conversationId, after, limit: PAGE });
    all.push(...page.messages);
    if (!page.hasAfter) return all;
  }
}

const numberOf = ({ text }: Message): number => Number(/^word(\d+) /.exec(text)?.[1] ?? NaN);

/** What is wrong with the history at `path`; empty when all is well. Opens it as the program does at its start. */
export async function auditStore(path: string, { stored, last }: Said): Promise<string[]> {
  const faults: string[] = [];
  let store: Store;
  try {
    store = await Store.open(path);
  } catch (error) {
    return [`does not open: ${String(error)}`];
  }
  {
    await using _closed = store;
    const { recovered, replaced } = store.opened;
    if (recovered !== null || replaced !== null) faults.push('was taken for damaged');
    const found = (await readAll(store, 'c1' as ConversationId)).map((message) => ({
      number: numberOf(message),
      state: message.state,
    }));
    const numbers = found.map(({ number }) => number);
    const set = new Set(numbers);
    const missing = [...stored].filter((number) => !set.has(number));
    if (missing.length > 0) faults.push(`lost although answered: ${missing.join(', ')}`);
    if (set.size !== numbers.length) faults.push('something is there twice');
    if (numbers.some((number) => !(number >= 1 && number <= last)))
      faults.push('something that nobody wrote');
    if (numbers.some((number, index) => number <= (numbers[index - 1] ?? 0))) faults.push('not in order');
    const wrong = found.filter(({ number, state }) => state !== (number % 2 === 0 ? 'received' : 'queued'));
    if (wrong.length > 0) faults.push(`in another state: ${wrong.map(({ number }) => number).join(', ')}`);
    for (const number of numbers.slice(-SEARCHED)) {
      const hits = await store.search({ text: `word${number}`, limit: 5 });
      if (!hits.some(({ message }) => numberOf(message) === number)) faults.push(`${number} is not found`);
    }
  }
  const damage = await findDamage(path);
  if (damage !== undefined) faults.push(`damaged: ${damage}`);
  return faults;
}
