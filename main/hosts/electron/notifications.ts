/**
 * Owns: announcements of new messages by the system: one for each conversation, with an answer where the system has it.
 * Called by: desktop.ts. Calls: Electron's Notification.
 */
import type { Notification, NotificationConstructorOptions } from 'electron';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import type { Announcement } from '../../messenger/announcements.ts';
import type { Words } from './words.ts';

/** What the system cuts off anyway. */
const MAX_BODY_CHARS = 250;
const MAX_TITLE_CHARS = 80;
/** Announcements that are kept to be withdrawn; the oldest is forgotten. */
const MAX_SHOWN = 50;

export interface NotificationsOptions {
  readonly create: (options: NotificationConstructorOptions) => Notification;
  readonly isSupported: () => boolean;
  /** macOS: the answer is written in the announcement. */
  readonly hasReply: boolean;
  readonly words: () => Words;
  /** Who has written and what may be shown. */
  readonly showsText: () => boolean;
  readonly open: (conversationId: ConversationId) => void;
  readonly reply: (conversationId: ConversationId, text: string) => void;
}

/** Directions of reading that were begun in a name do not reach into what stands beside it (Unicode UAX #9). */
function isolated(text: string): string {
  return `\u2068${text}\u2069`;
}

function shortened(text: string, max: number): string {
  const [...signs] = text
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 4 * max);
  return signs.length > max ? `${signs.slice(0, max - 1).join('')}…` : signs.join('');
}

/** Shows, replaces and withdraws. */
export class Notifications implements Disposable {
  readonly #options: NotificationsOptions;
  readonly #shown = new Map<ConversationId, Notification>();

  constructor(options: NotificationsOptions) {
    this.#options = options;
  }

  show({ conversation, message, count }: Announcement): void {
    const { words: wordsNow, hasReply, showsText, isSupported, create, open, reply } = this.#options;
    if (!isSupported()) return;
    const words = wordsNow();
    const { id } = conversation;
    const many = count > 1 ? words.newMessages(count) : words.newMessage;
    const author = message.group?.person?.name ?? '';
    const said =
      author === '' ? message.text : `${isolated(shortened(author, MAX_TITLE_CHARS))}: ${message.text}`;
    const text = shortened(said, MAX_BODY_CHARS);
    // An answer goes to everybody in a group, which is not where a private message is answered.
    const takesReply = hasReply && showsText() && message.group?.isPrivate !== true;
    const notification = create({
      title: showsText() ? isolated(shortened(conversation.peerName, MAX_TITLE_CHARS)) : 'Parley',
      body: showsText() ? (count > 1 ? `${many}\n${text}` : text) : many,
      ...(takesReply ? { hasReply: true, replyPlaceholder: words.reply } : {}),
    });
    notification.on('click', () => open(id));
    // The text stands in the first argument's `reply` or, as it was before, in the second.
    notification.on('reply', (details: unknown, before?: unknown) => {
      const written = (details as { reply?: unknown }).reply ?? before;
      if (typeof written === 'string' && written.trim() !== '') reply(id, written);
    });
    notification.on('close', () => {
      if (this.#shown.get(id) === notification) this.#shown.delete(id);
    });
    this.withdraw(id);
    this.#shown.set(id, notification);
    const [oldest] = this.#shown.keys();
    if (this.#shown.size > MAX_SHOWN && oldest !== undefined) this.withdraw(oldest);
    notification.show();
  }

  withdraw(id: ConversationId): void {
    const notification = this.#shown.get(id);
    this.#shown.delete(id);
    notification?.close();
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#shown.keys()]) this.withdraw(id);
  }
}
