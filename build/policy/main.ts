/**
 * Owns: `npm run policy`: writes the templates of the managed policy anew. Called by: package.json. Calls: templates.ts.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { policyFiles } from './templates.ts';

const root = resolve(import.meta.dirname, '../..');
for (const [name, text] of policyFiles()) {
  mkdirSync(dirname(resolve(root, name)), { recursive: true });
  writeFileSync(resolve(root, name), text);
  process.stdout.write(`${name}\n`);
}
