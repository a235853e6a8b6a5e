/**
 * Owns: the memory of a parser for the few texts that it was given last: one message's Via, From and CSeq are read by
 * several parts in a row. Called by: sip/headers.ts, sip/uri.ts. Calls: the parser.
 */

/** Longer texts are read each time: what is remembered keeps its message alive. */
const MAX_CHARS = 300;

/** `parse` with a memory for `places` texts. Its results must not be changed; what it throws is not remembered. */
export function remembered<T>(parse: (text: string) => T, places: number): (text: string) => T {
  const texts: string[] = [];
  const values: T[] = [];
  let next = 0;
  return (text) => {
    const place = texts.indexOf(text);
    const known = place < 0 ? undefined : values[place];
    if (known !== undefined) return known;
    const value = parse(text);
    if (text.length <= MAX_CHARS) {
      texts[next] = text;
      values[next] = value;
      next = (next + 1) % places;
    }
    return value;
  };
}
