/**
 * What is typed into the search field: how it is read, what it finds.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import { parseSearchQuery } from '../../main/store/search-query.ts';
import { StoreFixture } from './fixture.ts';

const NOW = new Date(2026, 4, 20, 12);

describe('the language of the search field', () => {
  const words = (text: string) =>
    parseSearchQuery(text, NOW).wanted.map((term) => `${term.kind} ${term.text}`);

  it.each([
    ['Budget Zürich', ['beginning budget', 'beginning zurich']],
    ['"Zürich office"', ['phrase zurich office']],
    ['"zürich off', ['beginning zurich', 'beginning off']],
    ['budg*', ['beginning budg']],
    ['C++ & C#', ['beginning c', 'beginning c']],
    ['今天 hello世界', ['beginning 今天', 'beginning hello', 'beginning 世界']],
    ['from:', ['beginning from']],
    ['is:green', ['beginning is', 'beginning green']],
    ['before:2026-13-01', ['beginning before', 'beginning 2026', 'beginning 13', 'beginning 01']],
    ['http://example.org', ['beginning http', 'beginning example', 'beginning org']],
  ])('%s', (text, expected) => {
    expect(words(text)).toEqual(expected);
  });

  it('reads filters', () => {
    const query = parseSearchQuery(
      'from:Tom in:"Ana B" has:link has:image is:unread -draft -"old plan" x',
      NOW,
    );
    expect(query).toMatchObject({ from: ['tom'], in: ['ana b'], has: ['link', 'image'], unread: true });
    expect(query.unwanted.map(({ text }) => text)).toEqual(['draft', 'old plan']);
    expect(query.wanted.map(({ text }) => text)).toEqual(['x']);
  });

  it.each([
    ['after:2025', new Date(2026, 0, 1), undefined],
    ['before:2026-05', undefined, new Date(2026, 4, 1)],
    ['after:2026-02-28', new Date(2026, 2, 1), undefined],
    ['after:yesterday', new Date(2026, 4, 20), undefined],
    ['before:today', undefined, new Date(2026, 4, 20)],
  ])('%s', (text, since, until) => {
    const { sinceMs, untilMs } = parseSearchQuery(text, NOW);
    expect([sinceMs, untilMs]).toEqual([since?.getTime(), until?.getTime()]);
  });
});

describe('what it finds', () => {
  let fixture: StoreFixture;
  let tom: ConversationId;
  let ana: ConversationId;
  let count = 0;

  const find = async (text: string, conversationId?: ConversationId) => {
    const found = await fixture.store.search({ text, conversationId, limit: 50 });
    return found.map(({ message }) => message.text);
  };
  const add = (
    conversationId: ConversationId,
    direction: 'in' | 'out',
    text: string,
    sentAtMs: number,
    isFile = false,
  ) => {
    count += 1;
    return fixture.store.insertMessage({
      id: `m${count}` as MessageId,
      conversationId,
      direction,
      wireId: `m${count}`,
      text,
      sentAtMs,
      storedAtMs: sentAtMs,
      state: direction === 'in' ? (count % 2 === 0 ? 'received' : 'read') : 'sent',
      displayReportWanted: false,
      ...(isFile
        ? {
            file: {
              transferId: `t${count}`,
              name: text,
              type: 'application/octet-stream',
              size: 10,
              sha1: null,
              sha256: null,
              modifiedMs: null,
              state: 'done',
              accepted: true,
              bytesDone: 10,
              path: null,
              partPath: null,
              preview: null,
              failure: null,
            } as const,
          }
        : {}),
    });
  };

  beforeAll(async () => {
    fixture = await StoreFixture.open();
    tom = await fixture.conversation('c-tom', 'tom');
    ana = await fixture.conversation('c-ana', 'ana');
    await add(tom, 'in', 'The old plan for the Zürich office', new Date(2024, 2, 1).getTime());
    await add(tom, 'out', 'A plan that is not old at all', new Date(2025, 5, 30, 23, 59).getTime());
    await add(ana, 'in', '今天天气很好，我们去公园吧', new Date(2025, 6, 1).getTime());
    await add(ana, 'in', '天今的字 is nonsense', new Date(2025, 6, 2).getTime());
    await add(ana, 'out', 'วันนี้กินข้าวที่บ้าน', new Date(2026, 0, 5).getTime());
    await add(tom, 'in', 'see https://example.org/plan', new Date(2026, 1, 5).getTime());
    await add(tom, 'out', 'Entwürfe 2026.PDF', new Date(2026, 2, 5).getTime(), true);
    await add(ana, 'in', 'photo of Köln.jpeg', new Date(2026, 3, 5).getTime(), true);
    await add(ana, 'in', 'ＦＵＬＬ width and ﬁligree, Straße', new Date(2026, 3, 6).getTime());
  });

  afterAll(() => fixture[Symbol.asyncDispose]());

  it('a phrase only as it stands', async () => {
    expect(await find('"old plan"')).toEqual(['The old plan for the Zürich office']);
    expect(await find('old plan')).toHaveLength(2);
    expect(await find('"old pla"')).toEqual([]);
    expect(await find('plan -"old plan" -link -https')).toEqual(['A plan that is not old at all']);
  });

  it('not what has an unwanted word', async () => {
    expect(await find('plan -zürich -https')).toEqual(['A plan that is not old at all']);
  });

  it('scripts without spaces, from any place', async () => {
    expect(await find('天气')).toEqual(['今天天气很好，我们去公园吧']);
    expect(await find('今天天')).toEqual(['今天天气很好，我们去公园吧']);
    expect(await find('天今')).toEqual(['天今的字 is nonsense']);
    expect(await find('天')).toHaveLength(2);
    expect(await find('公园 今天')).toEqual(['今天天气很好，我们去公园吧']);
    expect(await find('กินข้าว')).toEqual(['วันนี้กินข้าวที่บ้าน']);
    expect(await find('ข้าวกิน')).toEqual([]);
  });

  it('width, ligatures and sharp s', async () => {
    expect(await find('full filigree strasse')).toEqual(['ＦＵＬＬ width and ﬁligree, Straße']);
    expect(await find('STRASSE')).toHaveLength(1);
  });

  it('by person', async () => {
    expect(await find('from:me plan')).toEqual(['A plan that is not old at all']);
    expect(await find('from:tom plan')).toEqual([
      'see https://example.org/plan',
      'The old plan for the Zürich office',
    ]);
    expect(await find('in:ana from:me')).toEqual(['วันนี้กินข้าวที่บ้าน']);
    expect(await find('in:nobody plan')).toEqual([]);
  });

  it('by date, to the day', async () => {
    expect(await find('before:2025 plan')).toEqual(['The old plan for the Zürich office']);
    expect(await find('before:2025-07 after:2024')).toEqual(['A plan that is not old at all']);
    expect(await find('after:2025-06-30 before:2025-07-02')).toEqual(['今天天气很好，我们去公园吧']);
  });

  it('by what it has, file names included', async () => {
    expect(await find('has:link')).toEqual(['see https://example.org/plan']);
    expect(await find('has:file')).toEqual(['photo of Köln.jpeg', 'Entwürfe 2026.PDF']);
    expect(await find('has:image')).toEqual(['photo of Köln.jpeg']);
    expect(await find('entwurfe')).toEqual(['Entwürfe 2026.PDF']);
  });

  it('the unread', async () => {
    expect(await find('is:unread')).toEqual([
      'photo of Köln.jpeg',
      'see https://example.org/plan',
      '天今的字 is nonsense',
    ]);
    expect(await find('is:unread has:link')).toEqual(['see https://example.org/plan']);
    expect(await find('is:unread nonsen', ana)).toEqual(['天今的字 is nonsense']);
    expect(await find('is:unread nonsen', tom)).toEqual([]);
  });

  it('marks what it found, and only words where words are asked for', async () => {
    const snippet = async (text: string) => (await fixture.store.search({ text, limit: 1 }))[0]?.snippet;
    expect(await snippet('zurich off')).toEqual(['The old plan for the ', 'Zürich', ' ', 'off', 'ice']);
    expect(await snippet('天气')).toEqual(['今天', '天气', '很好，我们去公园吧']);
    expect(await snippet('strasse')).toEqual(['ＦＵＬＬ width and ﬁligree, ', 'Straße', '']);
    expect(await snippet('has:link')).toEqual(['see https://example.org/plan']);
  });

  it('shows the place of a match far back in a long text', async () => {
    const long = `${'lorem ipsum '.repeat(400)}needle ${'dolor sit '.repeat(400)}`;
    await add(tom, 'in', long, new Date(2026, 4, 1).getTime());
    const [found] = await fixture.store.search({ text: 'needle', limit: 1 });
    const [before = '', match, after = ''] = found?.snippet ?? [];
    expect(match).toBe('needle');
    expect(before).toMatch(/^…(?:lorem|ipsum)/);
    expect(after.endsWith('…')).toBe(true);
    expect(found?.snippet.join('').length).toBeLessThan(200);
  });

  it('a search that a newer one has overtaken finds nothing, in its own lane only', async () => {
    const zoe = await fixture.conversation('c-zoe', 'zoe');
    // The thread is busy while all three are asked.
    const busy = Array.from({ length: 300 }, (_, index) => ({
      id: `busy${index}` as MessageId,
      conversationId: zoe,
      direction: 'out' as const,
      wireId: `busy${index}`,
      text: 'busy',
      sentAtMs: new Date(2019, 0, 1).getTime(),
      storedAtMs: 1,
      state: 'sent' as const,
      displayReportWanted: false,
    }));
    const [, first, second, other] = await Promise.all([
      fixture.store.call('importMessages', busy),
      fixture.store.search({ text: 'plan', limit: 9 }, 1),
      fixture.store.search({ text: 'plan', limit: 9 }, 1),
      fixture.store.search({ text: 'plan', limit: 9 }, 2),
    ]);
    expect(first).toEqual([]);
    expect(second.length).toBeGreaterThan(0);
    expect(other).toEqual(second);
  });

  it('knows its way around a conversation', async () => {
    const { store } = fixture;
    const day = (date: Date) => Math.floor((date.getTime() - date.getTimezoneOffset() * 60_000) / 86_400_000);
    const first = day(new Date(2025, 6, 1));
    expect(
      await store.call('selectDays', { conversationId: ana, fromDay: first, toDay: first + 30 }),
    ).toEqual([
      { day: first, count: 1 },
      { day: first + 1, count: 1 },
    ]);
    const at = async (date: Date) => {
      const around = await store.call('selectPositionAt', { conversationId: ana, sentAtMs: date.getTime() });
      if (around === null) return null;
      const { messages } = await store.call('selectMessagePage', { conversationId: ana, around, limit: 1 });
      return messages[0]?.text;
    };
    expect(await at(new Date(2020, 0, 1))).toBe('今天天气很好，我们去公园吧');
    expect(await at(new Date(2025, 7, 1))).toBe('วันนี้กินข้าวที่บ้าน');
    expect(await at(new Date(2027, 0, 1))).toBeNull();
    const images = await store.call('selectWithTrait', { conversationId: ana, trait: 'image', limit: 9 });
    expect(images.map(({ text }) => text)).toEqual(['photo of Köln.jpeg']);
    expect(await store.call('selectFigures', { conversationId: ana })).toEqual({
      incoming: 4,
      outgoing: 1,
      firstSentAtMs: new Date(2025, 6, 1).getTime(),
      lastSentAtMs: new Date(2026, 3, 6).getTime(),
      files: 1,
      fileBytes: 10,
    });
    expect(await store.call('selectFirstUnread', { conversationId: ana })).toBe(4);
  });
});
