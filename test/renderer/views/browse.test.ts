import { describe, expect, it } from 'vitest';
import DetailsPane from '../../../renderer/views/details/DetailsPane.svelte';
import CalendarView from '../../../renderer/views/thread/CalendarView.svelte';
import { receiveShortcut } from '../../../renderer/views/shell/shortcuts.ts';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import { filesWorld, longWorld, talkingWorld } from '../support/scenarios.ts';
import { buttonNamed, openWindow, settle, show, type TestWindow } from '../support/window.ts';

function press({ app }: TestWindow, key: string, target: HTMLElement = document.body): KeyboardEvent {
  const event = new KeyboardEvent('keydown', { key, ctrlKey: true, bubbles: true, cancelable: true });
  Object.defineProperty(event, 'target', { value: target });
  receiveShortcut(event, app);
  return event;
}

function type(key: string): void {
  document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
}

const withTom = 'with-tom' as ConversationId;

describe('the calendar', () => {
  it('opens at the day on the screen, moves by keys and shows where a day begins', async () => {
    const window = await openWindow(longWorld(2_000));
    await window.app.openConversation(withTom);
    press(window, 'g');
    await settle();
    const view = show(window.app, CalendarView);
    await settle();
    const messages = window.backend.world.messages;
    const on = (daysAgo: number): { count: number; first: string } => {
      const day = new Date(Date.now() - daysAgo * 86_400_000).toDateString();
      const all = messages.filter(({ sentAtMs }) => new Date(sentAtMs).toDateString() === day);
      return { count: all.length, first: all[0]?.text ?? '' };
    };
    expect(document.activeElement?.getAttribute('aria-label')).toContain(`${on(0).count} messages`);
    type('ArrowUp');
    // A week before there was nothing yet: the first day is as far as it goes.
    await settle();
    type('ArrowRight');
    await settle();
    type('ArrowRight');
    await settle();
    const chosen = document.activeElement as HTMLButtonElement;
    expect(chosen.ariaDisabled === 'true').toBe(false);
    chosen.click();
    await settle();
    expect(window.app.calendar.conversationId).toBeNull();
    const wish = window.app.thread.scrollWish;
    const shown = window.app.thread.messages.find(
      ({ position }) => wish.to === 'position' && position === wish.position,
    );
    const day = new Date(shown?.sentAtMs ?? 0).toDateString();
    expect(messages.find(({ sentAtMs }) => new Date(sentAtMs).toDateString() === day)).toEqual(shown);
    expect(view.isConnected).toBe(true);
  });

  it('does not choose a day without messages', async () => {
    const window = await openWindow(filesWorld());
    await window.app.openConversation(withTom);
    await window.app.openCalendar();
    const view = show(window.app, CalendarView);
    await settle();
    const empty = [...view.querySelectorAll<HTMLElement>('button.day')].find(
      (each) => each.ariaDisabled === 'true' || each.getAttribute('aria-disabled') === 'true',
    );
    expect(empty?.getAttribute('aria-label')).toContain('no messages');
    empty?.click();
    await settle();
    expect(window.backend.calls.map(({ call }) => call)).not.toContain('browse.positionOfDay');
  });
});

describe('keys', () => {
  it('Control J goes to the next conversation with something unread, at its first unread message', async () => {
    const window = await openWindow(talkingWorld());
    const unread = window.app.conversations.sorted.find(({ unreadCount }) => unreadCount > 0);
    const other = window.app.conversations.sorted.find(({ unreadCount }) => unreadCount === 0);
    await window.app.openConversation(other!.id);
    expect(press(window, 'j').defaultPrevented).toBe(true);
    await settle();
    expect(window.app.conversations.openId).toBe(unread?.id);
    expect(window.app.thread.newAfter).toBe(unread?.readPosition);
  });

  it('Control J finds what is only marked as unread, and opening it takes the mark away', async () => {
    const world = talkingWorld();
    const last = world.conversations.at(-1)!;
    const away = world.conversations.at(-2)!;
    world.conversations = world.conversations.map((each) => ({ ...each, unreadCount: 0 }));
    world.marks = {
      [last.id]: { pinned: false, muted: true, archived: false, unread: true },
      [away.id]: { pinned: false, muted: false, archived: true, unread: true },
    };
    const window = await openWindow(world);
    await window.app.openConversation(withTom);
    press(window, 'j');
    await settle();
    expect(window.app.conversations.openId).toBe(last.id);
    expect(window.app.marks.get(last.id).unread).toBe(false);
    // What is in the archive is left there.
    press(window, 'j');
    await settle();
    expect(window.app.conversations.openId).toBe(last.id);
    // The one that is open has nothing else to go to.
    await window.app.marks.set(last.id, { unread: true });
    press(window, 'j');
    await settle();
    expect(window.app.marks.get(last.id).unread).toBe(false);
  });

  it('Control Home goes to the beginning, but in a text that is being written to its own', async () => {
    const window = await openWindow(longWorld(300));
    await window.app.openConversation(withTom);
    const box = document.createElement('textarea');
    box.value = 'half a sentence';
    expect(press(window, 'Home', box).defaultPrevented).toBe(false);
    press(window, 'Home');
    await settle();
    expect(window.app.thread.messages[0]?.text).toContain('1. ');
    expect(window.app.thread.hasBefore).toBe(false);
    press(window, 'End');
    await settle();
    expect(window.app.thread.messages.at(-1)?.text).toContain('300. ');
  });
});

describe('the details', () => {
  it('say how much there is, list what was shared page by page, and lead to it', async () => {
    const world = filesWorld();
    for (let nth = 0; nth < 40; nth += 1) {
      const message = { ...world.messages[0]!, id: `extra-${nth}` as never, position: 100 + nth };
      world.messages.push(message);
    }
    const window = await openWindow(world);
    await window.app.openConversation(withTom);
    press(window, 'i');
    await settle();
    const conversation = window.app.conversations.open;
    const view = show(window.app, DetailsPane, { conversation });
    await settle();
    expect(view.textContent).toContain('54 messages');
    expect(view.textContent).toContain('53 files');
    window.app.details.choose('file');
    await settle();
    const items = (): number => view.querySelectorAll('li').length;
    expect(items()).toBe(30);
    buttonNamed(view, 'Show more').click();
    await settle();
    expect(items()).toBe(53);
    expect(
      [...view.querySelectorAll('button')].some(({ textContent }) => textContent.includes('Show more')),
    ).toBe(false);
    buttonNamed(view, 'sunset.png').click();
    await settle();
    const shown = window.app.thread.messages.find(({ id }) => id === window.app.thread.flashedId);
    expect(shown?.text).toBe('sunset.png');
  });

  it('show one pane at a time', async () => {
    const window = await openWindow(talkingWorld());
    await window.app.openConversation(withTom);
    window.app.toggleDetails();
    window.app.toggleInspector();
    expect([window.app.details.shown, window.app.inspector.shown]).toEqual([false, true]);
    window.app.toggleDetails();
    expect([window.app.details.shown, window.app.inspector.shown]).toEqual([true, false]);
  });
});
