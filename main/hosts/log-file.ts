/**
 * Owns: the log of a program with a window: a file of the profile, so that the terminal keeps to sentences.
 * Called by: browser/main.ts, electron/main.ts. Calls: base/log.ts.
 */
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createLog, type Log, type LogLevel } from '../base/log.ts';

const MAX_BYTES = 2 * 1024 * 1024;

/**
 * Writes warnings and errors to `parley.log` of the profile; the one before it is kept as `parley.old.log`. With a
 * level that the user has asked for, it writes to standard error instead.
 */
export function openLog(profile: string, level: string | undefined): Log {
  if (level !== undefined) {
    return createLog({ level: level as LogLevel, sink: (line) => process.stderr.write(`${line}\n`) });
  }
  const path = join(profile, 'parley.log');
  let bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const sink = (line: string): void => {
    try {
      mkdirSync(profile, { recursive: true, mode: 0o700 });
      if (bytes > MAX_BYTES) {
        renameSync(path, join(profile, 'parley.old.log'));
        bytes = 0;
      }
      appendFileSync(path, `${line}\n`, { mode: 0o600 });
      bytes += line.length + 1;
    } catch {
      // A full or read-only disk: the store says so where the user sees it.
    }
  };
  return createLog({ level: 'warn', sink });
}
