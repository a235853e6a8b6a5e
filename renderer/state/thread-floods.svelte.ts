/**
 * Owns: which floods of the open conversation are known, and which of them are open.
 * Called by: thread, MessageList. Calls: shared/domain/flood.ts.
 */
import {
  floodOf,
  floodRule,
  isBehind,
  isOneRun,
  runMarkOf,
  runsOf,
  type Flood,
} from '../../shared/domain/flood.ts';
import type { Message } from '../../shared/domain/message.ts';

/** As many stay open; the one that was opened first is collapsed again when the page is read anew. */
const MAX_OPEN = 50;

export class ThreadFloods {
  #known = $state.raw<readonly Flood[]>([]);

  get all(): readonly Flood[] {
    return this.#known;
  }

  /** Those that stay when a page is read anew: what the others have become is read as well. */
  get open(): readonly Flood[] {
    return this.#known.filter(({ open }) => open).slice(-MAX_OPEN);
  }

  /** These are known, and what a page has told: of one that both have, that. */
  set(known: readonly Flood[], told: readonly Flood[] = []): void {
    this.#known = [...new Map([...known, ...told].map((flood) => [flood.first, flood])).values()];
  }

  /** Those that stay open when the user opens this one, or collapses it. */
  openWith(flood: Flood, open: boolean): readonly Flood[] {
    const others = this.open.filter(({ first }) => first !== flood.first);
    return open ? [...others.slice(1 - MAX_OPEN), { ...flood, open }] : others;
  }

  /** Those of which a message has left the history are not known any more. */
  forget(positions: readonly number[]): readonly Flood[] {
    const touched = this.#known.filter(({ first, last }) =>
      positions.some((at) => first <= at && at <= last),
    );
    if (touched.length > 0) this.#known = this.#known.filter((flood) => !touched.includes(flood));
    return touched;
  }

  /** Collapsed floods of which nothing is left in the window are forgotten. */
  keepWithin(messages: readonly Message[]): void {
    const [start, end] = [messages[0]?.position ?? 0, messages.at(-1)?.position ?? 0];
    this.#known = this.#known.filter(({ first, last, open }) => open || (first <= end && start <= last));
  }

  /** The message is behind the row of a collapsed flood. */
  hides(position: number): boolean {
    return this.#known.some((flood) => isBehind(flood, position));
  }

  /** Where what is shown ends when this is its last message: behind the flood below it. */
  endAt(position: number): number {
    return this.#known.find(({ shown, open }) => !open && shown === position)?.last ?? position;
  }

  /** A message has arrived below all others, of which `messages` are shown. True: it is behind a collapsed flood. */
  receive(message: Message, messages: readonly Message[]): boolean {
    const above = messages.at(-1);
    if (above === undefined) return false;
    const end = this.endAt(above.position);
    const flood = this.#known.find(({ last }) => last === end);
    if (flood === undefined || message.position <= end) return false;
    const mark = { ...runMarkOf(above), position: flood.last, sentAtMs: flood.lastSentAtMs };
    if (!isOneRun(mark, runMarkOf(message))) return false;
    const last = { last: message.position, lastSentAtMs: message.sentAtMs };
    this.set(this.#known, [{ ...flood, ...last, count: flood.count + 1 }]);
    return !flood.open;
  }

  /** What is left of the messages at the end of the conversation when their last run has become a flood. */
  collapseEnd(messages: readonly Message[], hasBefore: boolean): readonly Message[] {
    const from = messages.findLastIndex(({ position }) => this.endAt(position) !== position) + 1;
    // One more than the smallest flood has: it shows where the run begins.
    const start = Math.max(from, messages.length - floodRule.ceiling - 2);
    const tail = messages.slice(start);
    const run = runsOf(tail).at(-1) ?? [];
    const isCut = run[0] === tail[0] && (start > from || (start === 0 && hasBefore));
    const flood = isCut ? undefined : floodOf(run);
    if (flood === undefined || this.#known.some(({ last }) => last === flood.last)) return messages;
    this.set(this.#known, [flood]);
    return messages.filter(({ position }) => !isBehind(flood, position));
  }
}
