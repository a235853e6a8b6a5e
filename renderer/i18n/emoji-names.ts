/** Owns: the names of emoji in each language, loaded when they are wanted. Called by: views. Calls: emoji/. */
import type { EmojiNames } from '../../shared/emoji.ts';
import type { Language } from './locale.svelte.ts';

const files: Readonly<Record<Language, () => Promise<{ readonly names: Readonly<Record<string, string>> }>>> =
  {
    en: () => import('./emoji/en.ts'),
    de: () => import('./emoji/de.ts'),
    zh: () => import('./emoji/zh.ts'),
    ar: () => import('./emoji/ar.ts'),
  };

const loaded = new Map<Language, Promise<EmojiNames>>();

async function read(language: Language): Promise<EmojiNames> {
  const { names } = await files[language]();
  return new Map(Object.entries(names).map(([emoji, words]) => [emoji, words.split('|')]));
}

export function loadEmojiNames(language: Language): Promise<EmojiNames> {
  const known = loaded.get(language) ?? read(language);
  loaded.set(language, known);
  return known;
}
