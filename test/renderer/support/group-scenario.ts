/** Owns: a world with groups. Called by: scenarios. Calls: nothing. */
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { Group, GroupMember, GroupNotice, MessageGroup } from '../../../shared/domain/group.ts';
import type { ConversationId, MessageId } from '../../../shared/domain/ids.ts';
import type { Message } from '../../../shared/domain/message.ts';
import type { Transfer } from '../../../shared/domain/transfer.ts';
import type { World } from './memory-backend.ts';

const domain = 'chat.home.arpa';

function member(user: string, name: string, change: Partial<GroupMember> = {}): GroupMember {
  return { address: `${user}@${domain}`, name, nickname: '', role: 'member', state: 'here', ...change };
}

const bob = member('bob', 'Bob', { role: 'owner' });
const tom = member('tom', 'Tom Weber');
const ana = member('ana', 'Ana Sørensen', { nickname: 'Captain', name: 'Captain' });
const li = member('lixiaolong', '李小龙', { state: 'away', nickname: 'Bruce', roomName: 'Bruce' });
const kim = member('kim', 'Kim', { state: 'invited' });

interface Said {
  readonly by: GroupMember;
  readonly text: string;
  readonly at: number;
  readonly to?: GroupMember;
}

/** Adds the group `Sea trip` of Bob, with what was said and what has happened. */
export function addGroup(world: World, change: Partial<Group> = {}): Conversation {
  const accountId = world.accounts[0]!.id;
  const id = 'with-trip' as ConversationId;
  const noon = new Date(2026, 10, 29, 12).getTime();
  const minute = 60_000;
  const first = world.messages.length + 1;
  const push = (
    message: Pick<Message, 'direction' | 'text' | 'sentAtMs' | 'state'> & { group: MessageGroup },
  ) => {
    const position = world.messages.length + 1;
    world.messages.push({
      id: `trip-${position}` as MessageId,
      conversationId: id,
      position,
      failure: null,
      ...message,
    });
  };
  const notice = (
    kind: GroupNotice['kind'],
    at: number,
    by: GroupMember | null,
    who: GroupMember | null,
    title: string | null = null,
  ) => {
    const person = (one: GroupMember | null) => one && { address: one.address, name: one.name };
    const group = {
      person: null,
      isPrivate: false,
      notice: { kind, by: person(by), who: person(who), title },
    };
    push({ direction: 'in', text: '', sentAtMs: noon + at * minute, state: 'read', group });
  };
  const say = ({ by, text, at, to }: Said) => {
    const ours = by === bob;
    const other = ours ? to : by;
    push({
      direction: ours ? 'out' : 'in',
      text,
      sentAtMs: noon + at * minute,
      state: ours ? 'sent' : 'read',
      group: {
        person: other === undefined ? null : { address: other.address, name: other.name },
        isPrivate: to !== undefined,
        notice: null,
      },
    });
  };
  notice('invited', 0, bob, tom);
  notice('invited', 0, bob, ana);
  notice('joined', 1, tom, tom);
  notice('joined', 1, ana, ana);
  say({ by: bob, text: 'Where shall we go in May?', at: 2 });
  say({ by: tom, text: 'To the sea, of course.', at: 3 });
  say({ by: tom, text: 'I know a house with room for six.', at: 3 });
  say({ by: ana, text: 'Only if I may steer the boat.', at: 4 });
  notice('renamed', 5, bob, null, 'Sea trip');
  say({ by: ana, text: 'Can you lend me the deposit? I would rather not ask everybody.', at: 6, to: bob });
  say({ by: bob, text: 'Of course.', at: 7, to: ana });
  say({ by: li, text: '我可以带相机吗？', at: 8 });
  say({ by: bob, text: 'Then it is settled. Kim joins us as well.', at: 9 });
  notice('invited', 9, bob, kim);
  const last = world.messages.at(-1)!;
  const conversation: Conversation = {
    id,
    accountId,
    kind: 'group',
    peerAddress: `room-0a1b2c3d4e5f6071829304a5@${domain}`,
    peerName: 'Sea trip',
    standing: 'accepted',
    unreadCount: 0,
    readPosition: last.position,
    lastActivityMs: last.sentAtMs,
    lastMessage: { ...(world.messages.findLast(({ group }) => group?.notice === null) ?? last) },
  };
  world.conversations.push(conversation);
  world.groups = [
    {
      conversationId: id,
      membership: 'member',
      isOpen: false,
      members: [bob, tom, ana, li, kim],
      ...change,
    },
  ];
  world.sessions.push({
    id: 'session trip' as World['sessions'][number]['id'],
    conversationId: id,
    direction: 'outgoing',
    state: 'open',
    mediaPath: 'direct',
    encrypted: true,
    startedMs: world.messages[first - 1]!.sentAtMs,
    openedMs: world.messages[first - 1]!.sentAtMs,
    endedMs: null,
    end: null,
  });
  world.accounts = world.accounts.map((account) => ({ ...account, hasGroups: true }));
  return conversation;
}

/** Adds files to that group: of members, and some of our user, of which a few went nowhere. */
export function addGroupFiles(
  world: World,
  sample: (change: Partial<Transfer>) => Transfer,
  preview: string,
): World {
  const missing = { available: false, bytesDone: 0 } as const;
  const failed = (name: string, code: NonNullable<Transfer['failure']>['code']): Transfer =>
    sample({ ...missing, name, state: 'failed', failure: { code, message: '' } });
  const house = { name: 'house.png', type: 'image/png', state: 'offered', preview } as const;
  const files: readonly (readonly [GroupMember, Transfer])[] = [
    [ana, sample({ name: 'Harbour plan.pdf' })],
    [tom, sample({ ...missing, ...house })],
    [tom, sample({ ...missing, name: 'garden.mov', state: 'waiting', size: 88_000_000 })],
    [ana, failed('last summer.zip', 'gone')],
    [bob, sample({ name: 'Packing list.txt' })],
    [bob, sample({ name: 'map.pdf', state: 'offered', bytesDone: 0 })],
    [bob, failed('film.mov', 'too-large')],
    [bob, failed('photos.zip', 'server-full')],
    [bob, failed('songs.zip', 'not-supported')],
  ];
  const last = world.messages.findLast(({ conversationId }) => conversationId === 'with-trip')!;
  for (const [index, [author, file]] of files.entries()) {
    const isOurs = author === bob;
    const position = world.messages.length + 1;
    world.messages.push({
      ...last,
      id: `trip-file-${position}` as MessageId,
      position,
      direction: isOurs ? 'out' : 'in',
      text: file.name,
      state: !isOurs ? 'read' : file.state === 'failed' ? 'failed' : 'sent',
      sentAtMs: last.sentAtMs + (index + 1) * 60_000,
      group: {
        person: isOurs ? null : { address: author.address, name: author.name },
        isPrivate: false,
        notice: null,
      },
      file,
    });
  }
  return world;
}
