import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { startBuilt } from '../support/bundled-threads.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(resolve(root, file), 'utf8');

it.each([
  ['main/store/store-thread.ts', './worker.ts', 'store-worker.js'],
  ['main/messenger/history/import-reader.ts', './import-thread.ts', 'import-thread.js'],
])('%s starts what was built in place of %s', (file, script, built) => {
  const code = startBuilt(read(file), resolve(root, file)) ?? '';
  expect(code).toMatch(
    new RegExp(`new URL\\('file://\\S+/out/hosts/headless/${built}', import\\.meta\\.url\\)`),
  );
  expect(code).not.toContain(`'${script}'`);
});

it('a file that starts no thread stays as it is', () => {
  const file = 'main/store/store.ts';
  expect(startBuilt(read(file), resolve(root, file))).toBeUndefined();
});
