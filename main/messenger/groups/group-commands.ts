/**
 * Owns: what our user does with groups. Called by: commands.ts. Calls: group-link.ts, open-group.ts, room-requests.ts.
 */
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { Group } from '../../../shared/domain/group.ts';
import type { AccountId, ConversationId } from '../../../shared/domain/ids.ts';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import { createSecretRoomName } from '../../base/room-names.ts';
import type { AccountLink } from '../account-link.ts';
import { userOf } from '../../sip/address.ts';
import type { StoredGroup } from '../../store/groups.ts';
import type { Commands } from '../commands.ts';
import type { Messenger } from '../messenger.ts';
import type { GroupLink } from './group-link.ts';
import { openGroup } from './open-group.ts';

type Names =
  | 'group.create'
  | 'group.join'
  | 'group.list'
  | 'group.invite'
  | 'group.remove'
  | 'group.leave'
  | 'group.rename'
  | 'group.setOwner'
  | 'group.setNickname';

export function groupCommands(messenger: Messenger): Pick<Commands, Names> {
  return {
    'group.create': ({ accountId, title, addresses, name }) =>
      createGroup(messenger, { accountId, title, addresses, name }),
    'group.join': ({ accountId, address }) => joinGroup(messenger, accountId, address),
    'group.list': async () => {
      const lists = await Promise.all(
        messenger
          .accounts()
          .map(({ stored }) => messenger.store.call('selectGroups', { accountId: stored.id })),
      );
      return lists.flat().map(shownGroup);
    },
    'group.invite': async ({ conversationId, addresses }) => {
      const { link } = await memberOf(messenger, conversationId);
      await link.inviteLater(addresses);
      return link.group;
    },
    'group.remove': async ({ conversationId, address }) => {
      const { link, account, room } = await memberOf(messenger, conversationId);
      return settle(link, await account.requests.remove(room, address));
    },
    'group.leave': async ({ conversationId }) => {
      const { link, account, room } = await memberOf(messenger, conversationId);
      const status = await account.requests.remove(room, account.stored.address);
      // What is not there any more, or does not know us, has been left.
      if (status !== 403 && status !== 404) settle(link, status);
      await link.leave('left');
      return link.group;
    },
    'group.rename': async ({ conversationId, title }) => {
      const { link, account, room } = await memberOf(messenger, conversationId);
      return settle(link, await account.requests.rename(room, title));
    },
    'group.setOwner': async ({ conversationId, address }) => {
      const { link, account, room } = await memberOf(messenger, conversationId);
      return settle(link, await account.requests.setOwner(room, address));
    },
    'group.setNickname': async ({ conversationId, nickname }) => {
      const { link } = await memberOf(messenger, conversationId);
      const { chat } = link.talk;
      if (chat?.isOpen !== true) throw notReached();
      return settle(link, await chat.sendNickname(nickname).catch(() => 0));
    },
  };
}

/** A group as the window shows it. */
export function shownGroup({ conversationId, membership, isOpen, members }: StoredGroup): Group {
  return { conversationId, membership, isOpen, members: [...members] };
}

async function createGroup(
  messenger: Messenger,
  wish: {
    readonly accountId: AccountId;
    readonly title: string;
    readonly addresses: readonly string[];
    readonly name: string | undefined;
  },
): Promise<Conversation> {
  const { accountId, title, name } = wish;
  const account = messenger.account(accountId);
  const { address: own } = account.stored;
  const addresses = [...new Set(wish.addresses)].filter((address) => address !== own);
  const domain = own.slice(own.lastIndexOf('@') + 1);
  const stranger = addresses.find((address) => !address.endsWith(`@${domain}`));
  if (stranger !== undefined) {
    throw new CallError('invalid-input', `${stranger} is not at ${domain}: a group is at one server.`);
  }
  if (account.online && account.roomFactory === undefined) throw noGroups();
  const address = `${name ?? createSecretRoomName()}@${domain}`;
  // A name that others have cannot be had later either: it is asked for now.
  if (name !== undefined) {
    if (account.roomFactory === undefined) throw notReached();
    refuse(await account.requests.create(account.roomFactory, address, title));
  }
  const us = { address: own, name: account.stored.displayName || userOf(own), nickname: '' };
  const invited = addresses.map((one) => ({ address: one, name: userOf(one), nickname: '' }));
  const { conversation, link } = await openGroup(messenger, account, {
    accountId,
    address,
    title,
    standing: 'accepted',
    membership: name === undefined ? 'creating' : 'member',
    isOpen: name !== undefined,
    members: [
      { ...us, role: 'owner', state: 'away' },
      ...invited.map((one) => ({ ...one, role: 'member', state: 'invited' }) as const),
    ],
  });
  await link.inviteLater(addresses);
  void link.join();
  return conversation;
}

async function joinGroup(messenger: Messenger, accountId: AccountId, address: string): Promise<Conversation> {
  const account = messenger.account(accountId);
  if (!account.online) throw notReached();
  const isRoom = await account.requests.isRoom(address);
  if (isRoom === undefined) throw notReached();
  if (!isRoom) throw new CallError('not-found', `There is no group with the address ${address}.`);
  const { conversation, link } = await openGroup(messenger, account, {
    accountId,
    address,
    title: userOf(address),
    standing: 'accepted',
    membership: 'member',
    isOpen: true,
  });
  await link.enter();
  void link.join();
  return conversation;
}

/** Rejects with CallError when our user does not belong to it. */
async function memberOf(
  messenger: Messenger,
  conversationId: ConversationId,
): Promise<{ link: GroupLink; account: AccountLink; room: string }> {
  const { conversation, account } = await messenger.conversation(conversationId);
  const group = await messenger.store.call('selectGroup', { conversationId });
  if (account === undefined || group === null) throw new CallError('not-found', 'This is no group of yours.');
  const link = account.groups.link(conversation, group);
  if (link.membership !== 'member' && link.membership !== 'creating') {
    throw new CallError('not-allowed', 'You are not in this group any more.');
  }
  return { link, account, room: conversation.peerAddress };
}

function settle(link: GroupLink, status: number): Group {
  refuse(status);
  return link.group;
}

/** Throws CallError for anything but success. */
function refuse(status: number): void {
  if (status >= 200 && status < 300) return;
  switch (status) {
    case 400:
      throw new CallError('invalid-input', 'The server does not take this name.');
    case 403:
      throw new CallError('not-allowed', 'The server does not let you do this here.');
    case 404:
      throw new CallError('not-found', 'The server does not know this person, or this group.');
    case 409:
      throw new CallError('already-exists', 'Somebody has this address already.');
    case 423:
      throw new CallError('too-large', 'This name is too long.');
    case 424:
      throw new CallError('invalid-input', 'This cannot be a nickname.');
    case 425:
      throw new CallError('already-exists', 'Somebody in the group is called so already.');
    case 486:
      throw new CallError('too-many', 'There are as many as the server allows.');
    default:
      throw notReached();
  }
}

function notReached(): CallError {
  return new CallError(
    'server-unreachable',
    'The server cannot be reached now. Try again when you are online.',
  );
}

function noGroups(): CallError {
  return new CallError('not-allowed', 'The server of this account has no groups.');
}
