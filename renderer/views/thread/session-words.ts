/** Owns: what the session strip says. Called by: SessionStrip. Calls: i18n. */
import type { Conversation, Session, SessionEndCode } from '../../../shared/domain/conversation.ts';
import type { IconName } from '../../components/icons.ts';
import type { Locale } from '../../i18n/locale.svelte.ts';

export interface SessionWords {
  readonly icon: IconName | null;
  readonly tone: 'plain' | 'ok' | 'warn' | 'bad';
  readonly title: string;
  readonly details: readonly string[];
}

/** Endings that are nobody's trouble. */
const calmEnds: ReadonlySet<SessionEndCode> = new Set([
  'ended-by-us',
  'ended-by-peer',
  'idle',
  'cancelled',
  'taken-back',
  'missed',
  'answered-elsewhere',
  'shutdown',
]);

export function sessionWords(
  { peerName: name, kind }: Conversation,
  session: Session | undefined,
  locale: Locale,
  nowMs: number,
): SessionWords {
  const plain = { icon: null, tone: 'plain', details: [] } as const;
  if (kind === 'group') return groupWords(session, locale);
  if (session === undefined) {
    return { ...plain, title: locale.t('session.none', { name }) };
  }
  switch (session.state) {
    case 'inviting':
      return { ...plain, title: locale.t('session.inviting', { name }) };
    case 'asked':
      return { ...plain, title: locale.t('session.asks', { name }) };
    case 'opening':
      return { ...plain, title: locale.t('session.opening', { name }) };
    case 'ending':
      return { ...plain, title: locale.t('session.ending') };
    case 'open':
      return {
        icon: session.encrypted ? 'lock' : 'lock-open',
        tone: session.encrypted ? 'ok' : 'plain',
        title: locale.t('session.with', { name }),
        details: [
          locale.t(session.mediaPath === 'relay' ? 'session.relay' : 'session.direct'),
          locale.t(session.encrypted ? 'session.encrypted' : 'session.notEncrypted'),
          locale.t('session.since', { time: locale.moment(session.openedMs ?? session.startedMs, nowMs) }),
        ],
      };
    case 'ended': {
      const calm = session.end === null || calmEnds.has(session.end.code) || isOurNo(session);
      return {
        icon: calm ? null : 'circle-alert',
        tone: calm ? 'plain' : 'warn',
        title:
          session.openedMs === null
            ? locale.t('session.none', { name })
            : locale.t('session.ended', { time: locale.moment(session.endedMs ?? session.startedMs, nowMs) }),
        details: session.end === null ? [] : [endWords(session, session.end, name, locale)],
      };
    }
  }
}

function isOurNo({ direction, end }: Session): boolean {
  return direction === 'incoming' && end?.code === 'declined';
}

/** Some codes mean another thing to whom was called; `cancelled` is what was kept of one that was taken back once. */
function endWords(session: Session, end: NonNullable<Session['end']>, name: string, locale: Locale): string {
  if (isOurNo(session)) return locale.t('session.declinedByYou', { name });
  const isTakenBack = session.direction === 'incoming' && end.code === 'cancelled';
  return isTakenBack ? locale.t('end.taken-back', { name }) : locale.reason(end, name);
}

/** A group is connected by itself, again and again: nobody starts or ends that. */
function groupWords(session: Session | undefined, locale: Locale): SessionWords {
  const plain = { icon: null, tone: 'plain', details: [] } as const;
  switch (session?.state) {
    case 'inviting':
    case 'opening':
      return { ...plain, title: locale.t('group.connecting') };
    case 'open':
      return {
        icon: session.encrypted ? 'lock' : 'lock-open',
        tone: session.encrypted ? 'ok' : 'plain',
        title: locale.t('group.connected'),
        details: [locale.t(session.encrypted ? 'session.encrypted' : 'session.notEncrypted')],
      };
    default:
      return { ...plain, title: locale.t('group.notConnected'), details: [locale.t('group.comesBack')] };
  }
}
