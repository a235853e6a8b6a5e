/** Owns: what is written in the emoji picker. Called by: Composer, MessageMenu. Calls: the locale, emoji-names.ts. */
import type { EmojiGroup, EmojiNames } from '../../../shared/emoji.ts';
import { loadEmojiNames } from '../../i18n/emoji-names.ts';
import type { Locale } from '../../i18n/locale.svelte.ts';

export interface EmojiWords {
  readonly title: string;
  readonly search: string;
  readonly none: string;
  readonly recent: string;
  readonly groups: Readonly<Record<EmojiGroup, string>>;
  readonly names: () => Promise<EmojiNames>;
}

export function emojiWords(locale: Locale): EmojiWords {
  return {
    title: locale.t('emoji.title'),
    search: locale.t('emoji.search'),
    none: locale.t('emoji.none'),
    recent: locale.t('emoji.recent'),
    groups: {
      faces: locale.t('emoji.faces'),
      people: locale.t('emoji.people'),
      nature: locale.t('emoji.nature'),
      food: locale.t('emoji.food'),
      things: locale.t('emoji.things'),
      signs: locale.t('emoji.signs'),
    },
    names: () => loadEmojiNames(locale.language),
  };
}
