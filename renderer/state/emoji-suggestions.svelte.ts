/** Owns: the emoji that fit a name typed behind a colon. Called by: the composer. Calls: emoji.ts. */
import { findEmoji, typedEmoji, type EmojiNames } from '../../shared/emoji.ts';
import { Suggestions } from './suggestions.svelte.ts';

export interface NamedEmoji {
  readonly emoji: string;
  readonly name: string;
}

/** `load`: asked for the names when one is typed. */
export function emojiSuggestions(load: () => Promise<EmojiNames>): Suggestions<NamedEmoji> {
  let names = $state.raw<EmojiNames>(new Map());
  return new Suggestions({
    typed: (before) => {
      const typed = typedEmoji(before);
      if (typed !== null) void load().then((loaded) => (names = loaded));
      return typed;
    },
    find: (typed) => findEmoji(names, typed).map((emoji) => ({ emoji, name: names.get(emoji)?.[0] ?? '' })),
    keyOf: ({ emoji }) => emoji,
    textOf: ({ emoji }) => `${emoji} `,
  });
}
