/**
 * Owns: where a profile lies. Called by: each host's main.ts. Calls: nothing.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The folder of the user's own profile, where his system keeps such things. */
export function defaultProfile(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  if (env['PARLEY_PROFILE']) return resolve(env['PARLEY_PROFILE']);
  if (platform === 'win32') return join(env['APPDATA'] ?? join(homedir(), 'AppData', 'Roaming'), 'Parley');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'Parley');
  return join(env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'parley');
}
