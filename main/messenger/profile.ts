/**
 * Owns: what lies where in a profile. Called by: messenger.ts. Calls: node:path.
 */
import { join } from 'node:path';

/** The file that everything is kept in. */
export function historyOf(profile: string): string {
  return join(profile, 'history.sqlite');
}
