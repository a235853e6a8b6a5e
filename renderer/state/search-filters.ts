/** Owns: the filters in what stands in the search field: found, added, taken out. Called by: search views. Calls: nothing. */

/** As it stands in the text: `from:tom`, `in:"Ana B"`. */
export interface SearchFilter {
  readonly name: 'from' | 'in' | 'before' | 'after' | 'has' | 'is';
  readonly value: string;
  readonly token: string;
}

const filterPattern = /(?<![^\s])(from|in|before|after|has|is):(?:"([^"]*)"|([^\s"]+))/giu;

export function filtersIn(text: string): SearchFilter[] {
  return [...text.matchAll(filterPattern)].map(([token, name = '', quoted, bare]) => ({
    name: name.toLowerCase() as SearchFilter['name'],
    value: quoted ?? bare ?? '',
    token,
  }));
}

/** What is left without filters, words that must not be there and quotation marks: what a name is compared with. */
export function wordsIn(text: string): string {
  return tidy(
    text
      .replace(filterPattern, ' ')
      .replace(/(?<![^\s])-\S+/gu, ' ')
      .replaceAll('"', ' '),
  );
}

function tidy(text: string): string {
  return text.replace(/\s+/gu, ' ').trim();
}

/** Without the filters that `matches` takes. */
export function withoutFilters(text: string, matches: (filter: SearchFilter) => boolean): string {
  let left = text;
  for (const filter of filtersIn(text)) if (matches(filter)) left = left.replace(filter.token, ' ');
  return tidy(left);
}

/** With a filter in front, where words can follow it. */
export function withFilter(text: string, token: string): string {
  return tidy(`${token} ${text}`);
}

/** Takes it out when it is there, else puts it in. */
export function toggleFilter(text: string, token: string): string {
  const isSame = (filter: SearchFilter): boolean => filter.token.toLowerCase() === token;
  return filtersIn(text).some(isSame) ? withoutFilters(text, isSame) : withFilter(text, token);
}

const dayMs = 86_400_000;

/** `2026-05-01`, so many days later. */
function daysLater(day: string, days: number): string {
  return new Date(Date.parse(day) + days * dayMs).toISOString().slice(0, 10);
}

/** A date from a field for dates, both ends included; empty: without this end. */
export function withPeriod(text: string, name: 'after' | 'before', day: string): string {
  const without = withoutFilters(text, (filter) => filter.name === name);
  if (day === '') return without;
  return withFilter(without, `${name}:${daysLater(day, name === 'after' ? -1 : 1)}`);
}

/** What a field for dates shows of it. */
export function periodIn(text: string, name: 'after' | 'before'): string {
  const value = filtersIn(text).findLast((filter) => filter.name === name)?.value ?? '';
  return /^\d{4}-\d{2}-\d{2}$/.test(value) ? daysLater(value, name === 'after' ? 1 : -1) : '';
}
