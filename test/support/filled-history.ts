/**
 * Owns: a history with three conversations, a file and a session, and what is compared of histories.
 * Called by: tests of exports and archives. Calls: store.ts.
 */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Store } from '../../main/store/store.ts';
import type { AccountId, ConversationId, MessageId } from '../../shared/domain/ids.ts';

const HOSTILE = '<script>alert(1)</script> & "quotes"\nsecond line\u202e';

/** `history.sqlite` and `plan.txt` in that folder: 910 messages with tom, ana and zoe, one of them a file of ana's. */
export async function openFilledHistory(folder: string, key?: Uint8Array): Promise<Store> {
  const store = await Store.open(join(folder, 'history.sqlite'), { key });
  await store.call('insertAccount', {
    id: 'a' as AccountId,
    address: 'bob@example.org',
    displayName: 'Bob',
    server: '',
    kind: 'server',
    secret: Buffer.from('x'),
    secretBackend: 'file-permissions',
    transport: 'auto',
    proxies: [],
    createdMs: 1,
  });
  await writeFile(join(folder, 'plan.txt'), 'the plan');
  for (const peer of ['tom', 'ana', 'zoe']) await fill(store, folder, peer);
  return store;
}

async function fill(store: Store, folder: string, peer: string): Promise<void> {
  const conversationId = `with-${peer}` as ConversationId;
  await store.call('openConversation', {
    id: conversationId,
    accountId: 'a' as AccountId,
    peerAddress: `${peer}@example.org`,
    peerName: peer === 'tom' ? '../Tom <b>' : peer,
    standing: 'accepted',
    nowMs: 1,
  });
  const texts = [
    'first',
    HOSTILE,
    '今天天气',
    ...Array.from({ length: 300 }, (_, index) => `number ${index}`),
  ];
  await Promise.all(
    texts.map((text, index) =>
      store.insertMessage({
        id: `${peer}-${index}` as MessageId,
        conversationId,
        direction: index % 2 === 0 ? 'in' : 'out',
        wireId: `${peer}-${index}`,
        text,
        sentAtMs: 1_700_000_000_000 + index * 1_000,
        storedAtMs: 1_700_000_000_500 + index * 1_000,
        state: index === 1 ? 'sent' : index % 2 === 0 ? 'read' : 'displayed',
        displayReportWanted: false,
      }),
    ),
  );
  await store.call('updateMessageState', { id: `${peer}-1` as MessageId, state: 'delivered' });
  await store.call('updateMessageState', { id: `${peer}-1` as MessageId, state: 'displayed' });
  if (peer !== 'ana') return;
  await store.insertMessage({
    id: 'file' as MessageId,
    conversationId,
    direction: 'in',
    wireId: 'file',
    text: 'plan.txt',
    sentAtMs: 1_800_000_000_000,
    storedAtMs: 1_800_000_000_000,
    state: 'read',
    displayReportWanted: false,
    file: {
      transferId: 'f',
      name: 'plan.txt',
      type: 'text/plain',
      size: 8,
      sha1: null,
      sha256: createHash('sha256').update('the plan').digest('hex'),
      modifiedMs: null,
      state: 'done',
      accepted: true,
      bytesDone: 8,
      path: join(folder, 'plan.txt'),
      partPath: null,
      preview: null,
      failure: null,
    },
  });
}

/** Direction, text, time, state and its times of everything, by conversation. */
export async function contentOf(from: Store): Promise<Record<string, unknown[]>> {
  const content: Record<string, unknown[]> = {};
  for (const { id, peerAddress } of await from.call('selectConversations', null)) {
    const page = await from.call('selectExportPage', { conversationId: id, after: 0, limit: 1_000 });
    content[peerAddress] = page.map(({ direction, wireId, text, sentAtMs, state, times, file }) => [
      direction,
      wireId,
      text,
      sentAtMs,
      state,
      times,
      file?.name,
    ]);
  }
  return content;
}
