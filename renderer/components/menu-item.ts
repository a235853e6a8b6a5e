/** Owns: what one line of a menu is. Called by: Menu.svelte, the menus of views. Calls: nothing. */
import type { IconName } from './icons.ts';

export interface MenuItem {
  /** Another one in each line. */
  readonly icon: IconName;
  readonly text: string;
  readonly run: () => void;
}
