/** Owns: the Chinese texts about answers, reactions and changed messages. Called by: ../zh.ts. Calls: nothing. */
import type { Entry } from '../catalogue.ts';
import type { changesEn } from './en.ts';

export const changesZh: Readonly<Record<keyof typeof changesEn, Entry>> = {
  'message.reply': '回复',
  'message.edit': '编辑',
  'message.takeBack': '为所有人删除',
  'message.takeBackReally': '确定要为所有人删除吗？',
  'message.react': '用 {emoji} 回应',
  'message.moreReactions': '更多回应',
  'message.edited': '已编辑',
  'message.takenBackByUs': '您删除了这条消息',
  'message.takenBack': '这条消息已被删除',
  'quote.show': '显示所回复的消息',
  'quote.gone': '该消息已不在这里',
  'reaction.line': '{emoji}：{names}',
  'reaction.ours': '您',
  'composer.replyTo': '回复 {name}',
  'composer.replyToUs': '回复您自己的消息',
  'composer.editing': '编辑消息',
  'composer.stopReply': '取消回复',
  'composer.stopEditing': '取消编辑',
  'composer.save': '保存',
  'composer.members': '成员',
  'composer.notChanged': '未更改：{reason}',
};
