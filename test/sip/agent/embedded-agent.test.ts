/** The engine inside the program, and what it leaves on the disk. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Lifetime } from '../../../main/base/lifetime.ts';
import { openEmbeddedAgent } from '../../../main/sip/embedded-agent.ts';

it('the socket between engine and agent lies where only we can enter, and nothing is left of it', async () => {
  const runFolder = await mkdtemp(join(tmpdir(), 'parley-run-'));
  try {
    {
      await using lifetime = new Lifetime();
      await openEmbeddedAgent({ runFolder, host: '127.0.0.1', port: 0 }, lifetime);
      const [name = ''] = await readdir(runFolder);
      expect((await stat(join(runFolder, name))).mode & 0o777).toBe(0o700);
    }
    expect(await readdir(runFolder)).toEqual([]);
  } finally {
    await rm(runFolder, { recursive: true });
  }
});
