import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { listPackage } from '@electron/asar';
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cannotStart, InstalledProgram } from '../support/installed-program.ts';
import { writeStubElectron } from './stub-electron.ts';

const root = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);
const fpm = join(root, 'build/linux-package/fpm.mjs');

function missing(...tools: readonly string[]): string | undefined {
  const absent = tools.find((tool) => spawnSync(tool, ['--version']).error !== undefined);
  return absent === undefined ? undefined : `${absent} is not installed`;
}

const noDeb = missing('dpkg-deb', 'dpkg');
const noRpm = missing('rpmbuild', 'rpm') ?? (process.getuid?.() === 0 ? undefined : 'rpm --root needs root');
for (const [kind, reason] of Object.entries({ deb: noDeb, rpm: noRpm })) {
  if (reason !== undefined) process.stdout.write(`Skipped: the ${kind} package, ${reason}.\n`);
}

if (cannotStart !== undefined) {
  process.stdout.write(`Skipped: the start of what was installed, ${cannotStart}.\n`);
}

const POLICY = '{ "history.retention": { "value": 30 } }';
/** What an administrator and a user have, and no package may touch. */
const THEIRS = {
  'etc/parley/policy.json': POLICY,
  'home/anna/.local/share/notes.txt': 'her notes',
};
/** Hers as well: made by the program itself where it can be started. */
const PROFILE = 'home/anna/.local/share/parley';
/** Of a program that has ended. */
const HISTORY = `${PROFILE}/history.sqlite`;

async function writeTheirs(system: string): Promise<void> {
  for (const [path, text] of Object.entries(THEIRS)) {
    await mkdir(join(system, path, '..'), { recursive: true });
    await writeFile(join(system, path), text);
  }
}

async function expectTheirs(system: string): Promise<void> {
  for (const [path, text] of Object.entries(THEIRS)) {
    expect(await readFile(join(system, path), 'utf8'), path).toBe(text);
  }
}

/** What the two formats call this machine. */
const DEB_ARCH = process.arch === 'x64' ? 'amd64' : 'arm64';
const RPM_ARCH = process.arch === 'x64' ? 'x86_64' : 'aarch64';

