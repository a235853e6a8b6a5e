import { describe, expect, it } from 'vitest';
import { emojiGroupNames, emojiOf, findEmoji } from '../../../shared/emoji.ts';
import { loadEmojiNames } from '../../../renderer/i18n/emoji-names.ts';
import { languageNames, type Language } from '../../../renderer/i18n/locale.svelte.ts';

const offered = emojiGroupNames.flatMap(emojiOf);

describe('names of emoji', () => {
  it.each(Object.keys(languageNames) as Language[])('%s: each that is offered has one', async (language) => {
    const names = await loadEmojiNames(language);
    expect(offered.filter((emoji) => (names.get(emoji)?.[0] ?? '') === '')).toEqual([]);
    expect([...names.keys()].filter((emoji) => !offered.includes(emoji))).toEqual([]);
  });

  it('find it: whose name begins so first, then whose words do, then what has it inside', async () => {
    const names = await loadEmojiNames('en');
    const found = findEmoji(names, 'sun');
    const nameOf = (emoji: string | undefined): string => names.get(emoji ?? '')?.[0] ?? '';
    expect(nameOf(found[0])).toMatch(/^sun/);
    expect(found.map(nameOf)).toContain('smiling face with sunglasses');
    expect(findEmoji(names, ' ')).toEqual([]);
    // Before a smiling face with heart-eyes.
    expect(findEmoji(names, 'heart')[0]).toBe('❤️');
  });

  it('find it by letters without their marks, in either case', async () => {
    const names = await loadEmojiNames('de');
    expect(findEmoji(names, 'GEBURTSTAG')).toContain('🎂');
    expect(findEmoji(names, 'bar')).toEqual(findEmoji(names, 'bär'));
  });
});
