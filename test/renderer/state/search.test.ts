import { describe, expect, it } from 'vitest';
import { searchRows } from '../../../renderer/state/search-rows.ts';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import { talkingWorld } from '../support/scenarios.ts';
import { openWindow, settle } from '../support/window.ts';

describe('Search', () => {
  it('drops the answer to a question that has been overtaken', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    let release = (): void => undefined;
    backend.hold = new Promise((done) => (release = done));
    const slow = app.search.query('figures');
    await settle();
    backend.hold = null;
    await app.search.query('mailbox');
    release();
    await slow;
    expect(app.search.answeredText).toBe('mailbox');
    expect(app.search.hits.map(({ message }) => message.text)).toEqual(['They are in your mailbox.']);
  });

  it('shows nothing of an answer that comes after the search has been cleared', async () => {
    const { app } = await openWindow(talkingWorld());
    const slow = app.search.query('figures');
    app.search.clear();
    await slow;
    expect(app.search.hits).toEqual([]);
    expect(app.search.active).toBe(false);
  });

  it('asks within one conversation when that is its scope', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    app.search.begin(app.conversations.get('with-ana' as ConversationId)!);
    await app.search.query('th');
    expect(backend.calls.at(-1)?.input).toMatchObject({ text: 'th', limit: 50, conversationId: 'with-ana' });
    expect(app.search.hits).toHaveLength(1);
  });

  it('lists people first, then messages with those of one conversation together', async () => {
    const { app } = await openWindow(talkingWorld());
    await app.search.query('TH');
    const rows = searchRows(app).map((row) =>
      row.kind === 'person' ? row.name : `${row.hit.conversation.peerName}${row.heads ? ' *' : ''}`,
    );
    expect(rows).toEqual([
      'Maria Rossi *',
      'Ana Sørensen *',
      'Tom Weber *',
      'Tom Weber',
      'Tom Weber',
      'Tom Weber',
    ]);
    await app.search.query('tom@');
    expect(searchRows(app).map(({ kind }) => kind)).toEqual(['person']);
  });

  it('leads to the message in its conversation', async () => {
    const { app } = await openWindow(talkingWorld());
    await app.search.query('figures');
    searchRows(app)[0]!.open();
    await settle();
    expect(app.conversations.openId).toBe('with-tom');
    expect(app.thread.flashedId).toBe('tom-3');
  });
});
