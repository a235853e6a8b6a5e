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
};
