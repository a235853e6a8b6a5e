import { describe, expect, it } from 'vitest';
import { pageSize, windowSize, type Thread } from '../../../renderer/state/thread.svelte.ts';
import type { ConversationId, MessageId } from '../../../shared/domain/ids.ts';
import { longWorld, talkingWorld } from '../support/scenarios.ts';
import { openWindow, settle, type TestWindow } from '../support/window.ts';

const tom = 'with-tom' as ConversationId;

async function openLong(count = 1_000): Promise<TestWindow & { thread: Thread }> {
  const window = await openWindow(longWorld(count));
  await window.app.openConversation(tom);
  return { ...window, thread: window.app.thread };
}

function positions(thread: Thread): number[] {
  return thread.messages.map(({ position }) => position);
}

function isGapless(numbers: readonly number[]): boolean {
  return numbers.every((number, place) => place === 0 || number === (numbers[place - 1] ?? 0) + 1);
}

describe('Thread: pages', () => {
  it('opens at the newest page', async () => {
    const { thread } = await openLong();
    expect(positions(thread)).toEqual(
      Array.from({ length: pageSize }, (_, place) => 1_000 - pageSize + 1 + place),
    );
    expect([thread.hasBefore, thread.hasAfter]).toEqual([true, false]);
    expect(thread.scrollWish).toEqual({ to: 'bottom' });
  });

  it('opens with what fills the screen, and never with more than a page', async () => {
    for (const screenful of [15, pageSize + 10]) {
      const { app } = await openWindow(longWorld(1_000));
      app.thread.screenful = screenful;
      await app.openConversation(tom);
      expect(app.thread.messages).toHaveLength(Math.min(screenful, pageSize));
      expect(positions(app.thread).at(-1)).toBe(1_000);
    }
  });

  it('keeps a bounded, gapless window while the user reads back to the beginning and forth again', async () => {
    const { thread } = await openLong();
    for (let turn = 0; thread.hasBefore && turn < 1_000; turn += 1) {
      await thread.loadOlder();
      expect(thread.messages.length).toBeLessThanOrEqual(windowSize);
      expect(isGapless(positions(thread))).toBe(true);
    }
    expect(positions(thread)[0]).toBe(1);
    expect(thread.hasAfter).toBe(true);
    for (let turn = 0; thread.hasAfter && turn < 1_000; turn += 1) {
      await thread.loadNewer();
      expect(thread.messages.length).toBeLessThanOrEqual(windowSize);
      expect(isGapless(positions(thread))).toBe(true);
    }
    expect(positions(thread).at(-1)).toBe(1_000);
    expect(thread.hasBefore).toBe(true);
  });

  it('asks for one page at a time', async () => {
    const { thread, backend } = await openLong();
    const before = backend.calls.length;
    await Promise.all([thread.loadOlder(), thread.loadOlder()]);
    expect(backend.calls.length - before).toBe(1);
  });

  it('drops the page of a conversation that has been left meanwhile', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    let release = (): void => undefined;
    backend.hold = new Promise((done) => (release = done));
    const first = app.openConversation(tom);
    const second = app.openConversation('with-ana' as ConversationId);
    release();
    await Promise.all([first, second]);
    expect(app.thread.messages.map(({ text }) => text)).toEqual(['Thanks, that fixed it']);
  });

  it('shows a message far back in its context and marks it', async () => {
    const { app, backend, thread } = await openLong();
    const message = backend.world.messages[99]!;
    await app.showMessage(message);
    expect(positions(thread)).toContain(100);
    expect(positions(thread)).not.toContain(1_000);
    expect(thread.flashedId).toBe(message.id);
    expect(thread.scrollWish).toEqual({ to: 'message', id: message.id });
  });

  it('goes back to the newest message from there', async () => {
    const { app, backend, thread } = await openLong();
    await app.showMessage(backend.world.messages[99]!);
    await thread.jumpToLatest();
    expect(positions(thread).at(-1)).toBe(1_000);
    expect(thread.scrollWish).toEqual({ to: 'bottom' });
  });

  it('says that it could not be read, and can be read again', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    backend.refusals.set('message.list', { code: 'store-failed', message: 'disk' });
    await app.openConversation(tom);
    expect(app.thread.phase).toBe('failed');
    backend.refusals.clear();
    await app.thread.resynchronise();
    expect(app.thread.phase).toBe('ready');
    expect(app.thread.messages).toHaveLength(6);
  });
});

