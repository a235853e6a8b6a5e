import { describe, expect, it } from 'vitest';
import { listMessages } from '../../main/messenger/message-pages.ts';
import { floodOf, floodRule, isBehind, runsOf, type Flood } from '../../shared/domain/flood.ts';
import type { MessageGroup } from '../../shared/domain/group.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { StoreFixture } from '../store/fixture.ts';

interface Line {
  readonly by: 'us' | 'tom' | 'ana' | 'notice';
  readonly sentAtMs: number;
  readonly isPrivate?: boolean;
}

const person = (name: string): MessageGroup['person'] => ({ address: `${name}@example.org`, name });

function groupOf({ by, isPrivate = false }: Line): MessageGroup {
  if (by === 'us') return { person: null, isPrivate: false, notice: null };
  const notice =
    by === 'notice' ? ({ kind: 'joined', by: null, who: person('ana'), title: null } as const) : null;
  return { person: person(by === 'notice' ? 'tom' : by), isPrivate, notice };
}

class History implements AsyncDisposable {
  readonly fixture: StoreFixture;
  readonly id: ConversationId;
  #written = 0;

  private constructor(fixture: StoreFixture, id: ConversationId) {
    this.fixture = fixture;
    this.id = id;
  }

  static async open(): Promise<History> {
    const fixture = await StoreFixture.open();
    return new History(fixture, await fixture.conversation('room'));
  }

  async write(lines: readonly Line[], into = this.id): Promise<void> {
    await Promise.all(
      lines.map((line) => {
        this.#written += 1;
        return this.fixture.store.insertMessage({
          conversationId: into,
          direction: line.by === 'us' ? 'out' : 'in',
          wireId: `wire-${this.#written}`,
          text: `${line.by} ${this.#written}`,
          sentAtMs: line.sentAtMs,
          storedAtMs: line.sentAtMs,
          state: line.by === 'us' ? 'sent' : 'received',
          displayReportWanted: false,
          group: groupOf(line),
        });
      }),
    );
  }

  list(input: Partial<Parameters<typeof listMessages>[1]>) {
    return listMessages(this.fixture.store, {
      conversationId: this.id,
      limit: 40,
      floods: [],
      ...input,
    });
  }

