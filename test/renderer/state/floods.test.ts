import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { windowSize, type Thread } from '../../../renderer/state/thread.svelte.ts';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import type { Message } from '../../../shared/domain/message.ts';
import { addFlood } from '../support/flood-scenario.ts';
import { longWorld, talkingWorld } from '../support/scenarios.ts';
import { openWindow, settle, type TestWindow } from '../support/window.ts';

const tom = 'with-tom' as ConversationId;

interface FloodWindow extends TestWindow {
  readonly thread: Thread;
  /** Tom says as many things at once. */
  readonly floodOf: (count: number) => Message[];
}

async function openFlooded(world = talkingWorld()): Promise<FloodWindow> {
  const window = await openWindow(world);
  await window.app.openConversation(tom);
  const { backend, app } = window;
  const floodOf = (count: number): Message[] =>
    Array.from({ length: count }, (_, nth) =>
      backend.addMessage(tom, { direction: 'in', text: `spam ${nth}`, state: 'received' }),
    );
  return { ...window, thread: app.thread, floodOf };
}

const texts = (thread: Thread): string[] => thread.messages.map(({ text }) => text);

describe('a flood in the thread', () => {
  it('that is there: five messages, what comes after them, and how many there are', async () => {
    const { thread } = await openFlooded(addFlood(talkingWorld()));
    expect(texts(thread).slice(-7)).toEqual([
      ...[1, 2, 3, 4, 5].map((nth) => `Build ${nth} of 5000 is done.`),
      'Your script is running wild.',
      'Sorry! I have stopped it.',
    ]);
    expect(thread.floods.all).toMatchObject([{ count: 5_000, open: false }]);
    expect([thread.hasBefore, thread.hasAfter]).toEqual([false, false]);
  });

  it('that arrives: is collapsed from the 21st message on and counts', async () => {
    const { thread, floodOf } = await openFlooded(longWorld(100));
    floodOf(20);
    expect(texts(thread).slice(-2)).toEqual(['spam 18', 'spam 19']);
    expect(thread.floods.all).toEqual([]);
    floodOf(1);
    expect(texts(thread).slice(-2)).toEqual(['spam 3', 'spam 4']);
    expect(thread.floods.all).toMatchObject([{ count: 21, open: false }]);
    floodOf(400);
    expect(texts(thread).at(-1)).toBe('spam 4');
    expect(thread.floods.all).toMatchObject([{ count: 421 }]);
    expect(thread.hasAfter).toBe(false);
  });

  it('ends with an answer, a pause or somebody else', async () => {
    const { thread, backend, floodOf } = await openFlooded(longWorld(100));
    floodOf(15);
    await thread.send('Stop it');
    floodOf(15);
    const later = Date.now() + 5_200;
    for (let nth = 0; nth < 10; nth += 1) {
      backend.addMessage(tom, { direction: 'in', text: `later ${nth}`, state: 'received' }, later);
    }
    expect(thread.floods.all).toEqual([]);
    const group = (name: string): Pick<Message, 'group'> => ({
      group: { person: { address: `${name}@example.org`, name }, isPrivate: false, notice: null },
    });
    for (let nth = 0; nth < 60; nth += 1) {
      const by = group(nth % 2 === 0 ? 'ana' : 'eve');
      backend.addMessage(tom, { direction: 'in', text: `both ${nth}`, state: 'received', ...by });
    }
    expect(thread.floods.all).toEqual([]);
    await thread.resynchronise();
    expect(thread.floods.all).toEqual([]);
  });

  it('is shown whole when the user wants it, page by page, and collapsed again', async () => {
    const { thread } = await openFlooded(addFlood(talkingWorld(), 300));
    const [flood] = thread.floods.all;
    await thread.setFloodOpen(flood!.first, true);
    expect(thread.scrollWish).toEqual({ to: 'same' });
    expect(texts(thread)).toContain('Build 40 of 300 is done.');
    for (let turn = 0; thread.hasAfter && turn < 100; turn += 1) await thread.loadNewer();
    expect(texts(thread).slice(-3)).toEqual([
      'Build 300 of 300 is done.',
      'Your script is running wild.',
      'Sorry! I have stopped it.',
    ]);
    expect(thread.messages.length).toBeLessThanOrEqual(windowSize);
    await thread.resynchronise();
    expect(texts(thread)).toContain('Build 299 of 300 is done.');
    await thread.setFloodOpen(flood!.first, false);
    expect(texts(thread).slice(-3)).toEqual([
      'Build 5 of 300 is done.',
      'Your script is running wild.',
      'Sorry! I have stopped it.',
    ]);
  });

  it('that is open and goes on is shown as it goes on', async () => {
    const { thread, floodOf } = await openFlooded(longWorld(100));
    floodOf(30);
    await thread.setFloodOpen(thread.floods.all[0]!.first, true);
    floodOf(3);
    expect(texts(thread).slice(-4)).toEqual(['spam 29', 'spam 0', 'spam 1', 'spam 2']);
    expect(thread.floods.all).toMatchObject([{ count: 33, open: true }]);
  });

  it('opens for a message that a search or an answer leads to', async () => {
    const { app, backend, thread } = await openFlooded(addFlood(talkingWorld()));
    const found = backend.world.messages.find(({ text }) => text.startsWith('Build 2500'))!;
    await app.showMessage(found);
    expect(texts(thread)).toContain(found.text);
    expect(thread.scrollWish).toEqual({ to: 'message', id: found.id });
    expect(thread.floods.all).toMatchObject([{ count: 5_000, open: true }]);
    await app.openConversation('with-ana' as ConversationId);
    await app.openConversation(tom);
    expect(thread.floods.all).toMatchObject([{ open: false }]);
    await thread.showQuoted(found.position);
    expect(thread.flashedId).toBe(found.id);
    expect(texts(thread)).toContain(found.text);
  });

  it('has been seen whole when its row is on the screen', async () => {
    const { app, backend, thread, floodOf } = await openFlooded(longWorld(100));
    const last = floodOf(300).at(-1)!;
    thread.markSeen(last.position);
    await settle();
    expect(app.conversations.get(tom)?.unreadCount).toBe(0);
    expect(backend.calls.filter(({ call }) => call === 'conversation.markRead').at(-1)?.input).toEqual({
      conversationId: tom,
      position: last.position,
    });
  });

  it('says what has been seen once for all that came while that was being told', async () => {
    const { backend, thread, floodOf } = await openFlooded(longWorld(100));
    const marks = (): unknown[] => backend.calls.filter(({ call }) => call === 'conversation.markRead');
    let release = (): void => undefined;
    backend.hold = new Promise((done) => (release = done));
    for (const { position } of floodOf(50)) thread.markSeen(position);
    expect(marks()).toHaveLength(1);
    release();
    await settle();
    expect(marks()).toHaveLength(2);
  });

  it('misses no message that arrives while the page is on its way', async () => {
    const { backend, thread, floodOf } = await openFlooded(longWorld(100));
    floodOf(30);
    let release = (): void => undefined;
    backend.hold = new Promise((done) => (release = done));
    const reading = thread.resynchronise();
    await settle();
    floodOf(7);
    release();
    await reading;
    expect(thread.floods.all).toMatchObject([{ count: 37 }]);
    expect(texts(thread).at(-1)).toBe('spam 4');
  });

  it('is counted anew when some of it has been deleted, and stays open', async () => {
    const { backend, thread } = await openFlooded(addFlood(talkingWorld(), 60));
    const remove = async (text: string): Promise<void> => {
      const gone = backend.world.messages.find((message) => message.text === text)!;
      backend.world.messages = backend.world.messages.filter((message) => message !== gone);
      backend.publish('messages.deleted', { conversationId: tom, positions: [gone.position] });
      await settle();
    };
    await remove('Build 30 of 60 is done.');
    expect(thread.floods.all).toMatchObject([{ count: 59, open: false }]);
    await thread.setFloodOpen(thread.floods.all[0]!.first, true);
    await remove('Build 1 of 60 is done.');
    expect(thread.floods.all).toMatchObject([{ count: 58, open: true }]);
    expect(texts(thread)).toContain('Build 6 of 60 is done.');
  });
});

describe('what a screen reader is told of a flood', () => {
  it('each of the first twenty, then every five seconds how many more there were', async () => {
    const { app, floodOf } = await openFlooded();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const said: string[] = [];
    const say = app.announcer.say.bind(app.announcer);
    app.announcer.say = (text) => {
      said.push(text);
      say(text);
    };
    floodOf(320);
    expect(said).toHaveLength(20);
    vi.advanceTimersByTime(5_000);
    expect(said.slice(20)).toEqual(['300 more messages from Tom Weber']);
    floodOf(2);
    vi.advanceTimersByTime(5_000);
    vi.advanceTimersByTime(60_000);
    expect(said.slice(21)).toEqual(['2 more messages from Tom Weber']);
  });
});
