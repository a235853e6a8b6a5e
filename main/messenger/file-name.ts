/**
 * Owns: names for files that others have named: safe on every system, new in their folder.
 * Called by: incoming-transfer.ts, the hosts when a file is handed in. Calls: the file system.
 */
import { open, rename } from 'node:fs/promises';
import { extname, join } from 'node:path';

/** File systems allow 255; the rest is for ` (2)` and what a user puts before it. */
const MAX_BYTES = 240;
const MAX_EXTENSION_BYTES = 32;
/** Windows keeps these for devices, whatever extension follows. */
const DEVICES = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)/i;
const MAX_TRIES = 10_000;

/**
 * What is left of a name when everything is taken out that could lead elsewhere, hide something or is kept for
 * something else: folders, control and formatting characters (among them those that turn the reading direction),
 * reserved characters and device names, dots and spaces at its ends. At most 240 bytes of UTF-8; the extension stays.
 */
export function safeFileName(name: string): string {
  const last = name.split(/[/\\]/).findLast((part) => part.trim() !== '') ?? '';
  const plain = last
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cn}\p{Co}\uFFFD]/gu, '')
    .normalize('NFC')
    .replace(/[<>:"|?*]/g, '_')
    .replace(/\s+/gu, ' ')
    .replace(/^[. ]+|[. ]+$/g, '');
  const named = plain === '' ? 'file' : DEVICES.test(plain) ? `_${plain}` : plain;
  return shorten(named);
}

function shorten(name: string): string {
  if (Buffer.byteLength(name) <= MAX_BYTES) return name;
  const found = extname(name);
  const extension = Buffer.byteLength(found) <= MAX_EXTENSION_BYTES ? found : '';
  let stem = '';
  let bytes = Buffer.byteLength(extension);
  for (const { segment } of new Intl.Segmenter().segment(name.slice(0, name.length - extension.length))) {
    bytes += Buffer.byteLength(segment);
    if (bytes > MAX_BYTES) break;
    stem += segment;
  }
  // One endless grapheme: cut anywhere rather than not at all.
  return `${stem.replace(/[. ]+$/, '') || 'file'}${extension}`;
}

/**
 * Gives a finished file its name in `folder`; what is there already stays: ` (2)` and so on. Resolves with the path.
 * Rejects with the system's error.
 */
export async function placeFile(from: string, folder: string, name: string): Promise<string> {
  const extension = extname(name);
  const stem = name.slice(0, name.length - extension.length);
  for (let number = 1; ; number++) {
    const path = join(folder, number === 1 ? name : `${stem} (${number})${extension}`);
    try {
      // Nobody else can have a name that is taken; then the file takes its own place.
      await (await open(path, 'wx', 0o600)).close();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST' && number < MAX_TRIES) continue;
      throw error;
    }
    await rename(from, path);
    return path;
  }
}
