/**
 * Owns: the command line of the desktop program. Called by: main.ts, program.ts (of a second copy). Calls: profile.ts.
 */
import { resolve } from 'node:path';
import { parseArgs, type ParseArgsConfig } from 'node:util';
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

const OURS = {
  profile: { type: 'string' },
  log: { type: 'string' },
  set: { type: 'string', multiple: true },
  hidden: { type: 'boolean' },
} as const satisfies ParseArgsConfig['options'];

/** Electron and Chromium have switches of their own on the same line: what is not ours is not an error. */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: OURS,
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

/**
 * The line of a program that starts again, of the one that it was started with: with its window, and without the files and
 * links that were opened then. `isPackaged`: else its first word is the program itself.
 */
export function argumentsAgain(args: readonly string[], isPackaged: boolean): string[] {
  const { tokens } = parseArgs({
    args: [...args],
    options: OURS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const program = isPackaged ? undefined : tokens.find(({ kind }) => kind === 'positional');
  return tokens.flatMap((token) => {
    if (token.kind === 'positional') return token === program ? [token.value] : [];
    if (token.kind === 'option-terminator' || token.name === 'hidden') return [];
    return [token.value === undefined ? token.rawName : `${token.rawName}=${token.value}`];
  });
}
