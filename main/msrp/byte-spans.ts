/**
 * Owns: which bytes of a message have come, whatever their order. Called by: reassembly.ts, main/messenger for what lies on disk.
 * Calls: nothing.
 */

interface Span {
  start: number;
  end: number;
}

/** A set of byte ranges; offsets count from 0, ends are exclusive. */
export class ByteSpans {
  /** Disjoint, ascending, never adjacent. */
  readonly #spans: Span[] = [];

  /** Pieces with a gap between them. */
  get size(): number {
    return this.#spans.length;
  }

  /** Bytes that have come without a gap from the first on. */
  get prefix(): number {
    const [first] = this.#spans;
    return first?.start === 0 ? first.end : 0;
  }

  /** Adds the bytes from `start` up to `end`. */
  add(start: number, end: number): void {
    const spans = this.#spans;
    const last = spans.at(-1);
    if (last === undefined || start > last.end) {
      spans.push({ start, end });
      return;
    }
    if (start >= last.start) {
      last.end = Math.max(last.end, end);
      return;
    }
    // The first span that ends at or behind `start` is the first that may touch the new one.
    let low = 0;
    for (let high = spans.length; low < high;) {
      const middle = (low + high) >> 1;
      if ((spans[middle]?.end ?? 0) < start) low = middle + 1;
      else high = middle;
    }
    let to = low;
    const merged = { start, end };
    for (let span = spans[to]; span !== undefined && span.start <= end; span = spans[++to]) {
      merged.start = Math.min(merged.start, span.start);
      merged.end = Math.max(merged.end, span.end);
    }
    spans.splice(low, to - low, merged);
  }
}
