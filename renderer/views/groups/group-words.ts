/** Owns: what has happened in a group, and what did not work there, in words. Called by: thread, list, group views. Calls: i18n. */
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { GroupMember, GroupNotice, GroupPerson } from '../../../shared/domain/group.ts';
import { CallError, type ErrorCode } from '../../../shared/ipc/error-codes.ts';
import type { MessageKey } from '../../i18n/catalogue.ts';
import type { Locale } from '../../i18n/locale.svelte.ts';

/** `isOurs`: our user is the person with this address, who is not told of himself by name. */
export function noticeWords(
  { kind, by: actor, who: person, title }: GroupNotice,
  locale: Locale,
  isOurs: (address: string) => boolean,
): string {
  const [byUs, aboutUs] = [actor, person].map((one) => one !== null && isOurs(one.address));
  const [by, who] = [actor?.name ?? '', person?.name ?? ''];
  switch (kind) {
    case 'invited':
    case 'removed':
      if (actor === null) return locale.t('group.notice.removedYou');
      if (byUs === true) return locale.t(`group.notice.${kind}ByYou`, { who });
      return aboutUs === true
        ? locale.t(`group.notice.${kind}YouBy`, { by })
        : locale.t(`group.notice.${kind}`, { by, who });
    case 'renamed':
      return byUs === true
        ? locale.t('group.notice.renamedByYou', { title: title ?? '' })
        : locale.t('group.notice.renamed', { by, title: title ?? '' });
    case 'ended':
      return locale.t('group.notice.ended');
    case 'joined':
    case 'left':
    case 'declined':
    case 'owner':
      return aboutUs === true
        ? locale.t(`group.notice.${kind}You`)
        : locale.t(`group.notice.${kind}`, { who });
  }
}

/** Who types, with the names that the thread has for them; somebody does. */
export function typingWords(
  { kind, peerName }: Conversation,
  people: readonly GroupPerson[],
  locale: Locale,
): string {
  const [first, second] = people.map(({ name }) => name);
  if (kind !== 'group') return locale.t('thread.typing', { name: peerName });
  if (second === undefined) return locale.t('thread.typing', { name: first ?? '' });
  if (people.length > 2) return locale.t('group.typingSeveral');
  return locale.t('group.typingTwo', { first: first ?? '', second });
}

export function memberState({ state }: GroupMember, locale: Locale): string {
  return locale.t(state === 'here' ? 'group.isHere' : state === 'away' ? 'group.away' : 'group.invited');
}

type PlainKey = Extract<MessageKey, `group.problem.${string}`>;

const PROBLEMS: Readonly<
  Record<'create' | 'join' | 'nickname' | 'change', Partial<Record<ErrorCode, PlainKey>>>
> = {
  create: {
    'already-exists': 'group.problem.taken',
    'invalid-input': 'group.problem.elsewhere',
    'not-allowed': 'group.problem.notAllowed',
    'too-many': 'group.problem.tooMany',
  },
  join: { 'not-found': 'group.problem.noSuchGroup' },
  nickname: {
    'already-exists': 'group.problem.nickname',
    'invalid-input': 'group.problem.notNickname',
    'too-large': 'group.problem.notNickname',
  },
  change: {
    'not-found': 'group.problem.noSuchPerson',
    'not-allowed': 'group.problem.notAllowed',
    'too-many': 'group.problem.tooMany',
  },
};

/** Why something with a group did not work; what is not special to groups as everywhere. */
export function groupProblem(error: unknown, what: keyof typeof PROBLEMS, locale: Locale): string {
  const key = error instanceof CallError ? PROBLEMS[what][error.code] : undefined;
  return key === undefined ? locale.problem(error) : locale.t(key);
}
