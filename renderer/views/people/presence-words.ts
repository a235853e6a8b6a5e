/** Owns: what somebody's presence is called. Called by: rows, headers, details. Calls: the catalogue. */
import type { PresenceState } from '../../../shared/domain/presence.ts';
import type { Locale } from '../../i18n/locale.svelte.ts';

/** With his own words, where he has some. */
export function presenceWords({ show, note }: PresenceState, locale: Locale): string {
  const words = locale.t(`presence.${show}`);
  return note === '' ? words : `${words} · ${note}`;
}