  async everything(): Promise<Message[]> {
    const all: Message[] = [];
    for (;;) {
      const page = await this.list({ after: all.at(-1)?.position ?? 0, limit: 200, floods: undefined });
      all.push(...page.messages);
      if (!page.hasAfter) return all;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.fixture[Symbol.asyncDispose]();
  }
}

/** As many messages by one person, a second apart. */
function run(by: Line['by'], count: number, fromMs: number): Line[] {
  return Array.from({ length: count }, (_, nth) => ({ by, sentAtMs: fromMs + nth * 1_000 }));
}

const positions = (messages: readonly Message[]): number[] => messages.map(({ position }) => position);

/** A generator of numbers below a bound, the same ones for the same seed (mulberry32). */
function randomNumbers(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

/** People who write in turn, few or many messages at a time, now and then with a pause at or over the rule's gap. */
function mixedLines(next: (bound: number) => number): Line[] {
  const lines: Line[] = [];
  let nowMs = 1_000_000;
  while (lines.length < 400) {
    const by = (['tom', 'tom', 'tom', 'ana', 'ana', 'us', 'notice'] as const)[next(7)]!;
    const isPrivate = next(6) === 0;
    const length = [1, 2, 19, 20, 21, 45, 130][next(7)]!;
    for (let nth = 0; nth < length; nth += 1) {
      lines.push({ by, sentAtMs: nowMs, isPrivate });
      nowMs += next(40) === 0 ? floodRule.gapMs + next(2) : next(300);
      if (next(60) === 0) nowMs -= floodRule.gapMs + next(2);
    }
  }
  return lines;
}

describe('pages with collapsed floods', () => {
  it.each([1, 2, 3])('are the same as a plain scan of any mix of people and times: %i', async (seed) => {
    const next = randomNumbers(seed);
    await using history = await History.open();
    const other = await history.fixture.conversation('other');
    const lines = mixedLines(next);
    // Two conversations that are written at the same time.
    for (let at = 0; at < lines.length; at += 50) {
      await history.write(lines.slice(at, at + 50));
      await history.write(run('tom', 3, 0), other);
    }
    const all = await history.everything();
    const floods = runsOf(all).flatMap((each) => floodOf(each) ?? []);
    expect(floods.length).toBeGreaterThan(2);
    const shown = positions(all).filter((at) => !floods.some((flood) => isBehind(flood, at)));

    const forth: number[] = [];
    const met = new Map<number, Flood>();
    let after = 0;
    for (;;) {
      const page = await history.list({ after, limit: 1 + next(40), floods: [...met.values()] });
      for (const flood of page.floods) met.set(flood.first, flood);
      forth.push(...positions(page.messages));
      if (!page.hasAfter) break;
      after = forth.at(-1)!;
      after = [...met.values()].find((flood) => flood.shown === after)?.last ?? after;
    }
    expect(forth).toEqual(shown);
    expect([...met.values()].sort((a, b) => a.first - b.first)).toEqual(floods);

    const back: number[] = [];
    let before: number | undefined;
    for (;;) {
      const page = await history.list({ before, limit: 1 + next(40) });
      back.unshift(...positions(page.messages));
      if (!page.hasBefore) break;
      before = back[0];
    }
    expect(back).toEqual(shown);

    for (let turn = 0; turn < 25; turn += 1) {
      const around = all[next(all.length)]!.position;
      const page = await history.list({ around, limit: 30 });
      const middle = shown.findIndex((at) => at >= around);
      const end = middle < 0 ? shown.length : middle;
      expect(positions(page.messages)).toEqual(shown.slice(Math.max(0, end - 15), end + 15));
      expect([page.hasBefore, page.hasAfter]).toEqual([end > 15, end + 15 < shown.length]);
    }
  });

  it('a run of 20 is shown, one of 21 is a flood of which 5 are shown', async () => {
    await using history = await History.open();
    await history.write([...run('tom', 20, 0), { by: 'us', sentAtMs: 20_000 }, ...run('tom', 21, 21_000)]);
    const { messages, floods, hasAfter } = await history.list({});
    expect(messages).toHaveLength(26);
    expect(floods).toEqual([
      { first: 22, shown: 26, last: 42, lastSentAtMs: 41_000, count: 21, open: false },
    ]);
    expect(hasAfter).toBe(false);
  });

  it('nothing is left out for who does not ask for it', async () => {
    await using history = await History.open();
    await history.write(run('tom', 60, 0));
    const { messages, floods } = await history.list({ floods: undefined, limit: 200 });
    expect([messages.length, floods]).toEqual([60, []]);
  });

  it('what the user has opened is shown, and a flood around what he looks for is opened', async () => {
    await using history = await History.open();
    await history.write([{ by: 'us', sentAtMs: 0 }, ...run('tom', 300, 1_000)]);
    const found = await history.list({ around: 200, limit: 10, reveal: true });
    expect(positions(found.messages)).toEqual([195, 196, 197, 198, 199, 200, 201, 202, 203, 204]);
    expect(found.floods).toMatchObject([{ first: 2, shown: 6, last: 301, count: 300, open: true }]);
    const further = await history.list({ after: 204, limit: 4, floods: [...found.floods] });
    expect([positions(further.messages), further.floods]).toEqual([[205, 206, 207, 208], []]);
    const visible = await history.list({ around: 4, limit: 10, reveal: true });
    expect(visible.floods).toMatchObject([{ first: 2, open: false }]);
  });

  it('a flood that has grown meanwhile is told of anew and stays as open as it was', async () => {
    await using history = await History.open();
    await history.write(run('tom', 30, 0));
    const { floods } = await history.list({});
    await history.write(run('tom', 10, 30_000));
    const grown = await history.list({});
    expect(grown.floods).toMatchObject([{ first: 1, last: 40, count: 40, open: false }]);
    const opened = await history.list({ floods: floods.map((flood) => ({ ...flood, open: true })) });
    expect(opened.messages).toHaveLength(40);
    expect(opened.floods).toMatchObject([{ first: 1, last: 40, count: 40, open: true }]);
  });

  it('a long run is gone along in several steps, so that nobody waits for all of it', async () => {
    await using history = await History.open();
    const { store } = history.fixture;
    await history.write(run('tom', 6_000, 0));
    const steps: number[] = [];
    const counting = (async (name, input) => {
      if (name === 'selectRunPart') steps.push((input as { limit: number }).limit);
      return store.call(name, input);
    }) as typeof store.call;
    const { messages, floods } = await listMessages(
      { call: counting },
      { conversationId: history.id, limit: 40, floods: [], reveal: false },
    );
    expect([messages.length, floods[0]?.count]).toEqual([5, 6_000]);
    expect(Math.max(...steps)).toBeLessThan(2_500);
    expect(steps.length).toBeGreaterThan(4);
  });

  it('nobody is followed further than a stretch of positions: a longer run is several floods', async () => {
    await using history = await History.open();
    const { stretch } = floodRule;
    await history.write(run('tom', stretch + 1_000, 0));
    const { messages, floods } = await history.list({});
    expect(positions(messages)).toEqual([1, 2, 3, 4, 5, ...[0, 1, 2, 3, 4].map((nth) => stretch + nth)]);
    expect(floods.map(({ first, last, count }) => ({ first, last, count }))).toEqual([
      { first: stretch, last: stretch + 1_000, count: 1_001 },
      { first: 1, last: stretch - 1, count: stretch - 1 },
    ]);
  });
});
