/** Owns: what one line of a menu is. Called by: Menu.svelte, the menus of views. Calls: nothing. */
import type { IconName } from './icons.ts';

export interface MenuItem {
  /** Another one in each line. */
  readonly icon: IconName;
  readonly text: string;
  /** It cannot be undone: it is asked about, with these words, before it runs. */
  readonly ask?: string;
  readonly run: () => void;
}
