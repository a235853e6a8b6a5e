import { describe, expect, it } from 'vitest';
import MessageList from '../../../renderer/views/thread/MessageList.svelte';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import { addFlood } from '../support/flood-scenario.ts';
import { talkingWorld } from '../support/scenarios.ts';
import { buttonNamed, openWindow, settle, show } from '../support/window.ts';

const tom = 'with-tom' as ConversationId;

async function openList(count: number, language: 'en' | 'de' | 'ar' = 'en') {
  const world = addFlood(talkingWorld(), count);
  world.settings = { ...world.settings, 'appearance.language': language };
  const window = await openWindow(world);
  await window.app.openConversation(tom);
  const view = show(window.app, MessageList, { conversation: window.app.conversations.get(tom) });
  await settle();
  /** As they are read, without who speaks. */
  const rows = (): string[] =>
    [...view.querySelectorAll('li')].map(({ textContent }) =>
      textContent
        .replaceAll(/\s+/g, ' ')
        .trim()
        .replace(/^(Tom Weber|You): /, ''),
    );
  return { ...window, view, rows };
}

describe('the row of a flood', () => {
  it('stands below the first five messages, and above all when it is opened: with the focus', async () => {
    const { app, view, rows } = await openList(5_000);
    const at = (beginning: string): number => rows().findIndex((row) => row.startsWith(beginning));
    expect(at('4,995 more messages from Tom Weber')).toBe(at('Build 5 of') + 1);
    expect(at('Your script')).toBe(at('4,995 more') + 1);
    const button = buttonNamed(view, 'Show');
    expect(button.getAttribute('aria-expanded')).toBe('false');
    const described = document.getElementById(button.getAttribute('aria-describedby') ?? '');
    expect(described?.textContent).toBe('4,995 more messages from Tom Weber');
    button.focus();
    button.click();
    await settle();
    expect(document.activeElement).toBe(button);
    expect(button.textContent.trim()).toBe('Hide');
    expect(button.getAttribute('aria-expanded')).toBe('true');
    expect(at('Build 6 of')).toBe(at('4,995 more') + 1);
    button.click();
    await settle();
    expect(document.activeElement).toBe(button);
    expect(at('Build 6 of')).toBe(-1);
    expect(app.thread.problem).toBeNull();
  });

  it('has the line above it when what is new is behind it', async () => {
    const { app, rows, view } = await openList(60);
    const flood = app.thread.floods.all[0]!;
    app.thread.newAfter = flood.first + 30;
    await settle();
    const line = rows().indexOf('New');
    expect(rows()[line - 1]).toMatch(/^Build 5 of/);
    expect(rows()[line + 1]).toMatch(/^55 more messages/);
    buttonNamed(view, 'Show').click();
    await settle();
    expect(rows()[rows().indexOf('New') + 1]).toMatch(/^Build 32 of/);
  });

  it('speaks the language of the window, with its plurals', async () => {
    expect((await openList(21, 'de')).rows()).toContainEqual(
      expect.stringMatching(/^16 weitere Nachrichten von Tom Weber Anzeigen$/),
    );
    expect((await openList(5_000, 'de')).rows()).toContainEqual(expect.stringMatching(/^4\.995 weitere/));
    expect((await openList(21, 'ar')).rows()).toContainEqual(expect.stringContaining('رسالة أخرى من'));
  });
});
