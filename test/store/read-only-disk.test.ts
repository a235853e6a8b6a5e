/**
 * A history on a disk that really cannot be written, whoever runs the tests: a file system mounted read-only, in a namespace of
 * mounts of its own.
 */
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openFilledHistory } from '../support/filled-history.ts';

const OWN_MOUNTS = process.getuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount'];
const MOUNT =
  'mount -t tmpfs parley "$1" && cp "$2"/* "$1" && mount -o remount,ro "$1" && shift 2 && exec "$@"';

function onReadOnlyDisk(place: string, from: string, command: readonly string[]) {
  return spawnSync('unshare', [...OWN_MOUNTS, 'sh', '-c', MOUNT, 'sh', place, from, ...command], {
    encoding: 'utf8',
  });
}

it('is not opened to be used, with a sentence that says why, and is read all the same', async ({ skip }) => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-disk-'));
  try {
    const [from, place] = [join(folder, 'from'), join(folder, 'place')];
    for (const each of [from, place]) await mkdir(each);
    await (await openFilledHistory(from))[Symbol.asyncDispose]();
    const tried = onReadOnlyDisk(place, from, ['touch', join(place, 'written')]);
    if (!/[Rr]ead-only/.test(tried.stderr))
      skip(`no read-only disk to be had here: ${tried.stderr || String(tried.error)}`);
    const script = fileURLToPath(new URL('./open-read-only.ts', import.meta.url));
    const opened = onReadOnlyDisk(place, from, [process.execPath, script, join(place, 'history.sqlite')]);
    expect(JSON.parse(opened.stdout || opened.stderr)).toEqual({
      used: {
        code: 'STORE_READ_ONLY',
        message: 'The profile folder cannot be written. Check its permissions.',
      },
      read: 910,
      found: 3,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
