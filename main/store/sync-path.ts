/**
 * Owns: that a file or a name is on the disk. Called by: encryption.ts, worker.ts, messenger/history/history-key.ts.
 * Calls: node:fs.
 */
import { closeSync, fsyncSync, openSync, statSync } from 'node:fs';

/** Forces a file, or the names in a folder, to the disk. */
export function syncPath(path: string): void {
  // Windows knows no handle of a folder; its renames are on the disk when they return.
  if (process.platform === 'win32' && statSync(path).isDirectory()) return;
  const file = openSync(path, process.platform === 'win32' ? 'r+' : 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
