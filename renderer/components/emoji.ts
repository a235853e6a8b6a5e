/** Owns: the emoji that the picker offers, in groups. Called by: EmojiPicker.svelte. Calls: nothing. */

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
