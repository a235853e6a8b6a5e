/**
 * Owns: the passphrase of a history for programs without a window: from a file or an open descriptor, never from a command
 * line, which everybody on the computer can read. Called by: headless/main.ts, headless/history.ts. Calls: node:fs.
 */
import { readFileSync } from 'node:fs';
import { givenPassphrase, type PassphraseSource } from '../messenger/opening.ts';

const MAX_CHARS = 1_000;

/** The first line of a file, or of the descriptor with that number. Undefined when neither is given. Throws a sentence. */
export function passphraseFrom(given: {
  readonly file: string | undefined;
  readonly descriptor: string | undefined;
}): PassphraseSource | undefined {
  const { file, descriptor } = given;
  if (file !== undefined && descriptor !== undefined) {
    throw new Error('Give either --passphrase-file or --passphrase-fd.');
  }
  if (descriptor !== undefined && !/^\d{1,6}$/.test(descriptor)) {
    throw new Error(`--passphrase-fd ${descriptor}: the number of an open descriptor is needed.`);
  }
  const place = file ?? (descriptor === undefined ? undefined : Number(descriptor));
  if (place === undefined) return undefined;
  let line: string;
  try {
    [line = ''] = readFileSync(place, 'utf8').split(/\r?\n/, 1);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`The passphrase could not be read from ${place} (${code ?? String(error)}).`);
  }
  if (line === '' || line.length > MAX_CHARS) throw new Error(`There is no passphrase in ${place}.`);
  return givenPassphrase(line);
}
