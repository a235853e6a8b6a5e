/**
 * A program that opens a history, pages and searches, and prints how much memory it has then. Called by: measure.ts with the
 * file, its key in hexadecimal (empty: none) and words. Calls: main/store.
 */
import { Store } from '../../../main/store/store.ts';

const [path = '', key = '', ...words] = process.argv.slice(2);
await using store = await Store.open(path, { key: key === '' ? undefined : Buffer.from(key, 'hex') });
const conversations = await store.call('selectConversations', null);
for (const { id: conversationId } of conversations.slice(0, 100)) {
  await store.call('selectMessagePage', { conversationId, limit: 50 });
}
for (const text of words) await store.search({ text, limit: 50 });
process.stdout.write(String(process.memoryUsage.rss()));
