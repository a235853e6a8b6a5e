/** Owns: what an arrow of the ladder is called. Called by: inspector views. Calls: i18n. */
import type { LadderEntry } from '../../../shared/domain/ladder.ts';
import type { Locale } from '../../i18n/locale.svelte.ts';

/** `INVITE`, `200 OK`, `SEND`: the request's method or the status with its words. */
export function arrowName({ protocol, firstLine }: LadderEntry): string {
  const words = firstLine.trim().split(' ');
  if (protocol === 'msrp') return words.slice(2).join(' ') || firstLine;
  return words[0]?.startsWith('SIP/') === true ? words.slice(1).join(' ') : (words[0] ?? firstLine);
}

/** What a SEND carries: nothing but the visit in step 4, else so many bytes as its Byte-Range says in all. */
export function arrowNote(entry: LadderEntry, locale: Locale): string {
  if (entry.protocol !== 'msrp' || arrowName(entry) !== 'SEND') return '';
  if (entry.step === 4) return locale.t('inspector.visit');
  const total = /^Byte-Range:\s*\d+-[\d*]+\/(\d+)/im.exec(entry.text)?.[1];
  return total === undefined || total === '0' ? '' : locale.t('inspector.bytes', { count: Number(total) });
}
