/**
 * Owns: the emoji that are offered, in groups, and finding them by their names.
 * Called by: EmojiPicker.svelte, emoji-suggestions.svelte.ts, recent-emoji.svelte.ts, settings.ts, emoji-names.ts. Calls: fold.ts.
 */
import { fold } from './fold.ts';

/** Each of one colour of skin and of Unicode 12 at most, so that the fonts of all systems have it. */
export const emojiGroups = {
  faces:
    '😀 😃 😄 😁 😅 😂 🤣 😊 🙂 🙃 😉 😍 🥰 😘 😋 😜 🤪 🤗 🤭 🤔 🤐 😐 😏 😒 🙄 😬 😌 😔 😴 😷 🤒 🤯 🥳 😎 🤓 😕 😟 🙁 😮 😳 🥺 😢 😭 😱 😤 😠 🤬 😈 💀 🤡 👻 👽 🤖',
  people:
    '👍 👎 👌 ✌️ 🤞 🤘 👈 👉 👆 👇 ✋ 👋 👏 🙌 🤝 🙏 💪 👀 🧠 👶 👧 👦 👩 👨 👵 👴 🙋 🤷 🤦 🙅 🙆 💁 👮 👷 🕵️ 🏃 🚶 💃 🕺 👪 💑',
  nature:
    '🐶 🐱 🐭 🐰 🦊 🐻 🐼 🐨 🦁 🐮 🐷 🐸 🐵 🐔 🐧 🦉 🐝 🦋 🐢 🐍 🐟 🐬 🐳 🌵 🌲 🌳 🌴 🍀 🍁 🌷 🌹 🌻 🌙 ⭐ 🌈 ☀️ ⛅ ☔ ❄️ 🔥 💧 🌍',
  food: '🍏 🍊 🍋 🍌 🍉 🍇 🍓 🍒 🍑 🍍 🥑 🍅 🥕 🌽 🍞 🧀 🍳 🥞 🥗 🍕 🍔 🍟 🌮 🍣 🍜 🍚 🍰 🎂 🍫 🍿 🍩 ☕ 🍵 🍺 🍷 🥂',
  things:
    '⚽ 🏀 🎾 🎮 🎲 🎵 🎸 🎨 🚗 🚌 🚲 ✈️ 🚀 ⛵ 🏠 🏢 🏥 🏖️ ⛰️ ⌚ 📱 💻 🖨️ 📷 💡 🔋 📚 ✏️ 📎 📅 📈 📌 ✂️ 🔒 🔑 🔨 🧰 💊 🎁 🎈 🎉 💰 ✉️ 📦',
  signs:
    '❤️ 🧡 💛 💚 💙 💜 🖤 💔 💯 ✅ ❌ ❓ ❗ ⚠️ 🚫 ♻️ ➕ ➖ ➡️ ⬅️ ⬆️ ⬇️ 🔁 🔔 🔕 💬 💤 ⏰ ⏳ 🆗 🆕 🔝 🔴 🟢 🔵 🏁',
} as const;

export type EmojiGroup = keyof typeof emojiGroups;
export const emojiGroupNames = Object.keys(emojiGroups) as EmojiGroup[];

export function emojiOf(group: EmojiGroup): string[] {
  return emojiGroups[group].split(' ');
}

/** As many of those that were chosen last are kept: two rows. */
export const maxRecentEmoji = 16;

const known = new Set(emojiGroupNames.flatMap(emojiOf));

/** Is it one of those that are offered? */
export function isEmoji(sign: string): boolean {
  return known.has(sign);
}

/** Of each emoji its name, then other words for it, in one language. */
export type EmojiNames = ReadonlyMap<string, readonly string[]>;

/** How well words fit what is typed: 0: the name begins so; 1: a word of it; 2: another word for it; 3: inside of one. */
function rank(words: readonly string[], typed: string): number {
  const [name = '', ...others] = words.map(fold);
  if (name.startsWith(typed)) return 0;
  if (name.split(/[\s-]+/).some((word) => word.startsWith(typed))) return 1;
  if (others.some((word) => word.startsWith(typed))) return 2;
  return [name, ...others].some((word) => word.includes(typed)) ? 3 : Infinity;
}

/** Those whose name, or another word for them, has what is typed in it; the best first, of these the shortest names. */
export function findEmoji(names: EmojiNames, text: string): string[] {
  const typed = fold(text.trim().replace(/[_:]+/g, ' ').trim());
  if (typed === '') return [];
  return [...names]
    .map(([emoji, words]) => ({ emoji, rank: rank(words, typed), length: words[0]?.length ?? 0 }))
    .filter((found) => found.rank < Infinity)
    .sort((one, other) => one.rank - other.rank || one.length - other.length)
    .map(({ emoji }) => emoji);
}

/** The letters of a name that is being typed behind a colon, at the end of `before`, the text in front of the caret. */
export function typedEmoji(before: string): string | null {
  const match = /(?:^|[\s([{])(:[\p{L}\p{M}\p{N}_]{2,30})$/u.exec(before);
  return match?.[1]?.slice(1) ?? null;
}