describe('Thread: events', () => {
  it('shows a message once, whether the event or the answer is first', async () => {
    const { thread } = await openLong();
    await thread.send('Hello');
    await settle();
    expect(thread.messages.filter(({ text }) => text === 'Hello')).toHaveLength(1);
  });

  it('does not let the answer to a sending undo a newer state', async () => {
    const { thread, backend } = await openLong();
    let release = (): void => undefined;
    backend.hold = new Promise((done) => (release = done));
    const sending = thread.send('Hello');
    await settle();
    const stored = backend.world.messages.at(-1)!;
    backend.changeMessage(stored.id, 'delivered');
    release();
    await sending;
    expect(thread.messages.at(-1)).toMatchObject({ text: 'Hello', state: 'delivered' });
  });

  it('changes a message in its place', async () => {
    const { thread, backend } = await openLong();
    const id = thread.messages[0]!.id;
    const before = positions(thread);
    backend.changeMessage(id, 'failed');
    expect(thread.messages[0]).toMatchObject({ id, state: 'failed' });
    expect(positions(thread)).toEqual(before);
  });

  it('takes no message of another conversation', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    await app.openConversation(tom);
    backend.addMessage('with-ana' as ConversationId, { direction: 'in', text: 'x', state: 'received' });
    expect(app.thread.messages).toHaveLength(6);
  });

  it('leaves the window as it is when the newest messages are not in it', async () => {
    const { app, backend, thread } = await openLong();
    await app.showMessage(backend.world.messages[99]!);
    const before = positions(thread);
    backend.addMessage(tom, { direction: 'in', text: 'late', state: 'received' });
    expect(positions(thread)).toEqual(before);
  });

  it('keeps what is read in the window when many messages arrive below', async () => {
    const { thread, backend } = await openLong();
    thread.atBottom = false;
    const first = thread.messages[0]!.id;
    for (let count = 0; count < windowSize; count += 1) {
      const atMs = Date.now() + count * 60_000;
      backend.addMessage(tom, { direction: 'in', text: `new ${count}`, state: 'received' }, atMs);
    }
    expect(thread.messages[0]!.id).toBe(first);
    expect(thread.messages).toHaveLength(windowSize);
    expect(thread.hasAfter).toBe(true);
  });

  it('misses no message that arrives while the last page is on its way', async () => {
    const { app, backend, thread } = await openLong();
    await app.showMessage(backend.world.messages[959]!);
    await thread.loadNewer();
    await thread.loadNewer();
    expect(thread.hasAfter).toBe(true);
    let release = (): void => undefined;
    backend.hold = new Promise((done) => (release = done));
    const loading = thread.loadNewer();
    await settle();
    backend.addMessage(tom, { direction: 'in', text: 'meanwhile', state: 'received' });
    release();
    await loading;
    expect(thread.hasAfter).toBe(false);
    expect(thread.messages.at(-1)!.text).toBe('meanwhile');
    expect(isGapless(positions(thread))).toBe(true);
  });
});

describe('Thread: the "New" line and what has been seen', () => {
  it('stands where the unread messages begin', async () => {
    const { app } = await openWindow(talkingWorld());
    await app.openConversation(tom);
    expect(app.thread.newAfter).toBe(5);
    expect(app.thread.scrollWish).toEqual({ to: 'new' });
  });

  it('goes when the user answers', async () => {
    const { app } = await openWindow(talkingWorld());
    await app.openConversation(tom);
    await app.thread.send('Four is fine');
    expect(app.thread.newAfter).toBeNull();
  });

  it('comes when messages arrive behind the back of the user', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    await app.openConversation('with-ana' as ConversationId);
    app.attention.active = false;
    const { position } = backend.addMessage('with-ana' as ConversationId, {
      direction: 'in',
      text: 'One more thing',
      state: 'received',
    });
    expect(app.thread.newAfter).not.toBeNull();
    expect(app.thread.newAfter).toBeLessThan(position);
  });

  it('tells the main process once what has been seen, and only when something was unread', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    await app.openConversation(tom);
    const marks = (): unknown[] => backend.calls.filter(({ call }) => call === 'conversation.markRead');
    app.thread.markSeen(5);
    expect(marks()).toEqual([]);
    app.thread.markSeen(6);
    app.thread.markSeen(6);
    app.thread.markSeen(3);
    expect(marks()).toEqual([{ call: 'conversation.markRead', input: { conversationId: tom, position: 6 } }]);
    await settle();
    expect(app.conversations.get(tom)?.unreadCount).toBe(0);
  });
});

describe('resynchronisation', () => {
  it('reads lists and the open thread anew after a gap', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    await app.openConversation(tom);
    backend.publish('imserver.changed', { running: true });
    backend.world.messages = backend.world.messages.map((message) =>
      message.id === ('tom-4' as MessageId) ? { ...message, state: 'displayed' } : message,
    );
    backend.world.conversations = backend.world.conversations.filter(({ id }) => id === tom);
    backend.skipEvent();
    backend.publish('imserver.changed', { running: false });
    await settle();
    expect(app.thread.messages.find(({ id }) => id === 'tom-4')?.state).toBe('displayed');
    expect(app.conversations.sorted.map(({ id }) => id)).toEqual([tom]);
  });

  it('says that the link is lost, and catches up when it is back', async () => {
    const { app, backend, transport } = await openWindow(talkingWorld());
    await app.openConversation(tom);
    transport.cut();
    expect(app.link.lost).toBe(true);
    backend.addMessage(tom, { direction: 'in', text: 'while you were gone', state: 'received' });
    transport.restore();
    await settle();
    expect(app.link.lost).toBe(false);
    expect(app.thread.messages.at(-1)?.text).toBe('while you were gone');
  });
});