/** The plain files of a system, without the packager's own records. */
function filesOf(system: string): string[] {
  return readdirSync(system, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(system.length + 1))
    .filter((path) => !/^(var|usr)\/lib\/(dpkg|rpm|sysimage)\//.test(path))
    .sort();
}

const ICON_SIZES = [16, 24, 32, 48, 64, 128, 256, 512];
/** What both versions have. */
const PROGRAM = [
  'opt/Parley/parley',
  'opt/Parley/chrome-sandbox',
  'opt/Parley/resources/app.asar',
  'usr/bin/parley',
  ...ICON_SIZES.map((size) => `usr/share/icons/hicolor/${size}x${size}/apps/parley.png`),
];
/** What the first has; an upgrade takes away what the next one has not. */
const INSTALLED = [
  ...PROGRAM,
  'opt/Parley/version',
  'usr/share/applications/parley.desktop',
  'usr/share/doc/parley/copyright',
  'usr/share/icons/hicolor/scalable/apps/parley.svg',
];

/** Chromium's sandbox has its helper run as root only where the system gives it nothing better. */
const SANDBOX_MODE = spawnSync('unshare', ['--user', 'true']).status === 0 ? 0o755 : 0o4755;

/** Two starts with a browser, on a busy machine. */
const STARTS_MS = 120_000;

describe.skipIf(process.platform !== 'linux')('the packed program (over a stub of Electron)', () => {
  let folder: string;
  let unpacked: string;
  let files: string[];
  /** What packing has said. */
  let said: string;

  const formats = [...(noDeb === undefined ? ['deb'] : []), ...(noRpm === undefined ? ['rpm'] : [])];
  const packageFile = (format: string, version: string) =>
    join(
      folder,
      'dist',
      format === 'deb' ? `parley_${version}_${DEB_ARCH}.deb` : `parley-${version}.${RPM_ARCH}.rpm`,
    );

  /** Every package that can be made here, as a user makes it. */
  async function pack(): Promise<string> {
    const { stdout } = await run(
      process.execPath,
      [
        ...['build/package.mjs', '--linux', 'dir', ...formats, '-c.extraMetadata.version=0.1.0'],
        ...[
          `-c.directories.output=${join(folder, 'dist')}`,
          '-c.deb.compression=gz',
          '-c.rpm.compression=gzip',
        ],
      ],
      { cwd: root, env: { ...process.env, PARLEY_ELECTRON_DIST: join(folder, 'electron') } },
    );
    return stdout;
  }

  /**
   * The next version, made of the same tree without packing the program again; one file has another name.
   * The umask of whoever packs must not matter.
   */
  async function packNext(): Promise<void> {
    await rename(join(unpacked, 'version'), join(unpacked, 'version.txt'));
    const icon = (size: number) => `${size}x${size}`;
    const packed = formats.map((format) =>
      run('sh', [
        ...['-c', 'umask 077; exec "$0" "$@"', process.execPath],
        ...[fpm, '-s', 'dir', '-t', format, '--name', 'parley', '--version', '0.2.0'],
        ...['--architecture', format === 'deb' ? DEB_ARCH : RPM_ARCH, '--description', 'The next version'],
        ...['--maintainer', 'Parley <parley@localhost>', '--license', 'MIT'],
        ...['--after-install', join(root, 'build/linux-package/after-install.sh')],
        ...['--after-remove', join(root, 'build/linux-package/after-remove.sh')],
        ...[
          `--${format}-compression`,
          format === 'deb' ? 'gz' : 'gzip',
          '--package',
          packageFile(format, '0.2.0'),
        ],
        ...['--directories', '/etc/parley', `${unpacked}/=/opt/Parley`],
        `${join(root, 'build/linux-package/parley')}=/usr/bin/parley`,
        ...ICON_SIZES.map(
          (size) =>
            `${join(root, 'build/resources/icons', `${icon(size)}.png`)}=/usr/share/icons/hicolor/${icon(size)}/apps/parley.png`,
        ),
      ]),
    );
    await Promise.all(packed);
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-package-'));
    await writeStubElectron(join(folder, 'electron'));
    unpacked = join(
      folder,
      'dist',
      process.arch === 'x64' ? 'linux-unpacked' : `linux-${process.arch}-unpacked`,
    );
    said = await pack();
    files = listPackage(join(unpacked, 'resources/app.asar'), { isPack: false });
    await packNext();
    // AppArmor's parser as the scripts use it while no kernel is asked: it understands the profile.
    await mkdir(join(folder, 'bin'));
    await writeFile(join(folder, 'bin/apparmor_parser'), '#!/bin/sh\nexit 0\n');
    await chmod(join(folder, 'bin/apparmor_parser'), 0o755);
  }, 120_000);

  const programOf = async (system: string) =>
    InstalledProgram.start(system, join(system, PROFILE), await mkdtemp(join(folder, 'taken-out-')));

  /** The first start: somebody tries it and writes. Nothing where it cannot be started. */
  async function useIt(system: string): Promise<void> {
    if (cannotStart !== undefined) return;
    const program = await programOf(system);
    const account = await program.call<{ id: string }>('demo.start');
    const [tom] = await program.call<{ id: string }[]>('conversation.list', { accountId: account.id });
    await program.call('message.send', { conversationId: tom?.id, text: 'Written before the upgrade' });
    expect(await program.quit()).toBe(0);
    expect(filesOf(system)).toContain(HISTORY);
  }

  /** The next version has what was written with the one before, and shows whom with. */
  async function expectItGoesOn(system: string): Promise<void> {
    if (cannotStart !== undefined) return;
    const program = await programOf(system);
    await expect.poll(() => program.names()).toEqual(['Tom']);
    const [tom] = await program.call<{ id: string }[]>('conversation.list');
    const { messages } = await program.call<{ messages: { text: string }[] }>('message.list', {
      conversationId: tom?.id,
      limit: 40,
    });
    expect(messages.map(({ text }) => text)).toContain('Written before the upgrade');
    expect(await program.quit()).toBe(0);
  }

  /** What the user has is all that is left, and none of it is changed. */
  function userFiles(system: string): string[] {
    return filesOf(system).filter((path) => path.startsWith('home/') || path in THEIRS);
  }

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('holds the built program and window, and no sources', () => {
    for (const path of ['main.js', 'preload.cjs', 'store-worker.js', 'import-thread.js']) {
      expect(files).toContain(`/out/hosts/electron/${path}`);
    }
    expect(files).toContain('/out/renderer/index.html');
    const top = new Set(files.map((file) => file.split('/')[1]));
    expect([...top].sort()).toEqual(['node_modules', 'out', 'package.json']);
    expect(files.filter((file) => /\.(ts|svelte|map|stamp)$/.test(file))).toEqual([]);
  });

  it('leaves out what packages carry for those who work on them, and keeps their licences', () => {
    const extra =
      /\/\.|\/(test|tests|bench|benchmark|examples|docs)(\/|\.)|\/(Makefile|History\.md)$|\.(sh|html|rb|yml)$/i;
    expect(files.filter((file) => file.startsWith('/node_modules/') && extra.test(file))).toEqual([]);
    expect(files).toContain('/node_modules/drachtio-srf/LICENSE');
    expect(files).toContain('/node_modules/ms/license.md');
  });

  it('says how large it is, whole, its own part, and each package', () => {
    const listed = [...said.matchAll(/^ *(\d+\.\d) MB {2}(\S+)$/gm)].map(([, size, name]) => ({
      size,
      name,
    }));
    const names = listed.map(({ name }) => name);
    const program = basename(unpacked);
    expect(names.slice(0, 3)).toEqual([
      program,
      `${program}/resources/app.asar`,
      `${program}/resources/app.asar.unpacked`,
    ]);
    expect(names.slice(3)).toEqual(formats.map((format) => basename(packageFile(format, '0.1.0'))).sort());
    const archive = statSync(join(unpacked, 'resources/app.asar')).size;
    expect(listed[1]?.size).toBe((archive / 1e6).toFixed(1));
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

  describe.skipIf(noDeb !== undefined)('deb, by dpkg in an empty root (no chroot: DPKG_ROOT)', () => {
    let system: string;
    const dpkg = (...args: readonly string[]) =>
      run(
        'dpkg',
        [
          ...[`--root=${system}`, `--log=${join(folder, 'dpkg.log')}`, '--force-script-chrootless'],
          ...['--force-depends', '--force-not-root', '--force-bad-path'],
          ...args,
        ],
        {
          env: { ...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`, LC_ALL: 'C' },
        },
      );
    const deb = (version: string) => packageFile('deb', version);

    it(
      'is installed, started, upgraded and removed; policy and profile stay',
      { timeout: STARTS_MS },
      async () => {
        system = join(folder, 'debian');
        for (const name of ['info', 'updates', 'triggers']) {
          await mkdir(join(system, 'var/lib/dpkg', name), { recursive: true });
        }
        await writeFile(join(system, 'var/lib/dpkg/status'), '');

        await dpkg('--install', deb('0.1.0'));
        const first = filesOf(system);
        expect(first).toEqual(expect.arrayContaining(INSTALLED));
        expect((await stat(join(system, 'etc/parley'))).isDirectory()).toBe(true);
        expect((await stat(join(system, 'usr/bin/parley'))).mode & 0o7777).toBe(0o755);
        expect((await stat(join(system, 'opt/Parley/chrome-sandbox'))).mode & 0o7777).toBe(SANDBOX_MODE);
        const profile = await readFile(join(system, 'etc/apparmor.d/parley'), 'utf8');
        expect(profile).toMatch(/profile "parley" "\/opt\/Parley\/parley" flags=\(unconfined\)[^}]*userns,/);
        expect((await dpkg('--verify', 'parley')).stdout).toBe('');

        await writeTheirs(system);
        await useIt(system);
        await dpkg('--install', deb('0.2.0'));
        expect((await dpkg('--status', 'parley')).stdout).toContain('Version: 0.2.0\n');
        const second = filesOf(system);
        expect(second).toEqual(
          expect.arrayContaining([...PROGRAM, 'opt/Parley/version.txt', 'etc/apparmor.d/parley']),
        );
        expect(INSTALLED.filter((path) => second.includes(path))).toEqual(PROGRAM);
        expect((await stat(join(system, 'opt/Parley/chrome-sandbox'))).mode & 0o7777).toBe(SANDBOX_MODE);
        await expectTheirs(system);
        await expectItGoesOn(system);

        const left = userFiles(system);
        await dpkg('--purge', 'parley');
        expect(filesOf(system)).toEqual(left);
        expect(readdirSync(system).sort()).toEqual(['etc', 'home', 'var']);
        await expectTheirs(system);
      },
    );

    it('tells the desktop which links and files it opens, and the system what it needs', async () => {
      const { stdout } = await run('sh', [
        '-c',
        'dpkg-deb --fsys-tarfile "$0" | tar -xO ./usr/share/applications/parley.desktop',
        deb('0.1.0'),
      ]);
      expect(stdout).toContain('\nExec=/opt/Parley/parley %U\n');
      expect(stdout).toContain('\nIcon=parley\n');
      expect(stdout).toContain(
        '\nMimeType=application/vnd.parley.archive;x-scheme-handler/sip;x-scheme-handler/sips;x-scheme-handler/im;\n',
      );
      const mime = await run('sh', [
        '-c',
        'dpkg-deb --fsys-tarfile "$0" | tar -xO ./usr/share/mime/packages/parley.xml',
        deb('0.1.0'),
      ]);
      expect(mime.stdout).toMatch(
        /<mime-type type="application\/vnd\.parley\.archive">[^]*<glob pattern="\*\.parley"/,
      );
      const field = async (name: string) =>
        (await run('dpkg-deb', ['--field', deb('0.1.0'), name])).stdout.trim();
      expect(await field('Architecture')).toBe(DEB_ARCH);
      expect(await field('Homepage')).toBe('');
      expect((await field('Depends')).split(', ')).toEqual(
        expect.arrayContaining(['libgtk-3-0', 'libnss3', 'libgbm1', 'libasound2']),
      );
    });
  });

  describe.skipIf(noRpm !== undefined)('rpm, by rpm in an empty root (without its scripts)', () => {
    it(
      'is installed, started, upgraded and removed; policy and profile stay',
      { timeout: STARTS_MS },
      async () => {
        const system = join(folder, 'fedora');
        await mkdir(system);
        const rpm = (...args: readonly string[]) =>
          run('rpm', ['--root', system, '--dbpath', '/var/lib/rpm', ...args]);
        const install = ['--nodeps', '--noscripts', '--nosignature'];
        const file = (version: string) => packageFile('rpm', version);

        await rpm('--install', ...install, file('0.1.0'));
        expect(filesOf(system)).toEqual(expect.arrayContaining(INSTALLED));
        expect((await stat(join(system, 'etc/parley'))).isDirectory()).toBe(true);

        await writeTheirs(system);
        await useIt(system);
        await rpm('--upgrade', ...install, file('0.2.0'));
        expect((await rpm('--query', 'parley')).stdout.trim()).toBe(`parley-0.2.0-1.${RPM_ARCH}`);
        expect(filesOf(system)).toEqual(expect.arrayContaining([...PROGRAM, 'opt/Parley/version.txt']));
        expect(existsSync(join(system, 'opt/Parley/version'))).toBe(false);
        await expectItGoesOn(system);

        const left = userFiles(system);
        await rpm('--erase', '--noscripts', '--nodeps', 'parley');
        expect(filesOf(system)).toEqual(left);
        await expectTheirs(system);
      },
    );

    it('takes the AppArmor profile away with the last version only', async () => {
      const file = packageFile('rpm', '0.1.0');
      const { stdout } = await run('rpm', ['--query', '--nosignature', '--qf', '%{POSTUN}', '-p', file]);
      const system = join(folder, 'profile');
      const profile = join(system, 'etc/apparmor.d/parley');
      await mkdir(join(profile, '..'), { recursive: true });
      await writeFile(profile, '');
      const postun = (left: string) =>
        run('sh', ['-c', stdout, 'postun', left], { env: { ...process.env, DPKG_ROOT: system } });
      await postun('1');
      expect(existsSync(profile)).toBe(true);
      await postun('0');
      expect(existsSync(profile)).toBe(false);
    });
  });

  it('refuses what it would have to leave out', async () => {
    const refused = (...args: readonly string[]) =>
      run(process.execPath, [fpm, ...args]).then(
        () => 'accepted',
        (error: unknown) => (error as { stderr: string }).stderr.trim(),
      );
    expect(await refused('-s', 'dir', '-t', 'deb', '--config-files', '/etc/x')).toBe(
      'The option --config-files is not known here.',
    );
    expect(await refused('-t', 'deb', 'out/=/opt/../etc')).toBe(
      '"/opt/../etc" is not a plain absolute path.',
    );
  });
});
