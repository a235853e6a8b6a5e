/**
 * The store as its callers see it: states, pages, accounts and sessions; its thread; kill -9.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AccountId, ConversationId, MessageId, SessionId } from '../../shared/domain/ids.ts';
import type { Message, MessageState } from '../../shared/domain/message.ts';
import { openDatabase } from '../../main/store/database.ts';
import type { NewMessage, OutgoingState } from '../../main/store/messages.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { Store } from '../../main/store/store.ts';

let folder: string;
let path: string;
let store: Store;
const [tom, eve] = ['c-tom', 'c-eve'] as ConversationId[] as [ConversationId, ConversationId];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-store-'));
  path = join(folder, 'history.sqlite');
  store = await Store.open(path);
  for (const [id, address] of [
    [tom, 'tom@example.org'],
    [eve, 'eve@example.org'],
  ] as const) {
    await store.call('openConversation', {
      id,
      accountId: 'a1' as AccountId,
      peerAddress: address,
      peerName: address.slice(0, 3),
      standing: 'accepted',
      nowMs: 1,
    });
  }
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

let count = 0;
async function add(fields: Partial<NewMessage> = {}): Promise<Message> {
  const id = fields.id ?? (`m${++count}` as MessageId);
  const { message } = await store.insertMessage({
    id,
    conversationId: tom,
    direction: 'in',
    wireId: id,
    text: `text of ${id}`,
    sentAtMs: 1,
    storedAtMs: 1,
    state: fields.direction === 'out' ? 'queued' : 'received',
    displayReportWanted: false,
    ...fields,
  });
  return message;
}

describe('messages', () => {
  /** From the states of message.ts: what a report may change, written out. */
  const ALLOWED: Record<OutgoingState, readonly MessageState[]> = {
    queued: ['queued', 'failed'],
    waiting: ['queued', 'failed'],
    sent: ['queued', 'waiting', 'failed'],
    delivered: ['queued', 'waiting', 'sent', 'failed'],
    displayed: ['queued', 'waiting', 'sent', 'delivered', 'failed'],
    failed: ['queued', 'waiting'],
  };
  const states = Object.keys(ALLOWED) as OutgoingState[];

  it('every state may come from just these, and any other is left as it is', async () => {
    const failure = { code: 'x', message: 'why' };
    for (const from of states) {
      for (const to of states) {
        const { id } = await add({ direction: 'out', state: from });
        const changed = await store.call('updateMessageState', {
          id,
          state: to,
          ...(to === 'failed' ? { failure } : {}),
        });
        const moved = ALLOWED[to].includes(from);
        expect(changed?.state, `${from} to ${to}`).toBe(moved ? to : undefined);
        if (moved) expect(changed?.failure).toEqual(to === 'failed' ? failure : null);
        else expect((await store.call('selectMessage', { id }))?.state).toBe(from);
      }
    }
  });

  it('a message that came in is never moved by a report', async () => {
    const { id } = await add();
    expect(await store.call('updateMessageState', { id, state: 'delivered' })).toBeNull();
    expect(await store.call('updateMessageState', { id: 'unknown' as MessageId, state: 'sent' })).toBeNull();
  });

  it('the outbox is in the order of writing, and only of its conversation', async () => {
    const ids = [];
    for (let index = 0; index < 5; index++) ids.push((await add({ direction: 'out' })).id);
    await add({ direction: 'out', conversationId: eve });
    await store.call('updateMessageState', { id: ids[1]!, state: 'sent' });
    const queued = await store.call('selectQueued', { conversationId: tom, limit: 3 });
    expect(queued.map(({ id }) => id)).toEqual([ids[0], ids[2], ids[3]]);
    expect([...(await store.call('selectConversationsWithQueued', null))].sort()).toEqual([eve, tom]);
  });
});

describe('pages', () => {
  it('around, before and after, with what is beyond them', async () => {
    const all: Message[] = [];
    for (let index = 0; index < 10; index++) {
      all.push(await add());
      await add({ conversationId: eve });
    }
    const positions = all.map(({ position }) => position);
    const page = async (where: { before?: number; after?: number; around?: number }, limit: number) => {
      const { messages, hasBefore, hasAfter } = await store.call('selectMessagePage', {
        conversationId: tom,
        limit,
        ...where,
      });
      return [messages.map(({ position }) => positions.indexOf(position)), hasBefore, hasAfter];
    };
    expect(await page({}, 3)).toEqual([[7, 8, 9], true, false]);
    expect(await page({}, 10)).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], false, false]);
    expect(await page({ before: positions[7]! }, 3)).toEqual([[4, 5, 6], true, true]);
    expect(await page({ before: positions[2]! }, 3)).toEqual([[0, 1], false, true]);
    expect(await page({ before: positions[0]! }, 3)).toEqual([[], false, true]);
    expect(await page({ after: positions[7]! }, 3)).toEqual([[8, 9], true, false]);
    expect(await page({ after: positions[1]! }, 3)).toEqual([[2, 3, 4], true, true]);
    expect(await page({ after: positions[9]! }, 3)).toEqual([[], true, false]);
    expect(await page({ around: positions[5]! }, 4)).toEqual([[3, 4, 5, 6], true, true]);
    expect(await page({ around: positions[0]! }, 4)).toEqual([[0, 1], false, true]);
    expect(await page({ around: positions[9]! }, 4)).toEqual([[7, 8, 9], true, false]);
    expect(await page({ around: positions[5]! }, 1)).toEqual([[5], true, true]);
  });
});

