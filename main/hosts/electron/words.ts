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
  cannotStart: 'Parley cannot start',
  runsAlready: 'Parley is running already',
  runsElsewhere: 'It runs in another window or without one. End it there first.',
  hasToEnd: 'Parley has to end',
  hasFault: (log: string) =>
    `There is a fault in the program. Nothing that was said is lost; start it again. What happened is written in ${log}.`,
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
    cannotStart: 'Parley kann nicht starten',
    runsAlready: 'Parley läuft schon',
    runsElsewhere: 'Es läuft in einem anderen Fenster oder ohne eines. Beenden Sie es zuerst dort.',
    hasToEnd: 'Parley muss enden',
    hasFault: (log) =>
      `Im Programm ist ein Fehler. Nichts, was gesagt wurde, ist verloren; starten Sie es neu. Was geschehen ist, steht in ${log}.`,
  },
  zh: {
    open: '打开 Parley',
    quit: '退出 Parley',
    reply: '回复',
    newMessage: '新消息',
    newMessages: (count) => `${count} 条新消息`,
    unread: (count) => `Parley：${count} 条未读`,
    addToDictionary: '添加到词典',
    cannotStart: '无法启动 Parley',
    runsAlready: 'Parley 已在运行',
    runsElsewhere: '它正在另一个窗口中运行，或在没有窗口的情况下运行。请先在那里将其退出。',
    hasToEnd: 'Parley 必须退出',
    hasFault: (log) => `程序出现错误。消息没有丢失；请重新启动。详情记录在 ${log} 中。`,
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
    cannotStart: 'تعذر بدء Parley',
    runsAlready: 'يعمل Parley بالفعل',
    runsElsewhere: 'إنه يعمل في نافذة أخرى أو بلا نافذة. أنهه هناك أولًا.',
    hasToEnd: 'يجب إنهاء Parley',
    hasFault: (log) => `في البرنامج خطأ. لم يُفقد شيء مما قيل؛ ابدأه من جديد. ما حدث مكتوب في ${log}.`,
  },
};

/** The words of the language that is set; `locale` is that of the system, as `de-AT`. */
export function wordsOf(language: Settings['appearance.language'], locale: string): Words {
  const wanted = language === 'system' ? locale.split('-', 1)[0] : language;
  return wanted !== undefined && Object.hasOwn(words, wanted) ? words[wanted as Language] : english;
}
