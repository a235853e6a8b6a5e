/**
 * Owns: which generated value of a recording stands for which live one (ports, tags, branches, Call-IDs, ids, CSeq), and
 * the comparison of messages under that mapping. Called by: transcript-replay.ts. Calls: nothing.
 */

const ATOM = /[A-Za-z0-9.@%+~!_-]{4,}/g;
/** CSeq numbers above this were made from the time. */
const MADE_CSEQ = 100_000;

/** `[name, value]` of each header line; compact names are expanded as far as the recordings use them. */
export function headersOf(sip: string): [name: string, value: string][] {
  const end = sip.indexOf('\r\n\r\n');
  return sip
    .slice(0, end < 0 ? sip.length : end)
    .split('\r\n')
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
    });
}

/** The first header of that name. */
export function headerOf(sip: string, name: string): string {
  return headersOf(sip).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1] ?? '';
}

/** `INVITE`, or `200 to INVITE`. */
export function kindOf(sip: string): string {
  const [first = '', second = ''] = sip.split(' ', 2);
  if (first !== 'SIP/2.0') return first;
  return `${second} to ${headerOf(sip, 'cseq').split(' ')[1] ?? '?'}`;
}

function bodyOf(sip: string): string {
  const end = sip.indexOf('\r\n\r\n');
  return end < 0 ? '' : sip.slice(end + 4);
}

function splitOn(value: string, separator: string): string[] {
  return value.split(separator).map((part) => part.trim());
}

/** `<uri>;b=1;a` → its parts, parameters sorted, so that their order does not count. */
function partsOf(value: string): string[] {
  if (/^Digest /i.test(value)) return splitOn(value, ',');
  const close = value.indexOf('>');
  const head = close < 0 ? '' : value.slice(0, close + 1);
  const [first = '', ...params] = value.slice(head.length).split(';');
  return [head + first.trim(), ...params.map((param) => param.trim()).sort()];
}

/** Which row of CSeq numbers a recorded message belongs to: its Call-ID and the tag of its sender. */
export function rowOf(text: string): string {
  const callId = /\r\ncall-id: *(\S+)/i.exec(text)?.[1];
  if (callId === undefined) return /\|([^|\r\n]+;from-tag=[^|\r\n]+)/.exec(text)?.[1] ?? '';
  return `${callId};from-tag=${/\r\nfrom:[^\r]*;tag=([^;\r]+)/i.exec(text)?.[1] ?? ''}`;
}

/** Recorded names and their live counterparts. */
export class TranscriptNames {
  readonly #live = new Map<string, string>();
  readonly #ports = new Map<string, string>();
  readonly #cseqs: { row: string; recorded: number; live: number }[] = [];

  addPort(recorded: number, live: number): void {
    this.#ports.set(String(recorded), String(live));
  }

  learn(recorded: string, live: string): void {
    if (recorded !== '' && recorded !== live) this.#live.set(recorded, live);
  }

  known(recorded: string): string | undefined {
    return this.#live.get(recorded);
  }

  /** Is that live value the counterpart of something? */
  isTaken(live: string): boolean {
    return [...this.#live.values()].includes(live);
  }

  /** The recorded text with everything that is known replaced. `row`: of its CSeq numbers. */
  toLive(text: string, row: string = rowOf(text)): string {
    return text
      .replace(ATOM, (atom) => this.#live.get(atom) ?? this.#cseq(atom, row) ?? atom)
      .replace(/(127\.0\.0\.1[:|]|rport=)(\d+)/g, (whole, before: string, port: string) => {
        const live = this.#ports.get(port);
        return live === undefined ? whole : before + live;
      });
  }

  /** What differs between a recorded and a live message; learns what the live one has made up. */
  compare(recorded: string, live: string): string[] {
    const differences: string[] = [];
    this.#learnFrom(recorded, live);
    const row = rowOf(recorded);
    const [recordedLine = '', liveLine = ''] = [recorded.split('\r\n')[0], live.split('\r\n')[0]];
    if (this.toLive(recordedLine, row) !== liveLine)
      differences.push(`start line: ${recordedLine} | ${liveLine}`);
    const [ours, theirs] = [this.#grouped(live), this.#grouped(recorded)];
    for (const [name, values] of theirs) {
      const mine = ours.get(name);
      if (mine === undefined) differences.push(`-${name}`);
      else if (!this.#sameValue(this.toLive(values, row), mine))
        differences.push(`${name}: ${values} | ${mine}`);
    }
    for (const name of ours.keys()) if (!theirs.has(name)) differences.push(`+${name}`);
    if (this.toLive(bodyOf(recorded)).trimEnd() !== bodyOf(live).trimEnd()) differences.push('body');
    return differences;
  }

  /** Has a message of that row been seen? */
  hasRow(row: string): boolean {
    return this.#cseqs.some((entry) => entry.row === row);
  }

  #cseq(atom: string, row: string): string | undefined {
    if (!/^\d{6,9}$/.test(atom)) return undefined;
    const number = Number(atom);
    const near = this.#cseqs.filter(({ recorded }) => recorded <= number && number - recorded < 50);
    const base = near.findLast((entry) => entry.row === row) ?? near.at(-1);
    return base === undefined ? undefined : String(base.live + number - base.recorded);
  }

  #grouped(sip: string): Map<string, string> {
    const groups = new Map<string, string>();
    for (const [name, value] of headersOf(sip)) {
      const key = name.toLowerCase();
      // The body is compared; its length follows from it.
      if (key === 'content-length') continue;
      const before = groups.get(key);
      groups.set(key, before === undefined ? value : `${before}, ${value}`);
    }
    return groups;
  }

  #sameValue(recorded: string, live: string): boolean {
    const [left, right] = [partsOf(recorded), partsOf(live)];
    return left.length === right.length && left.every((part, index) => part === right[index]);
  }

  #learnFrom(recorded: string, live: string): void {
    const pair = (name: string): [string, string] => [headerOf(recorded, name), headerOf(live, name)];
    const take = (values: [string, string], pattern: RegExp): void => {
      const [left, right] = values.map((value) => pattern.exec(value)?.[1] ?? '');
      if (left !== undefined && right !== undefined && right !== '' && this.known(left) === undefined) {
        this.learn(left, right);
      }
    };
    for (const name of ['From', 'To']) take(pair(name), /;tag=([^;>]+)/);
    take(pair('Via'), /;branch=([^;,]+)/);
    for (const name of ['Call-ID', 'RSeq']) take(pair(name), /^(\S+)/);
    const [left = 0, right = 0] = pair('CSeq').map((value) => Number.parseInt(value, 10));
    const row = rowOf(recorded);
    if (left > MADE_CSEQ && !this.hasRow(row)) this.#cseqs.push({ row, recorded: left, live: right });
  }
}
