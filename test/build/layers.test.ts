import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toolScript } from '../../build/run.mjs';

const root = resolve(import.meta.dirname, '../..');

/** One forbidden import each: the file, what is in it, the rule that has to bite. */
const BREACHES: readonly (readonly [string, string, string])[] = [
  ['shared/a.ts', "import { x } from '../main/base/x.ts'; x;", 'layer-shared'],
  ['shared/b.ts', "import 'node:fs';", 'shared-runs-anywhere'],
  ['shared/c.ts', "import 'ws';", 'shared-packages'],
  ['main/base/a.ts', "import { x } from '../msrp/x.ts'; x;", 'layer-main-base'],
  ['main/msrp/a.ts', "import { x } from '../sip/x.ts'; x;", 'layer-main-msrp'],
  ['main/store/a.ts', "import { x } from '../messenger/x.ts'; x;", 'layer-main-store'],
  ['main/imserver/a.ts', "import { x } from '../messenger/x.ts'; x;", 'layer-main-imserver'],
  ['main/messenger/a.ts', "import { x } from '../imserver/x.ts'; x;", 'layer-main-messenger'],
  [
    'main/messenger/b.ts',
    "import type { x } from '../hosts/x.ts'; export type Y = x;",
    'layer-main-messenger',
  ],
  ['main/sip/agent/a.ts', "import { x } from '../engine/x.ts'; x;", 'agent-and-engine-apart'],
  ['main/hosts/a.ts', "import { x } from '../../renderer/x.ts'; x;", 'layer-main'],
  ['main/hosts/b.ts', "import { app } from 'electron'; app;", 'package-electron'],
  [
    'main/store/b.ts',
    "import Database from 'better-sqlite3-multiple-ciphers'; Database;",
    'package-better-sqlite3-multiple-ciphers',
  ],
  ['main/sip/agent/b.ts', "import Srf from 'drachtio-srf'; Srf;", 'package-drachtio-srf'],
  ['main/messenger/c.ts', "import net from 'node:net'; net;", 'sockets-in-their-files'],
  ['main/messenger/d.ts', "import dgram from 'node:dgram'; dgram;", 'sockets-in-their-files'],
  ['renderer/components/a.ts', "import { x } from '../state/x.ts'; x;", 'layer-renderer-components'],
  [
    'renderer/components/B.svelte',
    '<script lang="ts">import { x } from \'../state/x.ts\'; x;</script>',
    'layer-renderer-components',
  ],
  ['renderer/state/a.ts', "import { x } from '../views/x.ts'; x;", 'layer-renderer-state'],
  ['renderer/views/a.ts', "import 'node:fs';", 'shared-runs-anywhere'],
  ['main/base/b.ts', "import { c } from './c.ts'; export const b = () => c;", 'no-cycles'],
];

const ALLOWED: readonly (readonly [string, string])[] = [
  ['main/hosts/electron/ok.ts', "import { app } from 'electron'; app;"],
  ['main/store/database.ts', "import Database from 'better-sqlite3-multiple-ciphers'; Database;"],
  ['main/messenger/ok.ts', "import type { Socket } from 'node:net'; export type S = Socket;"],
  ['main/sip/engine/transport.ts', "import net from 'node:net'; net;"],
  ['renderer/state/ok.ts', "import { x } from '../api/x.ts'; x;"],
];

/** The other half of a cycle: it is reported once. */
const CYCLE: readonly [string, string] = [
  'main/base/c.ts',
  "import { b } from './b.ts'; export const c = () => b;",
];

const TARGETS = [
  'main/base',
  'main/msrp',
  'main/sip',
  'main/sip/engine',
  'main/messenger',
  'main/imserver',
  'main/hosts',
  'renderer',
  'renderer/state',
  'renderer/views',
  'renderer/api',
].map((folder): readonly [string, string] => [
  `${folder}/x.ts`,
  'export const x = 1; export type x = number;',
]);

describe('the layer rules', () => {
  let folder: string;
  let violations: { from: string; rule: { name: string } }[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-layers-'));
    for (const [path, source] of [...BREACHES, ...ALLOWED, ...TARGETS, CYCLE]) {
      await mkdir(join(folder, dirname(path)), { recursive: true });
      await writeFile(join(folder, path), source);
    }
    for (const name of ['node_modules', 'build', 'package.json', 'tsconfig.base.json']) {
      await symlink(join(root, name), join(folder, name));
    }
    const output = await new Promise<string>((done) => {
      const args = [
        toolScript('dependency-cruiser:depcruise'),
        '--config',
        'build/layers.cjs',
        '--output-type',
        'json',
        'main',
        'shared',
        'renderer',
      ];
      execFile(process.execPath, args, { cwd: folder, maxBuffer: 1 << 24 }, (_error, stdout) => done(stdout));
    });
    const report = JSON.parse(output) as { summary: { violations: typeof violations } };
    violations = report.summary.violations;
  }, 60_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(BREACHES)('reports %s: %s', (path, _source, rule) => {
    const names = violations.filter(({ from }) => from === path).map(({ rule: { name } }) => name);
    expect(names).toContain(rule);
  });

  it.each(ALLOWED)('allows %s: %s', (path) => {
    expect(violations.filter(({ from }) => from === path)).toEqual([]);
  });
});
