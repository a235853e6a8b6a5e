/** Owns: the Arabic texts about looking at pictures and handing messages on. Called by: ../ar.ts. Calls: nothing. */
import type { Entry } from '../catalogue.ts';
import type { sharingEn } from './en.ts';

export const sharingAr: Readonly<Record<keyof typeof sharingEn, Entry>> = {
  'picture.view': 'عرض بحجم كبير',
  'picture.open': 'فتح ببرنامج آخر',
  'picture.larger': 'تكبير',
  'picture.smaller': 'تصغير',
  'picture.actualSize': 'بحجمها الأصلي',
  'picture.fit': 'إظهارها كاملة',
  'picture.older': 'الصورة السابقة',
  'picture.newer': 'الصورة التالية',
  'picture.showMessage': 'إظهارها في المحادثة',
  'picture.play': 'تشغيل',
  'picture.holdStill': 'إيقاف الحركة',
  'picture.tooManyBytes': 'حجم هذه الصورة {size}، وهي أكبر من أن تُعرض هنا. احفظها وافتحها ببرنامج آخر.',
  'picture.tooManyPixels':
    'في هذه الصورة {width} × {height} بكسل، وهذا أكثر من أن يُعرض هنا. احفظها وافتحها ببرنامج آخر.',
  'picture.broken':
    'لا يمكن عرض هذه الصورة. إنها تالفة أو لم تعد في مكانها. حاول حفظها، أو اطلب إرسالها من جديد.',
  'message.forward': 'إعادة توجيه…',
  'forward.title': 'إعادة التوجيه إلى',
  'forward.hint': 'تُرسل كرسالة منك أنت، ولا شيء يذكر من كتبها.',
  'forward.find': 'البحث عن محادثة',
  'forward.none': 'لا توجد محادثة بهذا الاسم.',
  'forward.noFiles': 'المجموعة لا تقبل الملفات',
  'forward.send': 'إرسال',
  'forward.messages': {
    zero: 'لا رسائل',
    one: 'رسالة واحدة',
    two: 'رسالتان',
    few: '{count} رسائل',
    many: '{count} رسالة',
    other: '{count} رسالة',
  },
  'forward.sendTo': {
    zero: 'إرسال',
    one: 'إرسال إلى محادثة واحدة',
    two: 'إرسال إلى محادثتين',
    few: 'إرسال إلى {count} محادثات',
    many: 'إرسال إلى {count} محادثة',
    other: 'إرسال إلى {count} محادثة',
  },
  'forward.sent': {
    zero: 'لم يُرسل شيء',
    one: 'أُرسلت إلى محادثة واحدة',
    two: 'أُرسلت إلى محادثتين',
    few: 'أُرسلت إلى {count} محادثات',
    many: 'أُرسلت إلى {count} محادثة',
    other: 'أُرسلت إلى {count} محادثة',
  },
  'forward.full': '{count} على الأكثر في المرة الواحدة.',
  'forward.partly': 'تعذّر إرسال كل شيء؛ مذكور أدناه ما لم يُرسل وسببه. والباقي في طريقه.',
  'forward.refused': 'لم تُرسل «{what}»: {reason}',
};
