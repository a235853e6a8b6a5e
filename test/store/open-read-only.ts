/**
 * A program that opens a history on a disk that cannot be written: to use it, and to read it only. Prints what came of both.
 * Called by: read-only-disk.test.ts. Calls: main/store.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StoreError } from '../../main/store/database.ts';
import { Store } from '../../main/store/store.ts';

const path = process.argv[2] ?? '';
const used = await Store.open(path).then(
  () => ({ code: 'opened', message: '' }),
  (error: unknown) => {
    if (!(error instanceof StoreError)) throw error;
    return { code: error.code, message: error.message };
  },
);
const folder = await mkdtemp(join(tmpdir(), 'parley-read-only-'));
const reader = await Store.openArchive(path, { folder });
const { incoming, outgoing } = await reader.call('selectTotals', null);
const found = await reader.search({ text: '今天', limit: 9 });
await reader[Symbol.asyncDispose]();
await rm(folder, { recursive: true });
process.stdout.write(JSON.stringify({ used, read: incoming + outgoing, found: found.length }));
