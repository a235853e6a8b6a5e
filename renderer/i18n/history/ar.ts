/** Owns: the Arabic texts about the history. Called by: ../ar.ts. Calls: nothing. */
import type { historyEn } from './en.ts';
import type { Entry } from '../catalogue.ts';

export const historyAr: Readonly<Record<keyof typeof historyEn, Entry>> = {
  'browse.calendar': 'الانتقال إلى تاريخ',
  'browse.previousMonth': 'الشهر السابق',
  'browse.nextMonth': 'الشهر التالي',
  'browse.year': 'السنة',
  'browse.dayWith': {
    zero: '{day}، لا رسائل',
    one: '{day}، رسالة واحدة',
    two: '{day}، رسالتان',
    few: '{day}، {count} رسائل',
    many: '{day}، {count} رسالة',
    other: '{day}، {count} رسالة',
  },
  'browse.dayWithout': '{day}، لا رسائل',
  'browse.noDays': 'لا رسائل في هذا الشهر.',
  'browse.firstUnread': 'الانتقال إلى أول رسالة غير مقروءة',
  'browse.unread': 'أول غير مقروءة',

  'details.title': 'التفاصيل',
  'details.open': 'تفاصيل هذه المحادثة',
  'details.figures': 'بالأرقام',
  'details.messages': {
    zero: 'لا رسائل',
    one: 'رسالة واحدة',
    two: 'رسالتان',
    few: '{count} رسائل',
    many: '{count} رسالة',
    other: '{count} رسالة',
  },
  'details.directions': '{incoming} واردة، {outgoing} مرسلة',
  'details.files': {
    zero: 'لا ملفات، {size}',
    one: 'ملف واحد، {size}',
    two: 'ملفان، {size}',
    few: '{count} ملفات، {size}',
    many: '{count} ملفًا، {size}',
    other: '{count} ملف، {size}',
  },
  'details.since': 'أول رسالة {day}',
  'details.media': 'ما تمت مشاركته',
  'details.image': 'الصور',
  'details.file': 'الملفات',
  'details.link': 'الروابط',
  'details.none': 'لا شيء من هذا النوع بعد.',
  'details.more': 'عرض المزيد',
  'details.show': 'عرض في المحادثة: {name}',
};
