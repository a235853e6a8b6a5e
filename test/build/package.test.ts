import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { listPackage } from '@electron/asar';
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
/** What marks the fuses in Electron's binary, the version of their list, and how many there are. */
const SENTINEL = 'dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX';
const FUSES = '01111001';

/** An Electron that cannot run and can be packed: the packing itself is looked at, without a network. */
async function writeStubElectron(folder: string): Promise<void> {
  const { version } = JSON.parse(
    await readFile(join(root, 'node_modules/electron/package.json'), 'utf8'),
  ) as {
    version: string;
  };
  await mkdir(join(folder, 'locales'), { recursive: true });
  await writeFile(join(folder, 'LICENSE'), '');
  await writeFile(join(folder, 'version'), version);
  const wire = Buffer.concat([Buffer.from(SENTINEL), Buffer.from([1, FUSES.length]), Buffer.from(FUSES)]);
  await writeFile(join(folder, 'electron'), Buffer.concat([Buffer.alloc(64), wire, Buffer.alloc(64)]));
  await chmod(join(folder, 'electron'), 0o755);
}

describe.skipIf(process.platform !== 'linux')('the packed program (over a stub of Electron)', () => {
  let folder: string;
  let unpacked: string;
  let files: string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-package-'));
    await writeStubElectron(join(folder, 'electron'));
    const output = join(folder, 'dist');
    await promisify(execFile)(
      process.execPath,
      ['build/package.mjs', '--linux', 'dir', `-c.directories.output=${output}`],
      { cwd: root, env: { ...process.env, PARLEY_ELECTRON_DIST: join(folder, 'electron') } },
    );
    unpacked = join(output, process.arch === 'x64' ? 'linux-unpacked' : `linux-${process.arch}-unpacked`);
    files = listPackage(join(unpacked, 'resources/app.asar'), { isPack: false });
  }, 120_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('holds the built program and window, and no sources', () => {
    for (const path of ['main.js', 'preload.cjs', 'store-worker.js']) {
      expect(files).toContain(`/out/hosts/electron/${path}`);
    }
    expect(files).toContain('/out/renderer/index.html');
    const top = new Set(files.map((file) => file.split('/')[1]));
    expect([...top].sort()).toEqual(['node_modules', 'out', 'package.json']);
    expect(files.filter((file) => /^\/out\/.*\.(ts|svelte|map|stamp)$/.test(file))).toEqual([]);
  });

  it('carries the database driver of its own platform only, outside of the archive', () => {
    const prebuilds = files.filter((file) => file.endsWith('.node'));
    const name = `better-sqlite3-multiple-ciphers/prebuilds/linux-${process.arch}.node`;
    expect(prebuilds).toEqual([`/node_modules/${name}`]);
    expect(existsSync(join(unpacked, 'resources/app.asar.unpacked/node_modules', name))).toBe(true);
    expect(files.filter((file) => /better-sqlite3-multiple-ciphers\/(deps|src)\//.test(file))).toEqual([]);
  });

  it('has every fuse set on purpose', async () => {
    const wire = await getCurrentFuseWire(join(unpacked, 'parley'));
    expect(wire).toMatchObject({
      [FuseV1Options.RunAsNode]: FuseState.DISABLE,
      [FuseV1Options.EnableCookieEncryption]: FuseState.ENABLE,
      [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: FuseState.DISABLE,
      [FuseV1Options.EnableNodeCliInspectArguments]: FuseState.DISABLE,
      [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: FuseState.ENABLE,
      [FuseV1Options.OnlyLoadAppFromAsar]: FuseState.ENABLE,
      [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: FuseState.DISABLE,
      [FuseV1Options.GrantFileProtocolExtraPrivileges]: FuseState.DISABLE,
    });
  });
});
