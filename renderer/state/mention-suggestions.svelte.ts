/**
 * Owns: the members of a group that fit what is typed behind an `@`, and which of them is chosen.
 * Called by: the composer. Calls: shared/mentions.ts.
 */
import type { GroupMember } from '../../shared/domain/group.ts';
import { typedMention } from '../../shared/mentions.ts';

const shownAtOnce = 6;

function fold(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLocaleLowerCase();
}

/** A word of the name, or the address, begins so. */
function fits({ name, address }: GroupMember, typed: string): boolean {
  return (
    [address, ...name.split(/\s+/)].some((word) => fold(word).startsWith(typed)) ||
    fold(name).startsWith(typed)
  );
}

export class MentionSuggestions {
  /** Empty: nothing is offered. */
  members = $state.raw<readonly GroupMember[]>([]);
  place = $state(0);
  #typed = '';

  /** `before`: the text in front of the caret. */
  update(before: string, members: readonly GroupMember[]): void {
    const typed = typedMention(before);
    this.#typed = typed ?? '';
    this.place = 0;
    this.members =
      typed === null ? [] : members.filter((member) => fits(member, fold(typed))).slice(0, shownAtOnce);
  }

  close(): void {
    this.members = [];
  }

  move(step: 1 | -1): void {
    const count = this.members.length;
    this.place = (this.place + step + count) % count;
  }

  /** What takes the place of the last characters in front of the caret, and how many these are. */
  take(member: GroupMember): { readonly text: string; readonly instead: number } {
    const instead = this.#typed.length + 1;
    this.close();
    return { text: `@${member.name} `, instead };
  }
}
