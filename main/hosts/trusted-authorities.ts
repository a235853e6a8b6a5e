/**
 * Owns: the file with further authorities that TLS trusts, from the command line or the environment.
 * Called by: the hosts. Calls: the file system.
 */
import { readFileSync } from 'node:fs';

/** Where the file is named when the command line does not. */
export const CA_FILE_VARIABLE = 'PARLEY_CA_FILE';

/** The authorities in `file`, else in the one that the environment names; none without either. Throws a sentence. */
export function readAuthorities(file: string | undefined): readonly string[] {
  const path = file ?? process.env[CA_FILE_VARIABLE] ?? '';
  if (path === '') return [];
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`The file of authorities ${path} cannot be read.`, { cause: error });
  }
  const found = text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g);
  if (found === null) throw new Error(`The file of authorities ${path} has no certificate in it (PEM).`);
  return found;
}
