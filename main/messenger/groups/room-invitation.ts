/**
 * Owns: calls of rooms: to which group they are, and whether our user is asked. Called by: request-routing.ts.
 * Calls: open-group.ts, group-link.ts.
 */
import type { Settings } from '../../../shared/settings.ts';
import { isSecretRoomName } from '../../base/room-names.ts';
import type { AgentServerRequest } from '../../sip/agent/agent-server-request.ts';
import { IncomingInvite } from '../../sip/agent/invite.ts';
import { parseNameAddr } from '../../sip/headers.ts';
import type { ToldMember } from '../../store/groups.ts';
import type { Store } from '../../store/store.ts';
import type { AccountLink } from '../account-link.ts';
import { toAddress, userOf } from '../../sip/address.ts';
import type { Feed } from '../feed.ts';
import { openGroup } from './open-group.ts';

/** Of a name that somebody else tells. */
const MAX_NAME_CHARS = 100;

export interface RoomInvitationHost {
  readonly store: Store;
  readonly feed: Feed;
  readonly settings: Settings;
}

/** Whether it is a focus that calls (RFC 4579 §5.1). Only our server says so: it lets nobody else through with that. */
export function isRoomCall({ message }: AgentServerRequest): boolean {
  const contact = message.headers.list('contact')[0];
  return contact !== undefined && parseNameAddr(contact).params.has('isfocus');
}

/** Answers the call of the room at `room`. */
export async function receiveRoomCall(
  messenger: RoomInvitationHost,
  account: AccountLink,
  request: AgentServerRequest,
  room: { readonly address: string; readonly title: string },
): Promise<void> {
  const { headers } = request.message;
  const isOurs = headers.get('answer-mode')?.toLowerCase().startsWith('auto') === true;
  const referredBy = parseNameAddr(headers.get('referred-by') ?? '<sip:nobody@invalid>');
  const by = toAddress(referredBy.uri);
  const letIn =
    isOurs || (messenger.settings['sessions.acceptContacts'] && (await isKnown(messenger, account, by)));
  const { conversation, link } = await openGroup(messenger, account, {
    accountId: account.stored.id,
    address: room.address,
    title: room.title || userOf(room.address),
    standing: letIn ? 'accepted' : 'asked',
    membership: 'left',
    isOpen: !isSecretRoomName(userOf(room.address)),
    // Who belongs to it is not known before we do, only who wants us there.
    ...(letIn || by === undefined
      ? {}
      : { members: [await hostOf(messenger, account, by, referredBy.displayName ?? '')] }),
  });
  // Our user has said no before: he is not asked again and again, until he thinks better of it.
  if (conversation.standing === 'declined' && !isOurs) {
    await request.respond(603);
    return;
  }
  if (letIn && conversation.standing !== 'accepted') {
    const accepted = await messenger.store.call('updateStanding', {
      id: conversation.id,
      standing: 'accepted',
    });
    if (accepted !== null) {
      link.talk.apply(accepted);
      messenger.feed.publish('conversation.changed', { conversation: accepted });
    }
  }
  // Who belonged to it before, or was asked and said yes, is not asked again.
  const isKnownGroup = letIn || conversation.standing === 'accepted';
  await link.receiveInvite(new IncomingInvite(account.agent, request), isKnownGroup);
}

/** Whoever invites, by the name of a conversation with him, else by what a group has called him, now or before. */
async function hostOf(
  { store }: RoomInvitationHost,
  account: AccountLink,
  address: string,
  told: string,
): Promise<ToldMember> {
  const of = { accountId: account.stored.id, peerAddress: address };
  const known = await store.call('selectConversationWith', of);
  const before = await store.call('selectNameInGroups', of);
  const plain = userOf(address);
  const name = [known?.peerName, told.slice(0, MAX_NAME_CHARS), before].find(
    (each) => each !== undefined && each !== null && each !== '' && each !== plain,
  );
  return { address, name: name ?? plain, nickname: '', role: 'member', state: 'away' };
}

/** A contact, or somebody with whom our user talks. */
async function isKnown(
  { store }: RoomInvitationHost,
  account: AccountLink,
  address: string | undefined,
): Promise<boolean> {
  if (address === undefined) return false;
  const accountId = account.stored.id;
  if ((await store.call('selectContact', { accountId, address })) !== null) return true;
  const conversation = await store.call('selectConversationWith', { accountId, peerAddress: address });
  return conversation?.standing === 'accepted';
}
