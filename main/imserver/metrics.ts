/**
 * Owns: what the server counts, and how Prometheus reads it (text format 0.0.4). Called by: imserver.ts, b2bua.ts,
 * control-server.ts. Calls: nothing.
 */

/** Seconds; from a request that is answered at once to somebody who lets it ring. */
const BUCKETS_S = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

/** How long something took, in buckets. */
export class Histogram {
  readonly #counts = BUCKETS_S.map(() => 0);
  #sum = 0;
  #count = 0;

  observe(seconds: number): void {
    this.#sum += seconds;
    this.#count++;
    const bucket = BUCKETS_S.findIndex((most) => seconds <= most);
    if (bucket >= 0) this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
  }

  /** `labels`: `method="INVITE"`, or nothing. */
  lines(name: string, labels = ''): string[] {
    const more = labels === '' ? '' : `${labels},`;
    const own = labels === '' ? '' : `{${labels}}`;
    let total = 0;
    const buckets = BUCKETS_S.map((most, index) => {
      total += this.#counts[index] ?? 0;
      return `${name}_bucket{${more}le="${most}"} ${total}`;
    });
    return [
      ...buckets,
      `${name}_bucket{${more}le="+Inf"} ${this.#count}`,
      `${name}_sum${own} ${this.#sum}`,
      `${name}_count${own} ${this.#count}`,
    ];
  }
}

/** Counted while the server runs. */
export class ServerMetrics {
  sessionsStarted = 0;
  sessionsRefused = 0;
  readonly messages = { delivered: 0, deferred: 0, refused: 0 };
  /** From the INVITE to the answer that goes to the caller, ringing included. */
  readonly setup = new Histogram();
  readonly #requests = new Map<string, Histogram>();

  /** Only of methods that are handled: nobody makes up labels. */
  observeRequest(method: string, seconds: number): void {
    const histogram = this.#requests.get(method) ?? new Histogram();
    this.#requests.set(method, histogram);
    histogram.observe(seconds);
  }

  requestLines(name: string): string[] {
    return [...this.#requests].flatMap(([method, histogram]) => histogram.lines(name, `method="${method}"`));
  }
}

/** One value with its head. */
export function formatMetric(
  name: string,
  type: 'gauge' | 'counter' | 'histogram',
  help: string,
  lines: number | readonly string[],
): string[] {
  const values = typeof lines === 'number' ? [`${name} ${lines}`] : lines;
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...values];
}
