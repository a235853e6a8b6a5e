/**
 * Owns: the calls about presence and about what our user has decided about people. Called by: commands.ts.
 * Calls: presence-book.ts, conversation-link.ts.
 */
import type { AccountId } from '../../../shared/domain/ids.ts';
import type { PresenceOutputs } from '../../../shared/ipc/presence-calls.ts';
import type { Commands } from '../commands.ts';
import type { Messenger } from '../messenger.ts';

export function presenceCommands(messenger: Messenger): Pick<Commands, keyof PresenceOutputs> {
  const { presence } = messenger;
  return {
    'presence.list': () =>
      Promise.resolve({ own: presence.own, seen: presence.seen(), accounts: presence.accounts() }),
    'presence.active': () => {
      presence.receiveActivity();
      return Promise.resolve(null);
    },
    'rule.set': async ({ accountId, address, ...change }) => {
      const decided = await presence.decide(accountId, address, change);
      if (change.blocked === true) await hangUp(messenger, accountId, address);
      return decided;
    },
  };
}

/** Nothing goes on with this person. */
async function hangUp(messenger: Messenger, accountId: AccountId, address: string): Promise<void> {
  const conversations = await messenger.store.call('selectConversations', null);
  const conversation = conversations.find(
    (one) => one.accountId === accountId && one.kind !== 'group' && one.peerAddress === address,
  );
  if (conversation === undefined) return;
  if (conversation.standing === 'asked') await messenger.setStanding(conversation.id, 'declined');
  const link = messenger.account(accountId).link(conversation);
  await link.answer(false);
  await link.endSession();
  await messenger.transfers.declineAll(conversation.id);
}
