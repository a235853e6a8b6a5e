/** Owns: the groups of a world, as the messenger would answer. Called by: memory-backend. Calls: nothing. */
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { Group, GroupMember } from '../../../shared/domain/group.ts';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import type { Message } from '../../../shared/domain/message.ts';
import type { CallName, CheckedInput } from '../../../shared/ipc/contract.ts';
import type { World } from './memory-backend.ts';

type GroupCall = Extract<CallName, `group.${string}`>;

interface GroupBackend {
  readonly world: World;
  publishGroup(group: Group): void;
  addConversation(conversation: Conversation): Conversation;
  renameConversation(id: ConversationId, title: string): void;
}

function nameOf(address: string): string {
  return address.slice(0, address.indexOf('@'));
}

/** What a message of our user has in a group; `to`: only for this member. */
export function groupMarks({ kind }: Conversation, to?: string): Pick<Message, 'group'> {
  if (kind !== 'group') return {};
  const person = to === undefined ? null : { address: to, name: nameOf(to) };
  return { group: { person, isPrivate: to !== undefined, notice: null } };
}

export function groupHandlers(backend: GroupBackend): {
  [Name in GroupCall]: (input: CheckedInput<Name>) => unknown;
} {
  const { world } = backend;
  const groups = (): Group[] => (world.groups ??= []);
  const change = (id: ConversationId, to: (group: Group) => Partial<Group>): Group => {
    const before = groups().find(({ conversationId }) => conversationId === id);
    if (before === undefined) throw new Error(`no group ${id}`);
    const group = { ...before, ...to(before) };
    world.groups = groups().map((each) => (each.conversationId === id ? group : each));
    backend.publishGroup(group);
    return group;
  };
  const eachMember = (id: ConversationId, to: (member: GroupMember) => GroupMember): Group =>
    change(id, ({ members }) => ({ members: members.map(to) }));
  const open = (
    accountId: Conversation['accountId'],
    address: string,
    title: string,
    group: Partial<Group>,
  ) => {
    const id = `with-${address}` as ConversationId;
    groups().push({ conversationId: id, membership: 'member', isOpen: false, members: [], ...group });
    return backend.addConversation({
      id,
      accountId,
      kind: 'group',
      peerAddress: address,
      peerName: title,
      standing: 'accepted',
      unreadCount: 0,
      readPosition: 0,
      lastActivityMs: Date.now(),
      lastMessage: null,
    });
  };
  const us = (accountId: Conversation['accountId']): GroupMember => {
    const address = world.accounts.find(({ id }) => id === accountId)?.address ?? '';
    return { address, name: 'Bob', nickname: '', role: 'owner', state: 'here' };
  };
  return {
    'group.list': () => groups(),
    'group.create': ({ accountId, title, addresses, name }) =>
      open(accountId, `${name ?? 'room-0a1b2c3d4e5f6071829304a5'}@chat.home.arpa`, title, {
        isOpen: name !== undefined,
        members: [
          us(accountId),
          ...addresses.map((address): GroupMember => ({
            address,
            name: nameOf(address),
            nickname: '',
            role: 'member',
            state: 'invited',
          })),
        ],
      }),
    'group.join': ({ accountId, address }) =>
      open(accountId, address, nameOf(address), { isOpen: true, members: [us(accountId)] }),
    'group.invite': ({ conversationId, addresses }) =>
      change(conversationId, ({ members }) => ({
        members: [
          ...members,
          ...addresses.map((address): GroupMember => ({
            address,
            name: nameOf(address),
            nickname: '',
            role: 'member',
            state: 'invited',
          })),
        ],
      })),
    'group.remove': ({ conversationId, address }) =>
      change(conversationId, ({ members }) => ({
        members: members.filter((member) => member.address !== address),
      })),
    'group.leave': ({ conversationId }) => change(conversationId, () => ({ membership: 'left' })),
    'group.rename': ({ conversationId, title }) => {
      backend.renameConversation(conversationId, title);
      return change(conversationId, () => ({}));
    },
    'group.setOwner': ({ conversationId, address }) =>
      eachMember(conversationId, (member) => ({
        ...member,
        role: member.address === address ? 'owner' : 'member',
      })),
    'group.setNickname': ({ conversationId, nickname }) => {
      const own = world.accounts[0]?.address;
      return eachMember(conversationId, (member) =>
        member.address === own ? { ...member, nickname, name: nickname || 'Bob' } : member,
      );
    },
  };
}
