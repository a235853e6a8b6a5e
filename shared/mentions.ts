/**
 * Owns: who is named in a text of a group: `@` and a member's name, as it is written and read everywhere.
 * Called by: renderer/views/thread, renderer/state, main/messenger/announcements.ts. Calls: nothing.
 */

import type { GroupMember } from './domain/group.ts';

/** A piece of a text; `name`: the member whose mention it is, null: other text. Together the pieces are the text. */
export interface MentionPart {
  readonly text: string;
  readonly name: string | null;
}

/** How a member may be named: as others read his name, as he calls himself there, by the user of his address. */
export function memberNames({ name, roomName = name, nickname, address }: NamedMember): string[] {
  return [roomName, nickname, address.slice(0, address.lastIndexOf('@'))].filter((one) => one !== '');
}

/** All the ways in which our user may be named there. */
export function ownNames(members: readonly GroupMember[], isOurs: (address: string) => boolean): string[] {
  return members.filter(({ address }) => isOurs(address)).flatMap(memberNames);
}

/** A text of others as our user reads it: whoever is named in it has the name under which he knows him. */
export function toOwnNames(text: string, members: readonly NamedMember[]): string {
  if (members.every(({ roomName }) => roomName === undefined)) return text;
  return mentionParts(text, members.flatMap(memberNames))
    .map((part) => ownMention(part, members))
    .join('');
}

/** The text of a piece with the name that our user has for whom it names, when that is one only. */
export function ownMention({ text, name }: MentionPart, members: readonly NamedMember[]): string {
  if (name === null) return text;
  const [member, another] = membersNamed(name, members, memberNames);
  return member?.roomName === undefined || another !== undefined ? text : `@${member.name}`;
}

/** A text of our user as the others read it: they know nothing of the names that he has for them. */
export function toRoomNames(text: string, members: readonly NamedMember[]): string {
  if (members.every(({ roomName }) => roomName === undefined)) return text;
  const namesOf = (member: NamedMember): string[] => [member.name, ...memberNames(member)];
  return mentionParts(text, members.flatMap(namesOf))
    .map(({ text: piece, name }) => {
      const [member, another] = name === null ? [] : membersNamed(name, members, namesOf);
      if (member?.roomName === undefined || another !== undefined || !isSame(member.name, name ?? ''))
        return piece;
      return `@${member.roomName}`;
    })
    .join('');
}

type NamedMember = Pick<GroupMember, 'name' | 'roomName' | 'nickname' | 'address'>;

function membersNamed(
  name: string,
  members: readonly NamedMember[],
  namesOf: (member: NamedMember) => string[],
): NamedMember[] {
  return members.filter((member) => namesOf(member).some((one) => isSame(one, name)));
}

function isSame(a: string, b: string): boolean {
  return a.toLocaleLowerCase() === b.toLocaleLowerCase();
}

const WORD = /[\p{L}\p{N}_]/u;

/** The mentions of these names in a text. Where one name begins another one, the longer one counts. */
export function mentionParts(text: string, names: readonly string[]): MentionPart[] {
  if (names.length === 0 || !text.includes('@')) return [{ text, name: null }];
  const longestFirst = [...new Set(names)].filter((name) => name !== '').sort((a, b) => b.length - a.length);
  const parts: MentionPart[] = [];
  let from = 0;
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    // An address has something in front of its sign.
    if (at > 0 && WORD.test(text.charAt(at - 1))) continue;
    const name = longestFirst.find((one) => isNamed(text, at + 1, one));
    if (name === undefined) continue;
    if (at > from) parts.push({ text: text.slice(from, at), name: null });
    from = at + 1 + name.length;
    parts.push({ text: text.slice(at, from), name });
    at = from - 1;
  }
  if (from < text.length) parts.push({ text: text.slice(from), name: null });
  return parts;
}

/** Whether one of these names is mentioned. */
export function isMentioned(text: string, names: readonly string[]): boolean {
  return mentionParts(text, names).some(({ name }) => name !== null);
}

function isNamed(text: string, at: number, name: string): boolean {
  const end = at + name.length;
  if (text.slice(at, end).toLocaleLowerCase() !== name.toLocaleLowerCase()) return false;
  return end >= text.length || !WORD.test(text.charAt(end));
}

/** What is being typed at the end of `before`, the text in front of the caret: the letters behind an `@`; null: no mention. */
export function typedMention(before: string): string | null {
  const match = /(?:^|[\s([{])@([^\s@]{0,40})$/u.exec(before);
  return match?.[1] ?? null;
}
