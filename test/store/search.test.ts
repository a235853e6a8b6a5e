/**
 * The search of message text, through the store's thread.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

  it('does not find what the index calls a conversation', async () => {
    for (const label of ['\u{f1001}', '\u{f1002}', '\u{f0001}', '\ue000'])
      expect(await find(label)).toEqual([]);
  });
});
