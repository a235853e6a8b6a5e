/**
 * Owns: the groups: who belongs to each, where we stand with it, and to whom alone is being written.
 * Called by: app, group views, composer. Calls: the client.
 */
import { SvelteMap } from 'svelte/reactivity';
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { Group, GroupMember } from '../../shared/domain/group.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { CallInput } from '../../shared/ipc/contract.ts';
import { toOwnNames, toRoomNames } from '../../shared/mentions.ts';
import type { Client } from '../api/client.ts';
import { KeyedList } from './keyed-list.svelte.ts';

/** Calls that change a group and answer with it. */
type GroupCall =
  'group.invite' | 'group.remove' | 'group.leave' | 'group.rename' | 'group.setOwner' | 'group.setNickname';

export class Groups {
  readonly #client: Client;
  readonly #list = new KeyedList<ConversationId, Group>(({ conversationId }) => conversationId);
  /** Members to whom alone the next messages of a conversation go. */
  readonly #recipients = new SvelteMap<ConversationId, GroupMember>();

  constructor(client: Client) {
    this.#client = client;
  }

  load(): Promise<void> {
    return this.#list.load(() => this.#client.call('group.list', {}));
  }

  get(id: ConversationId): Group | undefined {
    return this.#list.get(id);
  }

  /** A text of a conversation as our user reads it: whom he knows has the name that he has for him. */
  asWeRead(id: ConversationId, text: string): string {
    return toOwnNames(text, this.#list.get(id)?.members ?? []);
  }

  /** The same text as the others in the conversation read it. */
  asOthersRead(id: ConversationId, text: string): string {
    return toRoomNames(text, this.#list.get(id)?.members ?? []);
  }

  /** @throws {CallError} */
  create(input: CallInput<'group.create'>): Promise<Conversation> {
    return this.#client.call('group.create', input);
  }

  /** @throws {CallError} */
  join(input: CallInput<'group.join'>): Promise<Conversation> {
    return this.#client.call('group.join', input);
  }

  /** @throws {CallError} */
  async change<Name extends GroupCall>(call: Name, input: CallInput<Name>): Promise<void> {
    const before = this.#list.get(input.conversationId as ConversationId);
    const group = await this.#client.call(call, input);
    // An event about it is never older than the answer.
    if (this.#list.get(group.conversationId) === before) this.#list.set(group);
  }

  /** Undefined: everybody. */
  recipient(id: ConversationId): GroupMember | undefined {
    return this.#recipients.get(id);
  }

  writeTo(id: ConversationId, member: GroupMember | undefined): void {
    if (member === undefined) this.#recipients.delete(id);
    else this.#recipients.set(id, member);
  }

  /** Returns whether a member is called otherwise than before. */
  applyGroupChanged(group: Group): boolean {
    const before = new Map(
      this.#list.get(group.conversationId)?.members.map((one) => [one.address, one.name]),
    );
    this.#list.set(group);
    this.#applyToRecipient(group);
    return group.members.some(({ address, name }) => (before.get(address) ?? name) !== name);
  }

  #applyToRecipient(group: Group): void {
    const recipient = this.#recipients.get(group.conversationId);
    if (recipient === undefined) return;
    // Who has gone stays the recipient: what was meant for him alone must not go to everybody instead.
    const now = group.members.find(({ address }) => address === recipient.address);
    if (now !== undefined) this.writeTo(group.conversationId, now);
  }
}
