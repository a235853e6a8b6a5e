/** Owns: what the groups of the emoji picker are called. Called by: Composer, MessageMenu. Calls: the locale. */
import type { EmojiGroup } from '../../components/emoji.ts';
import type { Locale } from '../../i18n/locale.svelte.ts';

export function emojiGroupLabels(locale: Locale): Readonly<Record<EmojiGroup, string>> {
  return {
    faces: locale.t('emoji.faces'),
    people: locale.t('emoji.people'),
    nature: locale.t('emoji.nature'),
    food: locale.t('emoji.food'),
    things: locale.t('emoji.things'),
    signs: locale.t('emoji.signs'),
  };
}
