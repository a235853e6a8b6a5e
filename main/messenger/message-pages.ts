/**
 * Owns: pages of a conversation with its floods collapsed, however long they are.
 * Called by: commands.ts, reader/reader-commands.ts. Calls: store.
 */
import { floodOf, floodRule, isBehind, runsOf, type Flood } from '../../shared/domain/flood.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { CallOutput, CheckedInput } from '../../shared/ipc/contract.ts';
import type { RunPart } from '../store/runs.ts';
import type { Store } from '../store/store.ts';

type PageStore = Pick<Store, 'call'>;
type StoredPage = Omit<CallOutput<'message.list'>, 'floods'>;

/** A run is gone along in steps, so that whoever else asks the store waits for one of them at most: some milliseconds. */
const FIRST_STEP = 64;
const LONGEST_STEP = 2_048;

/** Answers `message.list`. */
export async function listMessages(
  store: PageStore,
  { floods, reveal, ...input }: CheckedInput<'message.list'>,
): Promise<CallOutput<'message.list'>> {
  if (floods === undefined) return { ...(await store.call('selectMessagePage', input)), floods: [] };
  const { conversationId, limit } = input;
  const pages = new CollapsedPages(store, conversationId, floods);
  if (input.around !== undefined) {
    if (reveal === true) await pages.reveal(input.around);
    const half = Math.floor(limit / 2);
    const older = await pages.older(input.around, half);
    const newer = await pages.newer(input.around - 1, limit - half);
    return pages.join(older, newer);
  }
  if (input.after !== undefined) return pages.join(null, await pages.newer(input.after, limit));
  return pages.join(await pages.older(input.before, limit), null);
}

class CollapsedPages {
  readonly #store: PageStore;
  readonly #conversationId: ConversationId;
  /** By their first messages. */
  readonly #floods: Map<number, Flood>;
  readonly #found = new Map<number, Flood>();

  constructor(store: PageStore, conversationId: ConversationId, known: readonly Flood[]) {
    this.#store = store;
    this.#conversationId = conversationId;
    this.#floods = new Map(known.map((flood) => [flood.first, flood]));
  }

  /** A flood that this message is behind is opened. */
  async reveal(position: number): Promise<void> {
    const known = this.#floods.values().find((flood) => isBehind(flood, position));
    const flood = known ?? (await this.#measure(position));
    if (flood !== undefined && isBehind(flood, position)) this.#put({ ...flood, open: true });
  }

  /** The last `limit` messages before a position that are shown; without one: of the conversation. */
  async older(before: number | undefined, limit: number): Promise<StoredPage> {
    const kept: Message[] = [];
    let cursor = before;
    let hasAfter: boolean | undefined;
    for (;;) {
      const page = await this.#page({ before: cursor, limit: limit - kept.length });
      hasAfter ??= page.hasAfter;
      kept.unshift(...(await this.#shownOf(page)));
      const first = page.messages[0]?.position;
      if (first === undefined || !page.hasBefore || kept.length >= limit) {
        return { messages: kept, hasBefore: page.hasBefore, hasAfter };
      }
      const flood = this.#floods.values().find((each) => isBehind(each, first));
      cursor = flood === undefined ? first : flood.shown + 1;
    }
  }

  /** The first `limit` messages after a position that are shown. */
  async newer(after: number, limit: number): Promise<StoredPage> {
    const kept: Message[] = [];
    let cursor = after;
    let hasBefore: boolean | undefined;
    for (;;) {
      const page = await this.#page({ after: cursor, limit: limit - kept.length });
      hasBefore ??= page.hasBefore;
      kept.push(...(await this.#shownOf(page)));
      const last = page.messages.at(-1)?.position;
      if (last === undefined || !page.hasAfter) return { messages: kept, hasBefore, hasAfter: page.hasAfter };
      const flood = this.#floods
        .values()
        .find((each) => !each.open && each.shown <= last && last <= each.last);
      cursor = flood?.last ?? last;
      if (kept.length >= limit) {
        const hasAfter =
          flood === undefined || (await this.#page({ after: cursor, limit: 1 })).messages.length > 0;
        return { messages: kept, hasBefore, hasAfter };
      }
    }
  }

  /** The answer: two halves around a position, or one. */
  join(older: StoredPage | null, newer: StoredPage | null): CallOutput<'message.list'> {
    return {
      messages: [...(older?.messages ?? []), ...(newer?.messages ?? [])],
      hasBefore: (older ?? newer)?.hasBefore ?? false,
      hasAfter: (newer ?? older)?.hasAfter ?? false,
      floods: [...this.#found.values()],
    };
  }

  #page(place: { before?: number | undefined; after?: number; limit: number }): Promise<StoredPage> {
    return this.#store.call('selectMessagePage', { conversationId: this.#conversationId, ...place });
  }

  #put(flood: Flood): void {
    const known = this.#floods.get(flood.first);
    const next = { ...flood, open: flood.open || (known?.open ?? false) };
    this.#floods.set(flood.first, next);
    this.#found.set(flood.first, next);
  }

  async #shownOf(page: StoredPage): Promise<readonly Message[]> {
    const { messages } = page;
    for (const run of runsOf(messages)) {
      const [first, last] = [run[0], run.at(-1)];
      if (first === undefined || last === undefined || first.direction === 'out') continue;
      const isKnown = this.#floods
        .values()
        .some((flood) => flood.first <= first.position && last.position <= flood.last);
      if (isKnown) continue;
      const isWhole =
        (first !== messages[0] || !page.hasBefore) && (last !== messages.at(-1) || !page.hasAfter);
      const flood = isWhole ? floodOf(run) : await this.#measure(first.position);
      if (flood !== undefined) this.#put(flood);
    }
    return messages.filter(
      ({ position }) => !this.#floods.values().some((flood) => isBehind(flood, position)),
    );
  }

  /** The flood that a message is of; undefined: it is of none. */
  async #measure(position: number): Promise<Flood | undefined> {
    const back = await this.#walk(position, 'older');
    const forth = await this.#walk(position, 'newer');
    if (back === undefined || forth === undefined) return undefined;
    const count = back.count + 1 + forth.count;
    if (count <= floodRule.ceiling) return undefined;
    const shown = await this.#step(back.end, 'newer', floodRule.shown - 1);
    if (shown === null) return undefined;
    return {
      first: back.end,
      shown: shown.end,
      last: forth.end,
      lastSentAtMs: forth.endSentAtMs,
      count,
      open: false,
    };
  }

  /** To the end of a run; undefined: there is none. */
  async #walk(from: number, towards: 'older' | 'newer'): Promise<RunPart | undefined> {
    let way: RunPart | undefined;
    for (let limit = FIRST_STEP; ; limit = Math.min(limit * 4, LONGEST_STEP)) {
      const step = await this.#step(way?.end ?? from, towards, limit);
      if (step === null) return way;
      way = { ...step, count: (way?.count ?? 0) + step.count };
      if (step.count < limit) return way;
    }
  }

  #step(from: number, towards: 'older' | 'newer', limit: number): Promise<RunPart | null> {
    return this.#store.call('selectRunPart', { conversationId: this.#conversationId, from, towards, limit });
  }
}
