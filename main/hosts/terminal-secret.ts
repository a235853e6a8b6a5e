/**
 * Owns: a passphrase from the environment, or typed on a terminal that does not show it.
 * Called by: hosts/headless/history.ts. Calls: the terminal.
 */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

/**
 * What the variable says, else what is typed after `question`. Undefined: there is neither. An empty line is undefined as
 * well.
 */
export async function readSecret(variable: string, question: string): Promise<string | undefined> {
  const given = process.env[variable];
  if (given !== undefined && given !== '') return given;
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    const typed = await lines.question('');
    return typed === '' ? undefined : typed;
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}
