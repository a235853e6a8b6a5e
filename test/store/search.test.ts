/**
 * The search of message text, through the store's thread.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { foundPlaces } from '../../main/messenger/history/found-messages.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import { StoreFixture } from './fixture.ts';

let fixture: StoreFixture;
let conversationId: ConversationId;

describe('search', () => {
  const find = async (text: string, where?: ConversationId) => {
    const found = await fixture.store.call('searchMessages', { text, conversationId: where, limit: 50 });
    return found.map(({ message }) => message.text);
  };

  beforeAll(async () => {
    fixture = await StoreFixture.open();
    conversationId = await fixture.conversation('0b1e-tom');
    const other = await fixture.conversation('9f-ana', 'ana');
    await fixture.incoming(conversationId, 'The budget for the Zürich office', 'w1');
    await fixture.incoming(conversationId, 'Budgets are due on Friday', 'w2');
    await fixture.incoming(other, 'No budget here', 'w3');
  });

  afterAll(() => fixture[Symbol.asyncDispose]());

  it('finds the beginning of a word without regard to case and accents, newest first', async () => {
    expect(await find('budg')).toEqual([
      'No budget here',
      'Budgets are due on Friday',
      'The budget for the Zürich office',
    ]);
    expect(await find('ZURICH')).toEqual(['The budget for the Zürich office']);
  });

  it('wants every word', async () => {
    expect(await find('budget office')).toEqual(['The budget for the Zürich office']);
    expect(await find('budget holiday')).toEqual([]);
  });

  it('stays inside one conversation', async () => {
    expect(await find('budget', '9f-ana' as ConversationId)).toEqual(['No budget here']);
  });

  it('marks the match in the snippet', async () => {
    const [found] = await fixture.store.call('searchMessages', { text: 'office', limit: 1 });
    expect(found?.snippet).toEqual(['The budget for the Zürich ', 'office', '']);
  });

  it.each(['', '   ', '"', '*', 'a AND', '(', "budget' OR 1=1 --", 'text : x', '-', '"unclosed'])(
    'takes what is typed as words, never as a query: %j',
    async (text) => {
      await expect(find(text)).resolves.toBeInstanceOf(Array);
    },
  );

  it('looks through everybody who has a name when everything is wanted that is found', async () => {
    await using many = await StoreFixture.open();
    const ids = await Promise.all(
      Array.from({ length: 230 }, (_, index) => many.conversation(`c${index}`, `sam-${index}`)),
    );
    await many.conversation('other', 'ana');
    await many.incoming('other' as ConversationId, 'lunch', 'w-ana');
    await Promise.all(ids.map((id) => many.incoming(id, 'lunch', `w-${id}`)));
    await Promise.all(ids.map((id) => many.outgoing(id, 'lunch', `o-${id}`)));
    const places = async (text: string) => {
      let count = 0;
      for await (const page of foundPlaces(many.store, text, undefined)) count += page.length;
      return count;
    };
    expect(await places('in:sam')).toBe(460);
    expect(await places('in:sam lunch')).toBe(460);
    expect(await places('from:sam')).toBe(230);
    expect(await places('from:sam-7 lunch')).toBe(11);
  });

  it('does not find what the index calls a conversation', async () => {
    for (const label of ['\u{f1001}', '\u{f1002}', '\u{f0001}', '\ue000'])
      expect(await find(label)).toEqual([]);
  });
});
