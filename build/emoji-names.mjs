/**
 * Owns: the names of emoji in the languages of the window, out of Unicode's own (CLDR): what is found under a word.
 * Called by: hand, when emoji or languages are added. Calls: nothing; writes renderer/i18n/emoji.
 *
 * `node build/emoji-names.mjs FOLDER`: FOLDER is the unpacked npm package cldr-annotations-modern.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { emojiGroups } from '../shared/emoji.ts';

const LANGUAGES = ['en', 'de', 'zh', 'ar'];
const OUT = join(import.meta.dirname, '..', 'renderer', 'i18n', 'emoji');

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('Say where cldr-annotations-modern lies.');
mkdirSync(OUT, { recursive: true });
for (const language of LANGUAGES) {
  const file = join(folder, 'annotations', language, 'annotations.json');
  const { annotations } = JSON.parse(readFileSync(file, 'utf8')).annotations;
  const lines = Object.values(emojiGroups)
    .flatMap((group) => group.split(' '))
    .map((emoji) => {
      // There a sign has no mark for its colours.
      const { tts, default: words } = annotations[emoji] ?? annotations[emoji.replaceAll('\u{FE0F}', '')];
      const name = tts[0];
      const others = words.filter((/** @type {string} */ word) => word !== name);
      return `  '${emoji}': '${[name, ...others].join('|').replaceAll("'", '’')}',`;
    });
  const text = `/** Owns: names of emoji (${language}). Called by: emoji-names.ts. Made by build/emoji-names.mjs from CLDR, © Unicode, Inc., Unicode-3.0. */
export const names: Readonly<Record<string, string>> = {
${lines.join('\n')}
};
`;
  writeFileSync(join(OUT, `${language}.ts`), text);
}
