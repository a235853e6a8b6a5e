/** Owns: the letters and the colour of an avatar. Called by: Avatar.svelte. Calls: nothing. */
const hues = 24;

/** A colour angle that stays with the address. */
export function avatarHue(address: string): number {
  let hash = 0x811c9dc5;
  for (const character of address.toLowerCase()) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((mixed >>> 16) % hues) * (360 / hues);
}

function firstLetter(word: string): string {
  return String.fromCodePoint(...[word.codePointAt(0)].filter((code) => code !== undefined));
}

/** First letters of the first and last word; one letter in scripts that do not know initials. */
export function avatarInitials(name: string): string {
  const words = name
    .trim()
    .split(/[\s._-]+/u)
    .filter((word) => /^[\p{L}\p{N}]/u.test(word));
  const first = firstLetter(words[0] ?? name.trim()) || '?';
  const last = words.length > 1 ? firstLetter(words.at(-1) ?? '') : '';
  const initials = /^[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}]$/u.test(first)
    ? first + last
    : first;
  return initials.toLocaleUpperCase();
}
