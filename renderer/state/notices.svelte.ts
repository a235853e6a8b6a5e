/**
 * Owns: announcements of new messages in a browser; the desktop program has the system's own.
 * Called by: app, notification settings. Calls: the browser's Notification.
 */
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { areAnnounced, type Settings } from '../../shared/settings.ts';
import type { Locale } from '../i18n/locale.svelte.ts';

export class Notices {
  readonly #locale: Locale;
  readonly #open: (id: ConversationId) => void;
  readonly #shown = new Map<ConversationId, { notice: Notification; count: number }>();
  /** What the browser lets us do; `none`: it has no announcements. */
  permission = $state<NotificationPermission | 'none'>('none');

  constructor(locale: Locale, open: (id: ConversationId) => void) {
    this.#locale = locale;
    this.#open = open;
    if (typeof Notification !== 'undefined') this.permission = Notification.permission;
  }

  /** Has to follow from a click: browsers ask for nothing by themselves. */
  async ask(): Promise<void> {
    if (this.permission === 'default') this.permission = await Notification.requestPermission();
  }

  /** One for each conversation: a later message takes the place of the one before and counts it. */
  show(settings: Settings, conversation: Conversation, message: Message): void {
    if (!areAnnounced(settings) || this.permission !== 'granted') return;
    const { id, peerName } = conversation;
    const before = this.#shown.get(id);
    const count = (before?.count ?? 0) + 1;
    const many = count > 1 ? this.#locale.t('notice.many', { count }) : this.#locale.t('notice.new');
    const showsText = settings['notifications.text'];
    const author = message.group?.person?.name;
    const text = `${author === undefined ? '' : `${author}: `}${message.text}`.slice(0, 250);
    const notice = new Notification(showsText ? peerName : this.#locale.t('app.name'), {
      body: showsText ? (count > 1 ? `${many}\n${text}` : text) : many,
      tag: id,
      icon: 'favicon.svg',
      dir: 'auto',
    });
    before?.notice.close();
    this.#shown.set(id, { notice, count });
    notice.addEventListener('click', () => {
      window.focus();
      this.#open(id);
      notice.close();
    });
    notice.addEventListener('close', () => {
      if (this.#shown.get(id)?.notice === notice) this.#shown.delete(id);
    });
  }

  /** It has been read. */
  withdraw(id: ConversationId): void {
    this.#shown.get(id)?.notice.close();
    this.#shown.delete(id);
  }
}
