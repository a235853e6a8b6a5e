/** Owns: the Chinese texts about archives and passphrases. Called by: ../zh.ts. Calls: nothing. */
import type { archiveEn } from './en.ts';
import type { Entry } from '../catalogue.ts';

export const archiveZh: Readonly<Record<keyof typeof archiveEn, Entry>> = {
  'export.parley': '存档',
  'export.hint.parley': '包含全部内容的单个文件，任何电脑上的 Parley 都能打开；可校验，也可重新导入。',
  'export.protect': '用密码短语保护',
  'export.protectHint': '没有它，任何人都无法读取存档，您自己也不行。',
  'passphrase.label': '密码短语',
  'passphrase.repeat': '再输入一次',
  'passphrase.differs': '两次输入不一致。',
  'import.chooseArchive': '选择存档',
  'import.noArchive': '存档的文件名以 .parley 结尾。',
  'job.failed.locked': '此存档受保护。请输入密码短语：',
  'job.failed.stillLocked': '密码短语不对，或者文件已损坏。',
  'job.unlock': '导入',
};
