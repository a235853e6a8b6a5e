/**
 * Owns: the part of the open conversation that is in memory, a window of pages by position, and what to scroll to.
 * Called by: app (events), thread views. Calls: the client.
 */
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import { maxKnownFloods, type Flood } from '../../shared/domain/flood.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { Transfer } from '../../shared/domain/transfer.ts';
import type { CallInput, CallOutput } from '../../shared/ipc/contract.ts';
import type { Client } from '../api/client.ts';
import { ThreadFloods } from './thread-floods.svelte.ts';

export const pageSize = 40;
/** What is fetched at an end while scrolling: small, so that putting it into the DOM costs no frame. */
const stepSize = 8;
/** More than this is never held, nor in the DOM: a page too many at one end drops a page at the other. */
export const windowSize = 100;

/** Where the view goes after the next change; each wish is a new object. */
export type ScrollWish =
  | { readonly to: 'bottom' }
  | { readonly to: 'new' }
  | { readonly to: 'message'; readonly id: MessageId }
  /** What is on the screen stays where it is, also at the end. */
  | { readonly to: 'same' }
  /** The first message at or behind a position comes to the top. */
  | { readonly to: 'position'; readonly position: number };

type Page = CallOutput<'message.list'>;
type PageInput = Omit<CallInput<'message.list'>, 'conversationId' | 'floods'>;

/** Both lists as one in order of position, each message once; of two versions the one of `newer` stays. */
function mergeMessages(older: readonly Message[], newer: readonly Message[]): Message[] {
  const byId = new Map<MessageId, Message>();
  for (const message of older) byId.set(message.id, message);
  for (const message of newer) byId.set(message.id, message);
  return [...byId.values()].sort((a, b) => a.position - b.position);
}

export class Thread {
  readonly #client: Client;
  readonly floods = new ThreadFloods();
  conversationId = $state<ConversationId | null>(null);
  messages = $state.raw<readonly Message[]>([]);
  hasBefore = $state(false);
  hasAfter = $state(false);
  phase = $state<'none' | 'loading' | 'ready' | 'failed'>('none');
  /** The "New" line stands before the first incoming message after this position. */
  newAfter = $state<number | null>(null);
  scrollWish = $state.raw<ScrollWish>({ to: 'bottom' });
  flashedId = $state<MessageId | null>(null);
  problem = $state.raw<unknown>(null);
  /** Set by the view: the newest message is on the screen. */
  atBottom = true;
  /** Set by the view: the position of the first message that can be seen. */
  topPosition: number | null = null;
  /** Set by the view: so many of the lowest messages fill the screen. What is above them is fetched once they are seen. */
  screenful = pageSize;
  #generation = 0;
  #paging = false;
  #reads = 0;
  #changedWhileReading = new Map<MessageId, Message>();
  #seenPosition = 0;
  /** What has been seen and not been told of. */
  readonly #untold = new Map<ConversationId, number>();
  #telling = false;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Opens a conversation at the first unread message, else at its end. */
  async open(conversation: Conversation): Promise<void> {
    this.#reset(conversation.id);
    this.#seenPosition = conversation.readPosition;
    const unread = conversation.unreadCount > 0;
    this.newAfter = unread ? conversation.readPosition : null;
    if (unread && conversation.readPosition === 0) {
      // Nothing was ever read: the first unread one may be anywhere.
      await this.jumpToUnread();
      return;
    }
    const page = unread
      ? { limit: pageSize, around: conversation.readPosition }
      : { limit: Math.min(this.screenful, pageSize) };
    await this.#replace(page, { to: unread ? 'new' : 'bottom' });
  }

  /** Shows where a day begins, or the next one that has messages. */
  async showDay(day: number): Promise<void> {
    const conversationId = this.conversationId;
    if (conversationId === null) return;
    const position = await this.#ask('browse.positionOfDay', { conversationId, day });
    if (position !== null) await this.#showPosition(position, { to: 'position', position });
  }

  /** Shows where the conversation begins. */
  showBeginning(): Promise<void> {
    return this.#showPosition(0, { to: 'position', position: 0 });
  }

