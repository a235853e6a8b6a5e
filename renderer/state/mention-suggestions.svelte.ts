/**
 * Owns: the members of a group that fit what is typed behind an `@`, and which of them is chosen.
 * Called by: the composer. Calls: shared/mentions.ts.
 */
import type { GroupMember } from '../../shared/domain/group.ts';
import { toRoomNames, typedMention } from '../../shared/mentions.ts';

const shownAtOnce = 6;

function fold(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLocaleLowerCase();
}

/** A word of one of the names, or the address, begins so. */
function fits({ name, roomName = '', address }: GroupMember, typed: string): boolean {
  return [name, roomName, address].some(
    (text) => fold(text).startsWith(typed) || text.split(/\s+/).some((word) => fold(word).startsWith(typed)),
  );
}

export class MentionSuggestions {
  readonly #all: () => readonly GroupMember[];
  /** Null: nobody is being named. */
  #typed = $state<string | null>(null);
  /** Who comes and goes meanwhile does not change who is chosen. */
  #chosen = $state<string | null>(null);
  /** Empty: nothing is offered. */
  readonly members = $derived.by<readonly GroupMember[]>(() => {
    const typed = this.#typed;
    if (typed === null) return [];
    return this.#all()
      .filter((member) => fits(member, fold(typed)))
      .slice(0, shownAtOnce);
  });
  readonly place = $derived(
    Math.max(
      0,
      this.members.findIndex(({ address }) => address === this.#chosen),
    ),
  );

  /** `all`: whoever can be named, read again whenever that changes. */
  constructor(all: () => readonly GroupMember[]) {
    this.#all = all;
  }

  /** `before`: the text in front of the caret. */
  update(before: string): void {
    this.#typed = typedMention(before);
    this.#chosen = this.members[0]?.address ?? null;
  }

  close(): void {
    this.#typed = null;
  }

  move(step: 1 | -1): void {
    const count = this.members.length;
    this.#chosen = this.members[(this.place + step + count) % count]?.address ?? null;
  }

  /** What takes the place of the last characters in front of the caret, and how many these are. */
  take(member: GroupMember): { readonly text: string; readonly instead: number } {
    const instead = (this.#typed?.length ?? 0) + 1;
    this.close();
    const { name, roomName = name } = member;
    // The name under which our user knows him, unless it could be another one's.
    const isHis = toRoomNames(`@${name}`, this.#all()) === `@${roomName}`;
    return { text: `@${isHis ? name : roomName} `, instead };
  }
}
