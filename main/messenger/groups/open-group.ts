/**
 * Owns: finding or making the conversation of a group. Called by: group-commands.ts, room-invitation.ts. Calls: the store.
 */
import { randomUUID } from 'node:crypto';
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { GroupMembership } from '../../../shared/domain/group.ts';
import type { AccountId, ConversationId } from '../../../shared/domain/ids.ts';
import type { ToldMember } from '../../store/groups.ts';
import type { Store } from '../../store/store.ts';
import type { AccountLink } from '../account-link.ts';
import type { Feed } from '../feed.ts';
import type { GroupLink } from './group-link.ts';

/** What a new one is like; one that is there stays as it is. */
export interface NewGroup {
  readonly accountId: AccountId;
  /** Of its room. */
  readonly address: string;
  readonly title: string;
  readonly standing: Conversation['standing'];
  readonly membership: GroupMembership;
  readonly isOpen: boolean;
  readonly members?: readonly ToldMember[];
}

/** Rejects with StoreError. */
export async function openGroup(
  messenger: { readonly store: Store; readonly feed: Feed },
  account: AccountLink,
  group: NewGroup,
): Promise<{ conversation: Conversation; link: GroupLink }> {
  const { store, feed } = messenger;
  const { accountId, address, title, standing, membership, isOpen, members } = group;
  const opened = await store.call('openConversation', {
    id: randomUUID() as ConversationId,
    accountId,
    peerAddress: address,
    peerName: title,
    standing,
    nowMs: Date.now(),
  });
  const conversationId = opened.conversation.id;
  const known = await store.call('selectGroup', { conversationId });
  const isNew = known === null;
  if (isNew) await store.call('updateGroup', { conversationId, membership, isOpen });
  if (isNew && members !== undefined) {
    await store.call('updateGroupPeople', { conversationId, whole: true, members, removed: [] });
  }
  const conversation = await store.call('selectConversation', { id: conversationId });
  const stored = await store.call('selectGroup', { conversationId });
  if (conversation === null || stored === null) throw new Error('the group was not stored');
  const link = account.groups.link(conversation, stored);
  if (isNew) {
    link.learn(stored);
    feed.publish('conversation.changed', { conversation });
    feed.publish('group.changed', { group: link.group });
  }
  return { conversation, link };
}
