/**
 * Owns: `npm run package`: builds, then packs what electron-builder.yml names. Arguments go to electron-builder.
 * Called by: package.json. Calls: setup.mjs, electron-builder, which calls linux-package/fpm.mjs for deb and rpm.
 *
 * Without a network: PARLEY_ELECTRON_DIST names a folder with an unpacked Electron.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fail } from './progress.mjs';
import { toolScript } from './run.mjs';
import { environmentFor, ROOT, setUp } from './setup.mjs';

/** electron-builder would fetch fpm; ours makes the same package with a network and without. */
const FPM = join(ROOT, 'build', 'linux-package', 'fpm.mjs');

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
  const ours = process.platform === 'linux' ? { CUSTOM_FPM_PATH: FPM } : {};
  const env = { ...ours, ...environmentFor(node) };
  const { status } = spawnSync(node, args, { cwd: ROOT, env, stdio: 'inherit' });
  process.exitCode = status ?? 1;
} catch (error) {
  fail(error);
}
