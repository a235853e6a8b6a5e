/** Owns: the Chinese texts about the history. Called by: ../zh.ts. Calls: nothing. */
import type { historyEn } from './en.ts';
import type { Entry } from '../catalogue.ts';

export const historyZh: Readonly<Record<keyof typeof historyEn, Entry>> = {
  'browse.calendar': '跳到日期',
  'browse.previousMonth': '上个月',
  'browse.nextMonth': '下个月',
  'browse.year': '年份',
  'browse.dayWith': { other: '{day}，{count} 条消息' },
  'browse.dayWithout': '{day}，没有消息',
  'browse.noDays': '这个月没有消息。',
  'browse.firstUnread': '跳到第一条未读消息',
  'browse.unread': '第一条未读',

  'details.title': '详情',
  'details.open': '此会话的详情',
  'details.figures': '统计',
  'details.messages': { other: '{count} 条消息' },
  'details.directions': '收到 {incoming} 条，发送 {outgoing} 条',
  'details.files': { other: '{count} 个文件，{size}' },
  'details.since': '第一条消息：{day}',
  'details.media': '分享的内容',
  'details.image': '图片',
  'details.file': '文件',
  'details.link': '链接',
  'details.none': '还没有此类内容。',
  'details.more': '显示更多',
  'details.show': '在会话中显示：{name}',
};
