/** Owns: the members of a group that fit what is typed behind an `@`. Called by: the composer. Calls: shared/mentions.ts. */
import type { GroupMember } from '../../shared/domain/group.ts';
import { fold } from '../../shared/fold.ts';
import { toRoomNames, typedMention } from '../../shared/mentions.ts';
import { Suggestions } from './suggestions.svelte.ts';

/** A word of one of the names, or the address, begins so. */
function fits({ name, roomName = '', address }: GroupMember, typed: string): boolean {
  return [name, roomName, address].some(
    (text) => fold(text).startsWith(typed) || text.split(/\s+/).some((word) => fold(word).startsWith(typed)),
  );
}

/** `all`: whoever can be named. */
export function mentionSuggestions(all: () => readonly GroupMember[]): Suggestions<GroupMember> {
  return new Suggestions({
    typed: typedMention,
    find: (typed) => all().filter((member) => fits(member, fold(typed))),
    keyOf: ({ address }) => address,
    textOf: ({ name, roomName = name }) => {
      // The name under which our user knows him, unless it could be another one's.
      const isHis = toRoomNames(`@${name}`, all()) === `@${roomName}`;
      return `@${isHis ? name : roomName} `;
    },
  });
}
