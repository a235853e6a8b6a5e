import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readOptions } from '../../main/hosts/electron/options.ts';
import { OpenedLink } from '../../main/messenger/opened-link.ts';
import { Registry, runNsis } from '../support/nsis-registry.ts';

const root = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);
const read = (path: string) => readFile(join(root, path), 'utf8');
const builder = parse(await read('electron-builder.yml')) as {
  nsis: { include: string };
  protocols: { schemes: string[] }[];
};
const { description } = JSON.parse(await read('package.json')) as { description: string };
const schemes = builder.protocols.flatMap((protocol) => protocol.schemes);
const INCLUDE = join(root, builder.nsis.include);

const cannotCompile =
  spawnSync('makensis', ['-VERSION']).error === undefined ? undefined : 'makensis (nsis) is not installed';
if (cannotCompile !== undefined) process.stdout.write(`Skipped: links on Windows, ${cannotCompile}.\n`);

describe('links on Windows', () => {
  it('are of the schemes that other systems give to the program, and that it takes', async () => {
    const include = await readFile(INCLUDE, 'utf8');
    const named = [...include.matchAll(/!insertmacro \$\{ACTION\} (\S+)/g)].map(([, scheme]) => scheme);
    expect(named).toEqual(schemes);
    for (const scheme of schemes) {
      const link = new OpenedLink({ publish: () => undefined });
      expect(link.receive(readOptions(['--', `${scheme}:ann@example.org`]).rest), scheme).toBe(true);
      expect(link.take()).toBe('ann@example.org');
    }
  });

  it('switch nothing on, whatever stands in them', () => {
    // As Windows parts `-- "%1"` with the link: sip:ann@example.org" --set a=b --hidden "--profile=C:\x
    const words = ['--', 'sip:ann@example.org', '--set', 'a=b', '--hidden', '--profile=C:\\x'];
    expect(readOptions(words)).toEqual({ ...readOptions([]), rest: words.slice(1) });
  });
});

describe.skipIf(cannotCompile !== undefined)('the installer for Windows, compiled', () => {
  const PLACE = { context: 'HKLM', folder: 'C:\\Program Files\\Parley' } as const;
  const OTHER = '"C:\\Phone\\phone.exe" "%1"';
  let folder: string;
  let install: string[];
  let uninstall: string[];
  let registry: Registry;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-nsis-'));
    const script = join(folder, 'installer.nsi');
    // As electron-builder does it: its own names are given after the include.
    await writeFile(
      script,
      `Unicode true
!include "${INCLUDE}"
!define APP_EXECUTABLE_FILENAME "Parley.exe"
!define APP_DESCRIPTION "${description}"
Name "Parley"
OutFile "${join(folder, 'installer.exe')}"
InstallDir "$TEMP\\Parley"
Section
WriteUninstaller "$INSTDIR\\uninstall.exe"
!insertmacro customInstall
SectionEnd
Section Uninstall
!insertmacro customUnInstall
SectionEnd
`,
    );
    // A warning is an error there.
    await run('makensis', ['-V2', '-WX', script]);
    const { stdout } = await run('makensis', ['-SAFEPPO', script]);
    const [first = '', second = ''] = stdout.split(/^Section(?: .*)?$/m).slice(1);
    const body = (text: string) => text.slice(0, text.indexOf('SectionEnd')).split('\n');
    install = body(first).filter((line) => !line.startsWith('WriteUninstaller'));
    uninstall = body(second);
  });
  beforeEach(() => {
    registry = new Registry();
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const commandOf = (scheme: string) => registry.read(`HKCR\\${scheme}\\shell\\open\\command`, '');

  it('is one', async () => {
    expect((await stat(join(folder, 'installer.exe'))).size).toBeGreaterThan(10_000);
  });

  it('writes what the documentation gives to administrators, and takes it all away', async () => {
    runNsis(install, registry, PLACE);
    expect(Object.fromEntries(registry.keys)).toEqual(await documented());
    runNsis(uninstall, registry, PLACE);
    expect(registry.keys.size).toBe(0);
  });

  it('writes for the user alone where it is installed for the user alone', () => {
    runNsis(install, registry, { ...PLACE, context: 'HKCU' });
    expect([...registry.keys.keys()].filter((key) => !key.startsWith('HKCU\\'))).toEqual([]);
    expect(commandOf('sip')).toBe('"C:\\Program Files\\Parley\\Parley.exe" -- "%1"');
    runNsis(uninstall, registry, { ...PLACE, context: 'HKCU' });
    expect(registry.keys.size).toBe(0);
  });

  it.each(['HKLM', 'HKCU'] as const)(
    'leaves a scheme to the program that has it (%s), and offers Parley',
    (whose) => {
      registry.write(`${whose}\\Software\\Classes\\sip\\shell\\open\\command`, '', OTHER);
      const before = new Map(registry.keys);
      for (const context of ['HKLM', 'HKCU'] as const) {
        runNsis(install, registry, { ...PLACE, context });
        expect(commandOf('sip')).toBe(OTHER);
        expect(registry.read(`${context}\\Software\\Parley\\Capabilities\\UrlAssociations`, 'sip')).toBe(
          'Parley.Link',
        );
        expect(commandOf('im')).toContain('Parley.exe');
        runNsis(uninstall, registry, { ...PLACE, context });
        expect(registry.keys).toEqual(before);
      }
    },
  );

  it('leaves a scheme that another program has taken since, and who else is registered', () => {
    registry.write('HKLM\\Software\\RegisteredApplications', 'Phone', 'Software\\Phone\\Capabilities');
    runNsis(install, registry, PLACE);
    registry.write('HKLM\\Software\\Classes\\sip\\shell\\open\\command', '', OTHER);
    runNsis(uninstall, registry, PLACE);
    expect(commandOf('sip')).toBe(OTHER);
    expect(commandOf('sips')).toBeUndefined();
    expect(registry.keys.get('HKLM\\Software\\RegisteredApplications')).toEqual({
      Phone: 'Software\\Phone\\Capabilities',
    });
  });
});

/** Keys and values of the `.reg` file in docs/packaging.md. */
async function documented(): Promise<Record<string, Record<string, string>>> {
  const [, text = ''] = /```reg\n([^`]*)```/.exec(await read('docs/packaging.md')) ?? [];
  const registry = new Registry();
  let key = '';
  for (const line of text.split('\n')) {
    key = /^\[HKEY_LOCAL_MACHINE(.*)\]$/.exec(line)?.[1] ?? key;
    const [, name, value] = /^(@|"[^"]*")=(".*")$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const plain = (quoted: string) => JSON.parse(quoted) as string;
    registry.write(`HKLM${key}`, name === '@' ? '' : plain(name), plain(value));
  }
  return Object.fromEntries(registry.keys);
}
