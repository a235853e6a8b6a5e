/**
 * Owns: the labels that stand beside a message's words in the index: one character each, which no text can hold.
 * Called by: search-index.ts, search.ts, browse.ts. Calls: nothing.
 *
 * They are of the private planes of Unicode.
 */
import type { SearchTrait } from './search-query.ts';

const IN = 0xf0001;
const OUT = 0xf0002;
const TRAITS: Readonly<Record<SearchTrait, number>> = { link: 0xf0003, file: 0xf0004, image: 0xf0005 };
const FIRST_YEAR = 1970;
const YEARS = 200;
const YEAR = 0xf0100;
const MONTH = 0xf0400;
/** People of groups; many share a label, and the message itself tells them apart. */
const PERSON = 0xf0e00;
const PEOPLE = 0x200;
const CONVERSATION = 0xf1000;
/** Conversations beyond these share labels; the message itself tells them apart. */
const CONVERSATIONS = 0x10fffd - 0x100000 + (0xffffd - CONVERSATION);

const WWW = /www\./i;
const LINK = /\b(?:https?:\/\/|www\.)[^\s<>"]/i;
const IMAGE_NAME = /\.(?:avif|bmp|gif|heic|jpe?g|png|svg|tiff?|webp)$/i;

export function directionLabel(direction: 'in' | 'out'): string {
  return String.fromCodePoint(direction === 'in' ? IN : OUT);
}

export function traitLabel(trait: SearchTrait): string {
  return String.fromCodePoint(TRAITS[trait]);
}

/** `key`: the number of a conversation, from 1. */
export function conversationLabel(key: number): string {
  const point = CONVERSATION + (key % CONVERSATIONS);
  // Not the two that are no characters at the end of the plane.
  return String.fromCodePoint(point <= 0xffffd ? point : point + 2);
}

/** `key`: the number of somebody in a group, from 1. */
export function personLabel(key: number): string {
  return String.fromCodePoint(PERSON + (key % PEOPLE));
}

/** Which of its traits a message has; `isFile`: its text is the name of a file. */
export function traitsOf(text: string, isFile: boolean): SearchTrait[] {
  if (!isFile) {
    // Quick to look for; most texts have neither.
    const mayHaveLink = text.includes('://') || (text.includes('.') && WWW.test(text));
    return mayHaveLink && LINK.test(text) ? ['link'] : [];
  }
  return IMAGE_NAME.test(text) ? ['file', 'image'] : ['file'];
}

function yearOf(ms: number): number {
  return Math.min(YEARS - 1, Math.max(0, new Date(ms).getUTCFullYear() - FIRST_YEAR));
}

function yearLabel(year: number): string {
  return String.fromCodePoint(YEAR + year);
}

function monthLabel(year: number, month: number): string {
  return String.fromCodePoint(MONTH + year * 12 + month);
}

/** The month that was asked for last: messages come in order. */
let lastMonth = { startMs: 0, endMs: 0, labels: '' };

/** The labels of the year and the month (UTC) of a time, apart by a space. */
export function timeLabels(sentAtMs: number): string {
  if (sentAtMs >= lastMonth.startMs && sentAtMs < lastMonth.endMs) return lastMonth.labels;
  const date = new Date(sentAtMs);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  const known = yearOf(sentAtMs);
  lastMonth = {
    startMs: Date.UTC(year, month),
    endMs: Date.UTC(year, month + 1),
    labels: `${yearLabel(known)} ${monthLabel(known, month)}`,
  };
  return lastMonth.labels;
}

/** Labels of which each message in `[sinceMs, untilMs)` has one; some have one that lie outside. */
export function periodLabels(sinceMs: number | undefined, untilMs: number | undefined): string[] {
  const first = sinceMs === undefined ? 0 : yearOf(sinceMs);
  const last = untilMs === undefined ? YEARS - 1 : yearOf(untilMs - 1);
  const labels: string[] = [];
  for (let year = first; year <= last; year += 1) {
    const from = sinceMs !== undefined && year === first ? new Date(sinceMs).getUTCMonth() : 0;
    const to = untilMs !== undefined && year === last ? new Date(untilMs - 1).getUTCMonth() : 11;
    if (from === 0 && to === 11) labels.push(yearLabel(year));
    else for (let month = from; month <= to; month += 1) labels.push(monthLabel(year, month));
  }
  return labels;
}
