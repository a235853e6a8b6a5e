/** Groups on the disk: who wrote what, who is found, what is kept by a repair, an export and its import. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportHistory } from '../../main/messenger/history/export.ts';
import { importHistory } from '../../main/messenger/history/import.ts';
import { Store } from '../../main/store/store.ts';
import type { GroupNotice, GroupPerson, MessageGroup } from '../../shared/domain/group.ts';
import type { AccountId, ConversationId, MessageId } from '../../shared/domain/ids.ts';

let folder: string;
let store: Store;
const trip = 'trip' as ConversationId;
const withTom = 'with-tom' as ConversationId;
const tom: GroupPerson = { address: 'tom@example.org', name: 'Tom Weber' };
const eve: GroupPerson = { address: 'eve@example.org', name: 'Eve' };
let serial = 0;

async function openConversation(id: ConversationId, peerAddress: string, peerName: string): Promise<void> {
  const standing = 'accepted' as const;
  await store.call('openConversation', {
    ...{ id, peerAddress, peerName, standing },
    accountId: 'account' as AccountId,
    nowMs: 1,
  });
}

function insert(
  conversationId: ConversationId,
  direction: 'in' | 'out',
  text: string,
  group?: Partial<MessageGroup>,
) {
  serial += 1;
  return store.insertMessage({
    ...(direction === 'out' ? { id: `wire-${serial}` as MessageId } : {}),
    ...{ conversationId, direction, text, wireId: `wire-${serial}` },
    sentAtMs: serial,
    storedAtMs: serial,
    state: group?.notice ? 'read' : direction === 'in' ? 'received' : 'sent',
    displayReportWanted: false,
    ...(group === undefined ? {} : { group: { person: null, isPrivate: false, notice: null, ...group } }),
  });
}

const joined: GroupNotice = { kind: 'joined', by: eve, who: eve, title: null };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-groups-'));
  store = await Store.open(join(folder, 'history.sqlite'));
  await openConversation(withTom, 'tom@example.org', 'Tom');
  await openConversation(trip, 'room-1@example.org', "Tom's trip");
  await store.call('updateGroup', { conversationId: trip, membership: 'member', isOpen: false });
  await store.call('updateGroupPeople', {
    conversationId: trip,
    whole: true,
    members: [
      { ...tom, nickname: '', role: 'owner', state: 'here' },
      { ...eve, nickname: '', role: 'member', state: 'away' },
    ],
    removed: [],
  });
  await insert(withTom, 'in', 'tickets between us');
  await insert(trip, 'in', 'tickets by tom', { person: tom });
  await insert(trip, 'in', 'tickets by eve', { person: eve });
  await insert(trip, 'out', 'tickets by me, for tom', { person: tom, isPrivate: true });
  await insert(trip, 'in', '', { notice: joined });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const find = async (text: string, conversationId?: ConversationId) =>
  (await store.call('searchMessages', { text, conversationId, limit: 50 })).map(
    ({ message }) => message.text,
  );

describe('messages of a group', () => {
  it('have their author, or their only reader; a line that says what happened is neither unread nor new', async () => {
    const { messages } = await store.call('selectMessagePage', { conversationId: trip, limit: 10 });
    expect(messages.map(({ group }) => [group?.person?.name, group?.isPrivate, group?.notice?.kind])).toEqual(
      [
        ['Tom Weber', false, undefined],
        ['Eve', false, undefined],
        ['Tom Weber', true, undefined],
        [undefined, false, 'joined'],
      ],
    );
    const conversation = await store.call('selectConversation', { id: trip });
    expect(conversation).toMatchObject({ kind: 'group', unreadCount: 2, lastActivityMs: serial - 1 });
    expect(conversation?.lastMessage?.group?.notice).toEqual(joined);
    const figures = await store.call('selectFigures', { conversationId: trip });
    expect(figures).toMatchObject({ incoming: 2, outgoing: 1 });
    const pair = await store.call('selectConversation', { id: withTom });
    expect([pair?.kind, pair?.lastMessage?.group]).toEqual([undefined, undefined]);
  });

  it('show the nickname that their author has now', async () => {
    const members = [{ ...eve, name: 'Evie', nickname: 'Evie', role: 'member', state: 'here' }] as const;
    await store.call('updateGroupPeople', { conversationId: trip, whole: false, members, removed: [] });
    const { messages } = await store.call('selectMessagePage', { conversationId: trip, limit: 10 });
    expect(messages[1]?.group?.person?.name).toBe('Evie');
    // So do lines that say what has happened.
    expect(messages[3]?.group?.notice?.who?.name).toBe('Evie');
  });

  it('keep the author who is no member any more', async () => {
    const group = await store.call('updateGroupPeople', {
      ...{ conversationId: trip, whole: false, members: [] },
      removed: [eve.address],
    });
    expect(group?.members.map(({ address }) => address)).toEqual([tom.address]);
    expect(await find('from:eve tickets')).toEqual(['tickets by eve']);
  });
});

describe('whom our user knows', () => {
  const accountId = 'account' as AccountId;
  beforeEach(async () => {
    await store.call('insertAccount', {
      ...{ id: accountId, address: 'me@example.org', displayName: 'Me', server: '', kind: 'server' },
      ...{ secret: new Uint8Array(), secretBackend: 'none', createdMs: 1 },
    });
    const nickname = { ...eve, nickname: 'Captain', role: 'member', state: 'here' } as const;
    const members = [nickname];
    await store.call('updateGroupPeople', { conversationId: trip, whole: false, members, removed: [] });
    await store.call('upsertContact', { accountId, address: eve.address, displayName: 'Evelyn Park' });
  });

  it('has the name that he has for him, wherever he is named; the member also the other', async () => {
    const { messages } = await store.call('selectMessagePage', { conversationId: trip, limit: 10 });
    expect(messages[1]?.group?.person).toEqual({ address: eve.address, name: 'Evelyn Park' });
    expect(messages[0]?.group?.person?.name).toBe('Tom Weber');
    const named = { address: eve.address, name: 'Evelyn Park' };
    expect(messages[3]?.group?.notice).toEqual({ ...joined, by: named, who: named });
    const conversation = await store.call('selectConversation', { id: trip });
    expect(conversation?.lastMessage?.group?.notice?.who).toEqual(named);
    const group = await store.call('selectGroup', { conversationId: trip });
    expect(group?.members.map(({ name, roomName }) => [name, roomName])).toEqual([
      ['Tom Weber', undefined],
      ['Evelyn Park', 'Captain'],
    ]);
  });

  it('has it above what answers him, and on his reaction', async () => {
    const { messages } = await store.call('selectMessagePage', { conversationId: trip, limit: 10 });
    const ofTom = messages[0]?.id;
    await store.insertMessage({
      ...{
        conversationId: trip,
        direction: 'in',
        text: 'yes',
        wireId: 'answer',
        replyTo: `wire-${serial - 2}`,
      },
      ...{ sentAtMs: 99, storedAtMs: 99, state: 'received', displayReportWanted: false },
      group: { person: tom, isPrivate: false, notice: null },
    });
    await store.call('applyMessageChange', {
      ...{ conversationId: trip, direction: 'in', person: eve, targetWireId: `wire-${serial - 3}` },
      ...{
        change: { kind: 'reaction', emoji: '👍' },
        atMs: 99,
        wireId: 'change-1',
        waits: false,
        keepsText: false,
      },
    });
    const after = (await store.call('selectMessagePage', { conversationId: trip, limit: 10 })).messages;
    expect(after.find(({ text }) => text === 'yes')?.reply?.name).toBe('Evelyn Park');
    expect(after.find(({ id }) => id === ofTom)?.reactions).toMatchObject([{ name: 'Evelyn Park' }]);
  });

  it('is found by each of his names', async () => {
    for (const name of ['evelyn', 'park', 'captain', 'eve']) {
      expect(await find(`from:${name}`)).toEqual(['tickets by eve']);
    }
  });
});

describe('search', () => {
  it('from: finds what somebody wrote, in groups and between two, and not what others wrote there', async () => {
    expect(await find('tickets from:tom')).toEqual(['tickets by tom', 'tickets between us']);
    expect(await find('from:eve')).toEqual(['tickets by eve']);
    expect(await find('tickets from:me')).toEqual(['tickets by me, for tom']);
    expect(await find('tickets from:nobody')).toEqual([]);
    expect(await find('from:weber in:trip')).toEqual(['tickets by tom']);
    expect(await find('tickets from:tom', trip)).toEqual(['tickets by tom']);
  });

  it('what was deleted is found no more, whoever wrote it', async () => {
    await store.call('clearConversation', { conversationId: trip, limit: 10 });
    expect(await find('tickets')).toEqual(['tickets between us']);
    const { messages } = await store.call('selectMessagePage', { conversationId: trip, limit: 10 });
    expect(messages).toEqual([]);
  });
});

describe('what leaves and comes back', () => {
  const write = async (format: 'jsonl' | 'text' | 'html') => {
    const out = join(folder, format);
    await exportHistory({ store, folder: out, format, program: 'test', now: () => 0 });
    return out;
  };

  it('exports name who wrote it, and say what happened', async () => {
    const out = await write('text');
    const names = await readdir(out);
    const texts = await Promise.all(
      names.filter((name) => name.endsWith('.txt')).map((name) => readFile(join(out, name), 'utf8')),
    );
    const whole = texts.join('\n');
    expect(whole).toMatch(/ Tom Weber: tickets by tom\n/);
    expect(whole).toMatch(/ Eve: tickets by eve\n/);
    expect(whole).toMatch(/ \(privately to Tom Weber\): tickets by me, for tom\n/);
    expect(whole).toMatch(/ Eve joined\.\n/);
  });

  it('an import has groups, authors and lines as they were', async () => {
    const out = await write('jsonl');
    const { messages: before } = await store.call('selectMessagePage', { conversationId: trip, limit: 10 });
    await store[Symbol.asyncDispose]();
    store = await Store.open(join(folder, 'second.sqlite'));
    await importHistory({ store, from: out, filesFolder: join(folder, 'files') });
    const group = (await store.call('selectConversations', null)).find(({ kind }) => kind === 'group');
    expect(group?.peerName).toBe("Tom's trip");
    const { messages } = await store.call('selectMessagePage', {
      conversationId: group?.id ?? trip,
      limit: 10,
    });
    expect(messages.map((message) => [message.text, message.group])).toEqual(
      before.map((message) => [message.text, message.group]),
    );
    expect(await find('from:eve')).toEqual(['tickets by eve']);
  });

  it('a repair keeps groups, people and authors', async () => {
    await store[Symbol.asyncDispose]();
    await writeFile(join(folder, 'history.sqlite.damaged'), '');
    store = await Store.open(join(folder, 'history.sqlite'));
    const { messages } = await store.call('selectMessagePage', { conversationId: trip, limit: 10 });
    expect(messages.map(({ group }) => group?.person?.name ?? group?.notice?.kind)).toEqual([
      'Tom Weber',
      'Eve',
      'Tom Weber',
      'joined',
    ]);
    const group = await store.call('selectGroup', { conversationId: trip });
    expect([group?.membership, group?.members.length]).toEqual(['member', 2]);
  });
});