  /** Shows the first unread message under the "New" line, or the line that is there. Resolves with whether there is one. */
  async jumpToUnread(): Promise<boolean> {
    const conversationId = this.conversationId;
    if (conversationId === null) return false;
    const position = await this.#ask('browse.firstUnread', { conversationId });
    if (this.conversationId !== conversationId) return false;
    if (position !== null) this.newAfter = position - 1;
    const wish = { to: this.newAfter === null ? 'bottom' : 'new' } as const;
    if (this.newAfter !== null) await this.#showPosition(this.newAfter + 1, wish);
    else if (this.phase === 'loading') await this.#replace({ limit: pageSize }, wish);
    return this.newAfter !== null;
  }

  /** Shows one message in its context. */
  async show({ conversationId, id, position }: Message, readPosition: number): Promise<void> {
    if (this.conversationId !== conversationId) {
      this.#reset(conversationId);
      this.#seenPosition = readPosition;
      this.newAfter = null;
    }
    this.flashedId = id;
    if (this.messages.some((message) => message.id === id)) this.scrollWish = { to: 'message', id };
    else await this.#replace({ around: position, limit: pageSize, reveal: true }, { to: 'message', id });
  }

  /** Shows what a message of the open conversation answers. */
  async showQuoted(position: number): Promise<void> {
    if (!this.messages.some((message) => message.position === position)) {
      await this.#replace({ around: position, limit: pageSize, reveal: true }, null);
    }
    const quoted = this.messages.find((message) => message.position === position);
    if (quoted === undefined) return;
    this.flashedId = quoted.id;
    this.scrollWish = { to: 'message', id: quoted.id };
  }

  async jumpToLatest(): Promise<void> {
    if (this.hasAfter) await this.#replace({ limit: pageSize }, { to: 'bottom' });
    else this.scrollWish = { to: 'bottom' };
  }

  /** When what is on the screen was sent; undefined when nothing is. */
  topSentAtMs(): number | undefined {
    const top = this.topPosition ?? Infinity;
    return (this.messages.findLast(({ position }) => position <= top) ?? this.messages[0])?.sentAtMs;
  }

