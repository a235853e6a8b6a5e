/**
 * Owns: what lies where in a profile. Called by: messenger.ts. Calls: node:path.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A Unix socket's path has to fit into 104 bytes on every system; our file names take 30. */
const MAX_RUN_FOLDER_CHARS = 70;

/** The file that everything is kept in. */
export function historyOf(profile: string): string {
  return join(profile, 'history.sqlite');
}

/** Where the folders of sockets are made, with a path that is short enough. */
export function runFolderOf(profile: string): string {
  const inside = join(profile, 'run');
  if (inside.length <= MAX_RUN_FOLDER_CHARS) return inside;
  return process.env['XDG_RUNTIME_DIR'] ?? tmpdir();
}
