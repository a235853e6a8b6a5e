/**
 * Owns: `npm run build`: the window and the desktop program in out/. Called by: package.json. Calls: setup.mjs.
 */
import { fail } from './progress.mjs';
import { setUp } from './setup.mjs';

try {
  await setUp({ builds: ['renderer', 'main'] });
} catch (error) {
  fail(error);
}