  loadOlder(): Promise<void> {
    const first = this.messages[0];
    if (!this.hasBefore || first === undefined) return Promise.resolve();
    return this.#extend({ before: first.position, limit: stepSize }, (page) => {
      const merged = this.#mergePage(page);
      this.messages = merged.slice(0, windowSize);
      this.hasBefore = page.hasBefore;
      this.hasAfter ||= merged.length > windowSize;
    });
  }

  loadNewer(): Promise<void> {
    const last = this.messages.at(-1);
    if (!this.hasAfter || last === undefined) return Promise.resolve();
    return this.#extend({ after: this.floods.endAt(last.position), limit: stepSize }, (page) => {
      const merged = this.#mergePage(page);
      this.messages = merged.slice(-windowSize);
      this.hasAfter = page.hasAfter;
      this.hasBefore ||= merged.length > windowSize;
      this.#insertChanges();
    });
  }

  /** Shows all messages of a flood, or collapses it again; what is on the screen stays in its place. */
  async setFloodOpen(first: number, open: boolean): Promise<void> {
    const flood = this.floods.all.find((each) => each.first === first);
    if (flood === undefined) return;
    const stay = this.floods.openWith(flood, open);
    await this.#replace({ around: flood.shown, limit: windowSize }, { to: 'same' }, stay);
  }

  /** Reads the window anew around what is on the screen. */
  async resynchronise(): Promise<void> {
    if (this.conversationId === null || this.phase === 'none') return;
    const limit = Math.max(pageSize, this.messages.length);
    const middle = this.messages[Math.floor(this.messages.length / 2)];
    const isInside = this.hasAfter && middle !== undefined;
    const input = isInside ? { around: middle.position, limit, reveal: true } : { limit };
    await this.#replace(input, this.phase === 'ready' ? null : { to: 'bottom' });
  }

  /**
   * `to`: in a group to this member only; `replyTo`: it answers this message.
   * @throws {CallError} when the message could not be stored; nothing has been shown then.
   */
  async send(text: string, more: { readonly to?: string; readonly replyTo?: MessageId } = {}): Promise<void> {
    const conversationId = this.conversationId;
    if (conversationId === null) return;
    const message = await this.#client.call('message.send', { conversationId, text, ...more });
    if (this.conversationId !== conversationId) return;
    this.newAfter = null;
    if (!this.hasAfter) this.#insert(message);
    await this.jumpToLatest();
  }

  async retry(messageId: MessageId): Promise<void> {
    try {
      await this.#client.call('message.retry', { messageId });
    } catch (error) {
      this.problem = error;
    }
  }

  /** The message at `position` has been on the screen while the user could see it. */
  markSeen(position: number): void {
    if (this.conversationId === null || position <= this.#seenPosition) return;
    const isUnseen = (at: number): boolean => this.#seenPosition < at && at <= position;
    const unseen =
      this.messages.some((message) => message.direction === 'in' && isUnseen(message.position)) ||
      this.floods.all.some(({ last, open }) => !open && isUnseen(last));
    this.#seenPosition = position;
    if (!unseen) return;
    this.#untold.set(this.conversationId, position);
    if (!this.#telling) void this.#tellSeen();
  }

  /** One after the other: in a flood the next says what many would have said. */
  async #tellSeen(): Promise<void> {
    this.#telling = true;
    for (const [conversationId, position] of this.#untold) {
      this.#untold.delete(conversationId);
      await this.#client.call('conversation.markRead', { conversationId, position }).catch(() => undefined);
    }
    this.#telling = false;
  }

  applyMessageAdded(message: Message, attentive: boolean): void {
    if (message.conversationId !== this.conversationId) return;
    if (this.#reads > 0) this.#changedWhileReading.set(message.id, message);
    if (message.direction === 'in' && !attentive) this.newAfter = this.#seenPosition;
    if (this.phase !== 'ready' || this.hasAfter) return;
    this.#insert(message);
  }

  applyMessageChanged(message: Message): void {
    if (message.conversationId !== this.conversationId) return;
    if (this.#reads > 0) this.#changedWhileReading.set(message.id, message);
    if (!this.messages.some(({ id }) => id === message.id)) return;
    this.messages = this.messages.map((present) => (present.id === message.id ? message : present));
  }

  /** Messages have left the history. */
  applyMessagesDeleted(conversationId: ConversationId, positions: readonly number[]): void {
    if (conversationId !== this.conversationId) return;
    const gone = new Set(positions);
    const floods = this.floods.forget(positions);
    const before = this.messages.length;
    const left = this.messages.filter(({ position }) => !gone.has(position));
    if (left.length < before) this.messages = left;
    if (floods.length > 0) void this.#readFloodAnew(floods.find(({ open }) => open));
    else if (left.length < before && left.length === 0) void this.resynchronise();
  }

  /** For oneself: the other side keeps what it has. */
  delete({ conversationId, id }: Message): Promise<void> {
    return this.deleteAll(conversationId, [id]);
  }

  async deleteAll(conversationId: ConversationId, ids: MessageId[]): Promise<void> {
    try {
      await this.#client.call('message.delete', { conversationId, ids });
    } catch (error) {
      this.problem = error;
    }
  }

  applyTransferChanged(messageId: MessageId, file: Transfer): void {
    const present = this.messages.find(({ id }) => id === messageId);
    const reading = this.#changedWhileReading.get(messageId);
    if (present !== undefined) this.applyMessageChanged({ ...present, file });
    else if (reading !== undefined) this.#changedWhileReading.set(messageId, { ...reading, file });
  }

  /** A message that is there already stays as it is: the event about it is never older than the answer. */
  #insert(message: Message): void {
    if (this.messages.some(({ id }) => id === message.id)) return;
    if (this.floods.hides(message.position)) return;
    if (this.floods.receive(message, this.messages)) return;
    const merged = this.floods.collapseEnd(mergeMessages(this.messages, [message]), this.hasBefore);
    if (merged.length <= windowSize) {
      this.messages = merged;
    } else if (this.atBottom) {
      this.messages = merged.slice(-windowSize);
      this.hasBefore = true;
    } else {
      this.messages = merged.slice(0, windowSize);
      this.hasAfter = true;
    }
  }

  /** A question about the open conversation; null when it has no answer, or another conversation is open by now. */
  async #ask<Name extends 'browse.positionOfDay' | 'browse.firstUnread'>(
    name: Name,
    input: CallInput<Name>,
  ): Promise<number | null> {
    try {
      const answer = await this.#client.call(name, input);
      return this.conversationId === input.conversationId ? answer : null;
    } catch (error) {
      this.problem = error;
      return null;
    }
  }

  async #showPosition(position: number, wish: ScrollWish): Promise<void> {
    const first = this.hasBefore ? (this.messages[0]?.position ?? Infinity) : 0;
    const last = this.floods.endAt(this.messages.at(-1)?.position ?? -1);
    if (this.phase === 'ready' && first <= position && position <= last) this.scrollWish = wish;
    else await this.#replace({ around: position, limit: pageSize }, wish);
  }

  #reset(id: ConversationId): void {
    this.conversationId = id;
    this.messages = [];
    this.floods.set([]);
    this.hasBefore = false;
    this.hasAfter = false;
    this.flashedId = null;
    this.phase = 'loading';
    this.atBottom = true;
  }

  /** A message of a flood has gone; `open`: it stays so. */
  #readFloodAnew(open: Flood | undefined): Promise<void> {
    const inside = this.messages.findLast(
      ({ position }) => open !== undefined && open.shown < position && position <= open.last,
    );
    const near = inside ?? this.messages[Math.floor(this.messages.length / 2)];
    if (near === undefined) return this.resynchronise();
    return this.#replace({ around: near.position, limit: windowSize, reveal: true }, null);
  }

  /** `stay`: floods that are open. */
  async #replace(input: PageInput, wish: ScrollWish | null, stay = this.floods.open): Promise<void> {
    this.#generation += 1;
    const generation = this.#generation;
    try {
      const page = await this.#read(input, stay);
      if (generation !== this.#generation) return;
      this.floods.set(stay, page.floods);
      this.hasBefore = page.hasBefore;
      this.hasAfter = page.hasAfter;
      this.messages = this.#withChanges(page.messages);
      this.#insertChanges();
      this.phase = 'ready';
      this.problem = null;
      if (wish !== null) this.scrollWish = wish;
    } catch (error) {
      if (generation !== this.#generation) return;
      this.problem = error;
      if (this.phase !== 'ready') this.phase = 'failed';
    } finally {
      this.#forgetChanges();
    }
  }

  async #extend(input: PageInput, apply: (page: Page) => void): Promise<void> {
    if (this.#paging) return;
    this.#paging = true;
    const generation = this.#generation;
    try {
      const page = await this.#read(input, this.floods.all);
      if (generation !== this.#generation) return;
      this.floods.set(this.floods.all, page.floods);
      apply(page);
      this.floods.keepWithin(this.messages);
    } catch (error) {
      this.problem = error;
    } finally {
      this.#paging = false;
      this.#forgetChanges();
    }
  }

  #read(input: PageInput, floods: readonly Flood[]): Promise<Page> {
    if (this.conversationId === null) throw new Error('no conversation is open');
    this.#reads += 1;
    const { conversationId } = this;
    return this.#client
      .call('message.list', { conversationId, ...input, floods: floods.slice(-maxKnownFloods) })
      .finally(() => (this.#reads -= 1));
  }

  #mergePage(page: Page): Message[] {
    return this.#withChanges(mergeMessages(page.messages, this.messages));
  }

  /** Events that came while the page was on its way are newer than the page. */
  #withChanges(messages: readonly Message[]): Message[] {
    return messages.map((message) => this.#changedWhileReading.get(message.id) ?? message);
  }

  /** Messages that came while the page was on its way may continue it at its end. */
  #insertChanges(): void {
    for (const message of this.#changedWhileReading.values()) {
      const end = this.floods.endAt(this.messages.at(-1)?.position ?? -1);
      if (message.conversationId === this.conversationId && !this.hasAfter && message.position > end) {
        this.#insert(message);
      }
    }
  }

  #forgetChanges(): void {
    if (this.#reads === 0) this.#changedWhileReading.clear();
  }
}
