/**
 * Owns: what the devices of one user tell each other, of one account. Called by: account-link.ts, request-routing.ts.
 * Calls: copy-outbox.ts, copy-inbox.ts, file-for-devices.ts.
 */
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import type { StoredAccount } from '../../store/accounts.ts';
import type { AccountHost, AccountLink } from '../account-link.ts';
import type { FileCallContext } from '../file-call.ts';
import { leaveFile } from './file-for-devices.ts';
import { CopyInbox } from './copy-inbox.ts';
import { CopyOutbox } from './copy-outbox.ts';

/** Copies to and from the other devices. */
export class AccountCopies implements Disposable {
  readonly #outbox: CopyOutbox;
  readonly #inbox: CopyInbox;
  readonly #log: AccountHost['log'];

  constructor(
    host: AccountHost,
    { id: accountId, address, displayName, otherDevices = 0 }: StoredAccount,
    account: {
      readonly route: AccountLink['pagerRoute'];
      /** A file's way to our own server. Undefined while offline. */
      readonly ownContext: (id: ConversationId) => FileCallContext | undefined;
      readonly receiveTakesChanges: (conversation: Conversation) => void;
    },
  ) {
    const { store, feed, log, limits, deviceName } = host;
    this.#log = log;
    this.#outbox = new CopyOutbox({
      ...{ accountId, store, feed, log, limits },
      sender: { address, displayName, device: deviceName },
      knownOthers: otherDevices,
      isWanted: () => host.settings()['privacy.tellOwnDevices'],
      route: account.route,
      leaveFile: async (file) => {
        const context = account.ownContext(file.conversationId);
        return context === undefined ? 'later' : leaveFile(context, file);
      },
    });
    this.#inbox = new CopyInbox({
      ...{ accountId, store, log, limits },
      isOnHold: () => host.settings()['history.hold'],
      openConversation: (peerAddress, theirName) => host.openConversation(accountId, peerAddress, theirName),
      setStanding: ({ id }, standing) => host.setStanding(id, standing),
      receiveTakesChanges: account.receiveTakesChanges,
      receiveFile: (conversation, file) => host.transfers.told.receiveCopy(conversation, file),
      receiveHello: () => this.#outbox.receiveHello(),
      receiveMarks: (conversationId, marks) => {
        feed.publish('marks.changed', { conversationId, marks });
      },
      receiveAdded: (message) => {
        host.receiveAdded(message);
      },
      receiveChanged: (message) => {
        host.receiveMessageChange(message);
      },
    });
  }

  /** Whether the server passes on what a device tells the others: only then one of theirs is believed. */
  get isServed(): boolean {
    return this.#outbox.isServed;
  }

  /** The server has said how many other devices there are; undefined: it keeps no copies. */
  receiveOthers(count: number | undefined): void {
    this.#outbox.receiveOthers(count).catch((error: unknown) => {
      this.#log.error('copies.failed', { error });
    });
  }

  /** One that came; false: it is none. Rejects with ProtocolError. */
  receive(body: Buffer): Promise<boolean> {
    return this.#inbox.receive(body);
  }

  [Symbol.dispose](): void {
    this.#outbox[Symbol.dispose]();
  }
}
