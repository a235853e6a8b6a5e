/**
 * Owns: what the desktop program says outside of its window, in the languages of the window.
 * Called by: desktop.ts and its parts. Calls: nothing.
 */
import type { Settings } from '../../../shared/settings.ts';

const english = {
  open: 'Open Parley',
  quit: 'Quit Parley',
  reply: 'Reply',
  newMessage: 'New message',
  newMessages: (count: number) => `${count} new messages`,
  unread: (count: number) => `Parley: ${count} unread`,
  addToDictionary: 'Add to dictionary',
};

export type Words = typeof english;
type Language = Exclude<Settings['appearance.language'], 'system'>;

const arabicForms = new Intl.PluralRules('ar');

const words: Readonly<Record<Language, Words>> = {
  en: english,
  de: {
    open: 'Parley öffnen',
    quit: 'Parley beenden',
    reply: 'Antworten',
    newMessage: 'Neue Nachricht',
    newMessages: (count) => `${count} neue Nachrichten`,
    unread: (count) => `Parley: ${count} ungelesen`,
    addToDictionary: 'Ins Wörterbuch aufnehmen',
  },
  zh: {
    open: '打开 Parley',
    quit: '退出 Parley',
    reply: '回复',
    newMessage: '新消息',
    newMessages: (count) => `${count} 条新消息`,
    unread: (count) => `Parley：${count} 条未读`,
    addToDictionary: '添加到词典',
  },
  ar: {
    open: 'فتح Parley',
    quit: 'إنهاء Parley',
    reply: 'رد',
    newMessage: 'رسالة جديدة',
    newMessages: (count) =>
      count === 2
        ? 'رسالتان جديدتان'
        : arabicForms.select(count) === 'few'
          ? `${count} رسائل جديدة`
          : `${count} رسالة جديدة`,
    unread: (count) => `Parley: ${count} غير مقروءة`,
    addToDictionary: 'إضافة إلى القاموس',
  },
};

/** The words of the language that is set; `locale` is that of the system, as `de-AT`. */
export function wordsOf(language: Settings['appearance.language'], locale: string): Words {
  const wanted = language === 'system' ? locale.split('-', 1)[0] : language;
  return wanted !== undefined && Object.hasOwn(words, wanted) ? words[wanted as Language] : english;
}
