import { describe, expect, it } from 'vitest';
import ConversationList from '../../../renderer/views/conversations/ConversationList.svelte';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import { askedWorld, talkingWorld } from '../support/scenarios.ts';
import { openWindow, settle, show } from '../support/window.ts';

function lines(list: HTMLElement): Record<string, string> {
  return Object.fromEntries(
    [...list.querySelectorAll('.row')].map((row) => [
      row.querySelector('.name')?.textContent ?? '',
      row.querySelector('.second')?.textContent.replace(/\s+/g, ' ').trim() ?? '',
    ]),
  );
}

describe('ConversationList', () => {
  it('shows who types instead of the last message', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    const list = show(app, ConversationList);
    expect(lines(list)['Tom Weber']).toContain('Typing…');
    backend.publishComposing('with-tom' as ConversationId, []);
    await settle();
    expect(lines(list)['Tom Weber']).toContain('Coming in nicely.');
  });

  it('shows the draft of a conversation that has been left', async () => {
    const { app } = await openWindow(talkingWorld());
    const list = show(app, ConversationList);
    app.drafts.set('with-ana' as ConversationId, 'and by the way');
    await settle();
    expect(lines(list)['Ana Sørensen']).toBe('Draft: and by the way');
  });

  it('says how many messages are unread', async () => {
    const { app } = await openWindow(talkingWorld());
    expect(lines(show(app, ConversationList))['李小龙']).toContain('1 unread message');
  });

  it('shows that a stranger waits, and nothing that he has written', async () => {
    const { app, backend } = await openWindow(askedWorld());
    const list = show(app, ConversationList);
    backend.addMessage('with-eve' as ConversationId, {
      direction: 'in',
      text: 'buy this',
      state: 'received',
    });
    await settle();
    expect(lines(list)['Eve']).toBe('Wants to talk to you');
  });

  it('has strangers who wait in a folder of their own: open while they are few, closed when they are many', async () => {
    const world = askedWorld();
    const eve = world.conversations.find(({ peerName }) => peerName === 'Eve')!;
    const { app, backend } = await openWindow(world);
    const list = show(app, ConversationList);
    const folder = (): HTMLElement => list.querySelector<HTMLElement>('[aria-expanded]')!;
    const names = (): string[] => Object.keys(lines(list));
    expect(folder().textContent.trim()).toBe('Message request (1)');
    expect(list.querySelector('button')).toBe(folder());
    expect(names()[0]).toBe('Eve');
    for (let nth = 1; nth <= 3; nth += 1) {
      const conversation = { ...eve, id: `with-${nth}` as ConversationId, peerName: `Stranger ${nth}` };
      app.conversations.applyConversationChanged(conversation);
    }
    await settle();
    expect(folder().textContent.trim()).toBe('Message requests (4)');
    expect(folder().getAttribute('aria-expanded')).toBe('false');
    expect(names()[0]).toBe('Tom Weber');
    folder().click();
    await settle();
    expect(names().slice(0, 4)).toEqual(
      expect.arrayContaining(['Eve', 'Stranger 1', 'Stranger 2', 'Stranger 3']),
    );
    // Whoever is answered belongs to the list.
    await app.conversations.answer(eve.id, true);
    await settle();
    expect(backend.calls.at(-1)).toMatchObject({ call: 'conversation.answer' });
    expect(folder().textContent.trim()).toBe('Message requests (3)');
    folder().click();
    await settle();
    expect(names()).toContain('Eve');
    expect(names()).not.toContain('Stranger 1');
  });

  it('is one stop of the Tab key; arrow keys move within it', async () => {
    const { app } = await openWindow(talkingWorld());
    const list = show(app, ConversationList);
    const rows = [...list.querySelectorAll<HTMLElement>('.row')];
    expect(rows.filter(({ tabIndex }) => tabIndex === 0)).toEqual([rows[0]]);
    rows[0]!.focus();
    rows[0]!.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }));
    expect(document.activeElement).toBe(rows[1]);
    rows[1]!.dispatchEvent(new KeyboardEvent('keydown', { key: 'End', bubbles: true }));
    expect(document.activeElement).toBe(rows.at(-1));
  });
});
