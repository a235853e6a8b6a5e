/**
 * Owns: which nickname a member may have (RFC 7701 §7). Called by: rooms.ts. Calls: nothing.
 */

/** What a nickname must not look like: another member's names. */
export interface NamedMember {
  readonly user: string;
  readonly displayName: string;
  readonly nickname: string;
}

const CONTROLS = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Names that look alike are alike (RFC 8266 §2.3): width, case and spaces do not count. */
function keyOf(name: string): string {
  return name.normalize('NFKC').toLowerCase().replace(/\s+/gu, ' ').trim();
}

/**
 * 200, or why not: 424 malformed, 423 longer than `maxChars`, 425 taken: the nickname, the name or the user name of
 * somebody else in the room. Empty gives a nickname up.
 */
export function judgeNickname(
  nickname: string,
  user: string,
  members: Iterable<NamedMember>,
  maxChars: number,
): number {
  if (nickname === '') return 200;
  if (nickname.trim() !== nickname || CONTROLS.test(nickname)) return 424;
  const key = keyOf(nickname);
  if (key === '') return 424;
  if (Array.from(nickname).length > maxChars) return 423;
  for (const member of members) {
    if (member.user === user) continue;
    if ([member.nickname, member.displayName, member.user].some((name) => keyOf(name) === key)) return 425;
  }
  return 200;
}
