/**
 * Owns: `npm run package`: builds, then packs what electron-builder.yml names. Arguments go to electron-builder.
 * Called by: package.json. Calls: setup.mjs, electron-builder.
 *
 * Without a network: PARLEY_ELECTRON_DIST names a folder with an unpacked Electron.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fail } from './progress.mjs';
import { toolScript } from './run.mjs';
import { environmentFor, ROOT, setUp } from './setup.mjs';

try {
  const node = await setUp({ builds: ['renderer', 'main'] });
  const dist = process.env['PARLEY_ELECTRON_DIST'];
  const args = [
    toolScript('electron-builder'),
    '--config',
    join(ROOT, 'electron-builder.yml'),
    '--publish',
    'never',
    ...(dist === undefined ? [] : [`--config.electronDist=${dist}`]),
    ...process.argv.slice(2),
  ];
  const { status } = spawnSync(node, args, { cwd: ROOT, env: environmentFor(node), stdio: 'inherit' });
  process.exitCode = status ?? 1;
} catch (error) {
  fail(error);
}
