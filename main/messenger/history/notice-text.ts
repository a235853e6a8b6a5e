/**
 * Owns: what has happened in a group, in words of an export. Called by: export-page.ts. Calls: nothing.
 */
import type { GroupNotice } from '../../../shared/domain/group.ts';

/** One sentence, in English as everything that an export says by itself. */
export function noticeText({ kind, by, who, title }: GroupNotice): string {
  const actor = by?.name ?? 'Somebody';
  const person = who?.name ?? 'somebody';
  const sentences: Record<GroupNotice['kind'], string> = {
    invited: `${actor} invited ${person}.`,
    joined: `${person} joined.`,
    left: `${person} left.`,
    declined: `${person} declined the invitation.`,
    removed: `${actor} removed ${person}.`,
    owner: `${person} is the owner now.`,
    renamed: `${actor} called the group "${title ?? ''}".`,
    ended: 'The group has ended.',
  };
  return sentences[kind];
}
