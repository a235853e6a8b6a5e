/**
 * Owns: every component of renderer/, and its states. Called by: page.ts, gallery.ts, the tests of the gallery.
 * Calls: entries/.
 */
import { fileEntries } from './entries/files.ts';
import { before } from './entries/opening.ts';
import { parts } from './entries/parts.ts';
import { people } from './entries/people.ts';
import { sharing } from './entries/sharing.ts';
import { settings } from './entries/settings.ts';
import { shell } from './entries/shell.ts';
import { thread } from './entries/thread.ts';
import { views } from './entries/window.ts';
import type { Entries } from './specimen.ts';

export const entries: Entries = {
  'App.svelte': views,
  ...parts,
  ...thread,
  ...fileEntries,
  ...people,
  ...sharing,
  ...shell,
  ...settings,
  ...before,
};

const rendererFolder = '../../renderer/';
const modules = import.meta.glob<{ readonly default: unknown }>('../../renderer/**/*.svelte', {
  eager: true,
});

/** Places of all components under renderer/, those without an entry as well. */
export const componentNames: readonly string[] = Object.keys(modules)
  .map((path) => path.slice(rendererFolder.length))
  .sort();

/** @throws when there is no such component. */
export function componentNamed(name: string): unknown {
  const found = modules[`${rendererFolder}${name}`];
  if (found === undefined) throw new Error(`there is no component ${name}`);
  return found.default;
}
