/** Owns: the Arabic texts about archives and passphrases. Called by: ../ar.ts. Calls: nothing. */
import type { archiveEn } from './en.ts';
import type { Entry } from '../catalogue.ts';

export const archiveAr: Readonly<Record<keyof typeof archiveEn, Entry>> = {
  'export.parley': 'أرشيف',
  'export.hint.parley': 'ملف واحد فيه كل شيء يفتحه Parley على أي حاسوب؛ قابل للتحقق ويمكن استيراده من جديد.',
  'export.protect': 'حمايته بعبارة مرور',
  'export.protectHint': 'لا أحد يستطيع قراءة الأرشيف دونها، ولا أنت.',
  'passphrase.label': 'عبارة المرور',
  'passphrase.repeat': 'مرة أخرى',
  'passphrase.differs': 'العبارتان غير متطابقتين.',
  'import.chooseArchive': 'اختيار أرشيف',
  'import.noArchive': 'ينتهي اسم الأرشيف بـ ‎.parley.',
  'job.failed.locked': 'هذا الأرشيف محمي. عبارة مروره:',
  'job.failed.stillLocked': 'ليست هذه عبارة مروره، أو أن الملف تالف.',
  'job.unlock': 'استيراد',
};
