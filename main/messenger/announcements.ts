/**
 * Owns: which new messages are worth telling somebody who does not look at the window, and how many unread ones there are.
 * Called by: hosts with a desktop. Calls: the feed, the store.
 */
import { countUnread, noMarks, type Conversation, type Marks } from '../../shared/domain/conversation.ts';
import { floodRule } from '../../shared/domain/flood.ts';
import type { Group, GroupMember } from '../../shared/domain/group.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { EventEnvelope } from '../../shared/ipc/envelope.ts';
import { isMentioned, ownNames, toOwnNames } from '../../shared/mentions.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Release } from '../base/lifetime.ts';
import type { Commands } from './commands.ts';
import type { Feed } from './feed.ts';

/** One announcement: a later one of the same conversation takes its place. */
export interface Announcement {
  readonly conversation: Conversation;
  readonly message: Message;
  /** Messages of this conversation since it was last announced anew or read. */
  readonly count: number;
}

export interface AnnouncementsOptions {
  readonly feed: Pick<Feed, 'subscribe'>;
  readonly commands: Pick<Commands, 'account.list' | 'conversation.list' | 'group.list' | 'marks.list'>;
  readonly clock: Clock;
  /** A message that is worth it: of an accepted conversation that is not muted, or one that names our user. */
  readonly announce: (announcement: Announcement) => void;
  /** The conversation has been read: what was announced of it is out of date. */
  readonly withdraw: (conversationId: ConversationId) => void;
  /** Unread messages of conversations that are accepted and not muted; what is only marked as unread counts as one. */
  readonly receiveUnread: (count: number) => void;
}

/** Messages that come together are announced together, and a flood is one announcement that counts. */
const GATHER_MS = 300;

interface Waiting {
  count: number;
  newest: Message;
  announced: number;
  timer: Timer;
  /** One of them names our user. */
  mention: Message | undefined;
}

/** What somebody has written; not what has happened in a group. */
function isWorthIt({ direction, group }: Message): boolean {
  return direction === 'in' && (group === undefined || group.notice === null);
}

/** Follows the feed from `start` on. */
export class Announcements {
  readonly #options: AnnouncementsOptions;
  readonly #conversations = new Map<ConversationId, Conversation>();
  readonly #marks = new Map<ConversationId, Marks>();
  /** Of each group. */
  readonly #members = new Map<ConversationId, readonly GroupMember[]>();
  /** As our user may be named in each group. */
  readonly #names = new Map<ConversationId, readonly string[]>();
  readonly #ours = new Set<string>();
  readonly #waiting = new Map<ConversationId, Waiting>();
  #unread = -1;

  constructor(options: AnnouncementsOptions) {
    this.#options = options;
  }

  /** Reads what there is and follows it. Returns the release. */
  async start(): Promise<Release> {
    const unsubscribe = this.#options.feed.subscribe((event) => this.#receive(event));
    const { commands } = this.#options;
    const [accounts, conversations, groups, marks] = await Promise.all([
      commands['account.list']({}),
      commands['conversation.list']({}),
      commands['group.list']({}),
      commands['marks.list']({}),
    ]);
    for (const { address } of accounts) this.#ours.add(address);
    for (const group of groups) this.#applyGroup(group);
    for (const conversation of conversations) {
      if (!this.#conversations.has(conversation.id)) this.#conversations.set(conversation.id, conversation);
    }
    for (const one of marks) {
      if (!this.#marks.has(one.conversationId)) this.#marks.set(one.conversationId, one.marks);
    }
    this.#countUnread();
    return () => {
      unsubscribe();
      for (const id of this.#waiting.keys()) this.#forget(id);
    };
  }

  #receive({ event, data }: EventEnvelope): void {
    if (event === 'conversation.changed') this.#applyConversation(data.conversation);
    else if (event === 'group.changed') this.#applyGroup(data.group);
    else if (event === 'account.changed') this.#ours.add(data.account.address);
    else if (event === 'marks.changed') {
      this.#marks.set(data.conversationId, data.marks);
      this.#countUnread();
    } else if (event === 'message.added' && isWorthIt(data.message)) this.#take(data.message);
  }

  #applyConversation(conversation: Conversation): void {
    const { id, unreadCount } = conversation;
    this.#conversations.set(id, conversation);
    if (unreadCount === 0) {
      this.#forget(id);
      this.#options.withdraw(id);
    }
    this.#countUnread();
  }

  #applyGroup({ conversationId, members }: Group): void {
    this.#members.set(conversationId, members);
    this.#names.set(
      conversationId,
      ownNames(members, (address) => this.#ours.has(address)),
    );
  }

  #marksOf(id: ConversationId): Marks {
    return this.#marks.get(id) ?? noMarks;
  }

  #take(message: Message): void {
    const { conversationId: id } = message;
    const waiting = this.#waiting.get(id);
    const mention = isMentioned(message.text, this.#names.get(id) ?? []) ? message : undefined;
    if (waiting !== undefined) {
      waiting.count += 1;
      waiting.newest = message;
      waiting.mention = mention ?? waiting.mention;
      return;
    }
    this.#waiting.set(id, {
      count: 1,
      newest: message,
      announced: 0,
      mention,
      timer: this.#startTimer(id, GATHER_MS),
    });
  }

  #startTimer(id: ConversationId, delayMs: number): Timer {
    return this.#options.clock.startTimer(delayMs, () => {
      const waiting = this.#waiting.get(id);
      if (waiting === undefined) return;
      if (waiting.count === waiting.announced) {
        this.#waiting.delete(id);
        return;
      }
      waiting.announced = waiting.count;
      waiting.timer = this.#startTimer(id, floodRule.gapMs);
      const conversation = this.#conversations.get(id);
      if (conversation?.standing !== 'accepted') return;
      const { mention, newest, count } = waiting;
      waiting.mention = undefined;
      // Whoever is called by his name is told, also in a group that he does not listen to.
      const told = mention ?? (this.#marksOf(id).muted ? undefined : newest);
      if (told === undefined) return;
      const text = toOwnNames(told.text, this.#members.get(id) ?? []);
      this.#options.announce({ conversation, message: { ...told, text }, count });
    });
  }

  #forget(id: ConversationId): void {
    this.#waiting.get(id)?.timer[Symbol.dispose]();
    this.#waiting.delete(id);
  }

  #countUnread(): void {
    let count = 0;
    for (const conversation of this.#conversations.values()) {
      count += countUnread(conversation, this.#marksOf(conversation.id));
    }
    if (count === this.#unread) return;
    this.#unread = count;
    this.#options.receiveUnread(count);
  }
}
