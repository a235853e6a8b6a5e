/**
 * Owns: the command line of the desktop program. Called by: main.ts, program.ts (of a second copy). Calls: profile.ts.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultProfile } from '../profile.ts';

export interface Options {
  readonly profile: string;
  readonly level: string | undefined;
  /** Settings as `key=value`. */
  readonly set: readonly string[];
  /** Started by the system: no window, when there is an icon to open it from. */
  readonly hidden: boolean;
  /** What else stands on the line: files among it are read, a link is opened. */
  readonly rest: readonly string[];
}

/** Electron and Chromium have switches of their own on the same line: what is not ours is not an error. */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      profile: { type: 'string' },
      log: { type: 'string' },
      set: { type: 'string', multiple: true },
      hidden: { type: 'boolean' },
    },
    strict: false,
    allowPositionals: true,
  });
  return {
    profile: typeof values.profile === 'string' ? resolve(values.profile) : defaultProfile(),
    level: typeof values.log === 'string' ? values.log : undefined,
    set: (values.set ?? []).filter((one) => typeof one === 'string'),
    hidden: values.hidden === true,
    rest: positionals,
  };
}
