/**
 * Owns: which words of a command line name archives and copied profiles. Called by: electron/main.ts.
 * Calls: messenger/reader/reading-place.ts, node:fs.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { historyOf } from '../messenger/profile.ts';
import { isReadable } from '../messenger/reader/reading-place.ts';

/** Links, switches and everything else on it are left out. `folder`: where it was written. */
export function filesAmong(words: readonly string[], folder: string): string[] {
  return words
    .filter(
      (word) => isReadable(word) || (!word.startsWith('-') && existsSync(historyOf(resolve(folder, word)))),
    )
    .map((word) => resolve(folder, word));
}
