/**
 * Keeps ARCHITECTURE.md true: every file that it names exists, and defines the function that it names for it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
const rows = [...text.matchAll(/^\|\s*\d+\s*\|\s*`([^`]+)`\s*\|\s*(?:`(\w+)`)?\s*\|/gm)].map(
  ([, file, name]) => ({
    file: file!,
    name,
  }),
);
const files = [
  ...new Set(
    [...text.matchAll(/`((?:main|renderer|shared)\/[\w./-]+\.(?:ts|svelte))`/g)].map(([, file]) => file!),
  ),
];

describe('ARCHITECTURE.md', () => {
  it('describes the way of a message in fourteen steps', () => {
    expect(rows).toHaveLength(14);
  });

  it.each(files)('names a file that exists: %s', (file) => {
    expect(existsSync(join(root, file))).toBe(true);
  });

  it.each(rows.filter(({ name }) => name !== undefined))('finds $name in $file', ({ file, name }) => {
    const source = readFileSync(join(root, file), 'utf8');
    expect(source).toMatch(new RegExp(`(?:function |^ *(?:async )?#?)${name!}[(:<]`, 'm'));
  });
});
