/** Owns: the emoji that our user has chosen last, kept with the settings. Called by: app, composer, picker. Calls: settings. */
import { isEmoji, maxRecentEmoji } from '../../shared/emoji.ts';
import type { SettingsState } from './settings.svelte.ts';

export class RecentEmoji {
  readonly #settings: SettingsState;
  /** The last one first. */
  readonly all = $derived.by<readonly string[]>(() =>
    (this.#settings.values?.['appearance.recentEmoji'] ?? []).filter(isEmoji),
  );

  constructor(settings: SettingsState) {
    this.#settings = settings;
  }

  /** It has been chosen. */
  receive(emoji: string): void {
    if (this.all[0] === emoji) return;
    const others = this.all.filter((each) => each !== emoji);
    void this.#settings.set('appearance.recentEmoji', [emoji, ...others].slice(0, maxRecentEmoji));
  }
}
