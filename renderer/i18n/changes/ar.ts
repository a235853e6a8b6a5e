/** Owns: the Arabic texts about answers, reactions and changed messages. Called by: ../ar.ts. Calls: nothing. */
import type { Entry } from '../catalogue.ts';
import type { changesEn } from './en.ts';

export const changesAr: Readonly<Record<keyof typeof changesEn, Entry>> = {
  'message.reply': 'رد',
  'message.edit': 'تعديل',
  'message.takeBack': 'حذف لدى الجميع',
  'message.takeBackReally': 'هل تريد حقًا الحذف لدى الجميع؟',
  'message.react': 'تفاعل بـ {emoji}',
  'message.moreReactions': 'تفاعلات أخرى',
  'message.edited': 'معدَّلة',
  'message.takenBackByUs': 'لقد حذفت هذه الرسالة',
  'message.takenBack': 'حُذفت هذه الرسالة',
  'quote.show': 'أظهر الرسالة التي يُرد عليها',
  'quote.gone': 'لم تعد الرسالة هنا',
  'reaction.line': '{emoji}: {names}',
  'reaction.ours': 'أنت',
  'composer.replyTo': 'رد على {name}',
  'composer.replyToUs': 'رد على رسالتك',
  'composer.editing': 'تعديل الرسالة',
  'composer.stopReply': 'إلغاء الرد',
  'composer.stopEditing': 'إلغاء التعديل',
  'composer.save': 'حفظ',
  'composer.members': 'الأعضاء',
  'composer.notChanged': 'لم تتغير: {reason}',
};
