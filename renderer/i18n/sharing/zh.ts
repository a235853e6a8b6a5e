/** Owns: the Chinese texts about looking at pictures and handing messages on. Called by: ../zh.ts. Calls: nothing. */
import type { Entry } from '../catalogue.ts';
import type { sharingEn } from './en.ts';

export const sharingZh: Readonly<Record<keyof typeof sharingEn, Entry>> = {
  'picture.view': '查看大图',
  'picture.open': '用其他程序打开',
  'picture.larger': '放大',
  'picture.smaller': '缩小',
  'picture.actualSize': '原始大小',
  'picture.fit': '显示全图',
  'picture.older': '上一张图片',
  'picture.newer': '下一张图片',
  'picture.showMessage': '在对话中显示',
  'picture.play': '播放',
  'picture.holdStill': '停止播放',
  'picture.tooManyBytes': '这张图片有 {size}，太大，无法在此显示。请保存后用其他程序打开。',
  'picture.tooManyPixels': '这张图片有 {width} × {height} 像素，太多，无法在此显示。请保存后用其他程序打开。',
  'picture.broken': '无法显示这张图片：它已损坏，或已不在原处。请尝试保存，或请对方重新发送。',
  'message.forward': '转发…',
  'forward.title': '转发给',
  'forward.hint': '将作为您自己的消息发出，不会说明原作者是谁。',
  'forward.find': '查找会话',
  'forward.none': '没有这个名称的会话。',
  'forward.noFiles': '群组不接收文件',
  'forward.send': '发送',
  'forward.messages': { other: '{count} 条消息' },
  'forward.sendTo': { other: '发送到 {count} 个会话' },
  'forward.sent': { other: '已发送到 {count} 个会话' },
  'forward.full': '一次最多 {count} 个。',
  'forward.partly': '有些内容未能发送；下面说明是什么以及原因。其余内容正在发送。',
  'forward.refused': '“{what}”未发送：{reason}',
};
