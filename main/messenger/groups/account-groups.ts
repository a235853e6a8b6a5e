/**
 * Owns: the groups of one account: one link for each, and that all are joined when the account is signed in, a few at a
 * time. Called by: account-link.ts. Calls: group-link.ts.
 */
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { AccountId, ConversationId } from '../../../shared/domain/ids.ts';
import type { StoredGroup } from '../../store/groups.ts';
import { GroupLink, type GroupHost } from './group-link.ts';

/** Rooms that are joined at once. */
const MAX_JOINING = 8;

/** The groups of one account. */
export class AccountGroups implements AsyncDisposable {
  readonly #host: GroupHost;
  readonly #accountId: AccountId;
  readonly #links = new Map<ConversationId, GroupLink>();

  constructor(host: GroupHost, accountId: AccountId) {
    this.#host = host;
    this.#accountId = accountId;
  }

  find(id: ConversationId): GroupLink | undefined {
    return this.#links.get(id);
  }

  all(): Iterable<GroupLink> {
    return this.#links.values();
  }

  /** The link of a group, made when it is first needed. */
  link(conversation: Conversation, group: StoredGroup = unknownGroup(conversation)): GroupLink {
    const known = this.#links.get(conversation.id);
    if (known !== undefined) {
      known.talk.apply(conversation);
      return known;
    }
    const link = new GroupLink(this.#host, conversation, group);
    this.#links.set(conversation.id, link);
    return link;
  }

  /** Reads what there is. Rejects with StoreError. */
  async load(): Promise<void> {
    const groups = await this.#host.store.call('selectGroups', { accountId: this.#accountId });
    for (const group of groups) {
      const conversation = await this.#host.store.call('selectConversation', { id: group.conversationId });
      if (conversation !== null) this.link(conversation, group).learn(group);
    }
  }

  /** Our user has another name for somebody, who may have written what the list shows. Rejects with StoreError. */
  async receiveRenamed(address: string): Promise<void> {
    const { store, feed } = this.#host;
    const concerned = await store.call('selectGroupsWith', { accountId: this.#accountId, address });
    for (const conversationId of concerned) {
      const link = this.#links.get(conversationId);
      if (link === undefined) continue;
      const group = await store.call('selectGroup', { conversationId });
      const conversation = await store.call('selectConversation', { id: conversationId });
      if (group === null || conversation === null) continue;
      link.learn(group);
      feed.publish('group.changed', { group: link.group });
      this.#host.publishConversation(conversation);
    }
  }

  /** We are signed in. */
  async joinAll(): Promise<void> {
    const waiting = [...this.#links.values()];
    const join = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next.join();
    };
    await Promise.all(Array.from({ length: MAX_JOINING }, join));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const links = [...this.#links.values()];
    this.#links.clear();
    await Promise.all(links.map((link) => link[Symbol.asyncDispose]()));
  }
}

/** One of which nothing is known yet but that it is there. */
function unknownGroup({ id }: Conversation): StoredGroup {
  return { conversationId: id, membership: 'left', isOpen: false, pending: [], members: [] };
}