describe('conversations', () => {
  it('the list is sorted by activity, with the newest message in short', async () => {
    await add({ storedAtMs: 10, text: 'a'.repeat(500) });
    await add({ storedAtMs: 20, conversationId: eve, text: 'newer' });
    const list = await store.call('selectConversations', null);
    expect(list.map(({ id, lastMessage }) => [id, lastMessage?.text.length])).toEqual([
      [eve, 5],
      [tom, 200],
    ]);
  });

  it('is opened once for each person, and keeps its standing', async () => {
    const input = {
      id: 'other' as ConversationId,
      accountId: 'a1' as AccountId,
      peerAddress: 'tom@example.org',
      peerName: 'Thomas',
      standing: 'asked' as const,
      nowMs: 5,
    };
    const { conversation, created } = await store.call('openConversation', input);
    expect([conversation.id, conversation.peerName, conversation.standing, created]).toEqual([
      tom,
      'tom',
      'accepted',
      false,
    ]);
  });
});

describe('accounts, sessions, settings', () => {
  const account = {
    id: 'a1' as AccountId,
    address: 'bob@example.org',
    displayName: 'Bob',
    server: '',
    kind: 'server' as const,
    secret: new Uint8Array([1, 2]),
    secretBackend: 'x',
    createdMs: 1,
  };

  it('history stays when its account goes, contacts go with it', async () => {
    await store.call('insertAccount', account);
    await store.call('upsertContact', {
      accountId: account.id,
      address: 'tom@example.org',
      displayName: 'Thomas',
    });
    expect((await store.call('selectConversation', { id: tom }))?.peerName).toBe('Thomas');
    await add();
    await store.call('deleteAccount', { id: account.id });
    expect(await store.call('selectAccounts', null)).toEqual([]);
    expect(await store.call('selectContacts', null)).toEqual([]);
    expect((await store.call('selectMessagePage', { conversationId: tom, limit: 5 })).messages).toHaveLength(
      1,
    );
  });

  it('one address cannot be added twice', async () => {
    await store.call('insertAccount', account);
    await expect(store.call('insertAccount', { ...account, id: 'a2' as AccountId })).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
  });

  it('sessions that a crash left open are ended at the next start', async () => {
    const session = {
      id: 's1' as SessionId,
      conversationId: tom,
      direction: 'outgoing' as const,
      state: 'open' as const,
      mediaPath: 'direct' as const,
      encrypted: false,
      startedMs: 10,
      openedMs: 11,
      endedMs: null,
      end: null,
    };
    await store.call('upsertSession', session);
    expect(await store.call('selectLastSessions', null)).toEqual([]);
    await store.call('endOrphanedSessions', { nowMs: 20 });
    expect(await store.call('selectLastSessions', null)).toEqual([
      { ...session, state: 'ended', endedMs: 20, end: { code: 'shutdown', message: 'Parley was closed.' } },
    ]);
  });

  it('settings are kept as they were written last', async () => {
    await store.call('upsertSetting', { key: 'k', value: '1' });
    await store.call('upsertSetting', { key: 'k', value: '2' });
    expect(await store.call('selectSettings', null)).toEqual({ k: '2' });
  });
});

describe('the thread', () => {
  it('answers in the order of the calls', async () => {
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        (index % 2 === 0 ? add() : store.call('selectConversations', null)).then(() => order.push(index)),
      ),
    );
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  it('after closing every call is refused in words', async () => {
    await store[Symbol.asyncDispose]();
    await expect(add()).rejects.toMatchObject({ code: 'STORE_FAILED', message: 'The store is closed.' });
  });

  it('a procedure that does not exist is an error, not a crash', async () => {
    await expect(store.call('constructor' as 'selectAccounts', null)).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
    await expect(add()).resolves.toMatchObject({ state: 'received' });
  });

  it('kill -9 after a thousand answers: every one of them is on disk', async () => {
    const database = join(folder, 'killed.sqlite');
    const script = fileURLToPath(new URL('./insert-forever.ts', import.meta.url));
    const child = spawn(process.execPath, [script, database], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = new Promise<void>((done) => child.once('exit', () => done()));
    let output = '';
    const enough = Promise.withResolvers<void>();
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
      if (output.split('\n').length > 1_000) enough.resolve();
    });
    await Promise.race([enough.promise, exited]);
    child.kill('SIGKILL');
    await exited;
    const acknowledged = output.split('\n').slice(0, -1);
    expect(acknowledged.length).toBeGreaterThanOrEqual(1_000);
    const reader = await openDatabase(database, messengerMigrations);
    const stored = (
      reader.prepare('SELECT wire_id FROM messages ORDER BY position').all() as { wire_id: string }[]
    ).map(({ wire_id }) => wire_id);
    expect(reader.pragma('integrity_check', { simple: true })).toBe('ok');
    reader.close();
    expect(stored.slice(0, acknowledged.length)).toEqual(acknowledged);
  });
});
