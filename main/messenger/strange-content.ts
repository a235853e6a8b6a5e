/**
 * Owns: content of a type that we cannot show: it becomes a file beside the received ones.
 * Called by: inbox.ts. Calls: file-name.ts, the file system.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoredTransfer } from '../store/transfers.ts';
import { placeFile, safeFileName } from './file-name.ts';

/** What is known of it. */
export interface StrangeContent {
  /** Without parameters, in lower case. */
  readonly type: string;
  /** Content-Disposition of its CPIM part, if it had one. */
  readonly disposition: string | undefined;
  readonly bytes: Buffer;
}

const MAX_EXTENSION_CHARS = 8;
const FILE_NAME = /;\s*filename="?([^";]{1,500})"?/i;

function nameOf({ type, disposition }: StrangeContent): string {
  const given = FILE_NAME.exec(disposition ?? '')?.[1];
  if (given !== undefined) return safeFileName(given);
  const [top = '', subtype = ''] = type.split('/', 2);
  const last = /[a-z0-9]+$/.exec(subtype)?.[0] ?? '';
  return safeFileName(`${top}.${last !== '' && last.length <= MAX_EXTENSION_CHARS ? last : 'bin'}`);
}

/** Writes it into `folder` under a name of its own. Rejects with the system's error. */
export async function keepStrangeContent(
  folder: string,
  content: StrangeContent,
): Promise<Omit<StoredTransfer, 'messageId'>> {
  const transferId = randomUUID();
  const part = join(folder, `${transferId}.part`);
  const name = nameOf(content);
  const { length: size } = content.bytes;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    await writeFile(part, content.bytes, { flag: 'wx', mode: 0o600, flush: true });
    const path = await placeFile(part, folder, name);
    return {
      transferId,
      name,
      type: content.type.slice(0, 100),
      size,
      sha1: null,
      sha256: null,
      modifiedMs: null,
      state: 'done',
      accepted: true,
      bytesDone: size,
      path,
      partPath: null,
      preview: null,
      failure: null,
    };
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}
