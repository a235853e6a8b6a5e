import { describe, expect, it } from 'vitest';
import Bubble from '../../../renderer/views/thread/Bubble.svelte';
import { threadRows } from '../../../renderer/views/thread/thread-rows.ts';
import type { ConversationId, MessageId } from '../../../shared/domain/ids.ts';
import type { Message, MessageState } from '../../../shared/domain/message.ts';
import type { Transfer } from '../../../shared/domain/transfer.ts';
import { talkingWorld } from '../support/scenarios.ts';
import { sentFile } from '../support/sent-file.ts';
import { buttonNamed, openWindow, settle, show } from '../support/window.ts';

function message(change: Partial<Message>): Message {
  return {
    id: 'm1' as MessageId,
    conversationId: 'with-tom' as ConversationId,
    position: 1,
    direction: 'out',
    text: 'Hello',
    sentAtMs: new Date(2026, 10, 22, 14, 21).getTime(),
    state: 'sent',
    failure: null,
    ...change,
  };
}

describe('Bubble', () => {
  it.each<[MessageState, string]>([
    ['queued', 'Queued on this computer'],
    ['waiting', 'waiting for Tom'],
    ['sent', 'Sent'],
    ['delivered', 'Delivered'],
    ['displayed', 'Read'],
    ['failed', 'Not sent'],
  ])('says the state %s to a screen reader as "%s"', async (state, text) => {
    const { app } = await openWindow(talkingWorld());
    const bubble = show(app, Bubble, { message: message({ state }), name: 'Tom', place: 'first' });
    expect(bubble.querySelector('[role="img"]')?.getAttribute('aria-label')).toBe(text);
    expect(bubble.querySelector('time')?.textContent).toBe('14:21');
  });

  it('gives every state of an outgoing message a drawing of its own', async () => {
    const { app } = await openWindow(talkingWorld());
    const drawing = (state: MessageState): string =>
      show(app, Bubble, { message: message({ state }), name: 'Tom', place: 'first' }).querySelector('svg')!
        .innerHTML;
    const states = ['queued', 'sent', 'delivered', 'displayed', 'failed'] as const;
    expect(new Set(states.map(drawing)).size).toBe(states.length);
  });

  it('has no state glyph on incoming messages', async () => {
    const { app } = await openWindow(talkingWorld());
    const bubble = show(app, Bubble, {
      message: message({ direction: 'in', state: 'received' }),
      name: 'Tom',
      place: 'first',
    });
    expect(bubble.querySelector('[role="img"]')).toBeNull();
    expect(bubble.textContent).toContain('Hello');
  });

  it('says of a file that another device sends where it is offered, and lets nobody try again here', async () => {
    const { app } = await openWindow(talkingWorld());
    const card = (state: Transfer['state'], elsewhere?: true) =>
      show(app, Bubble, {
        message: message({
          state: 'queued',
          file: { ...sentFile, state, ...(elsewhere ? { elsewhere } : {}) },
        }),
        name: 'Tom',
        place: 'first',
      });
    expect(card('offered').textContent).toContain('Waiting for Tom to accept');
    const offered = card('offered', true);
    expect(offered.textContent).toContain('Offered from another device');
    expect(offered.querySelector('[aria-label^="Cancel"]')).not.toBeNull();
    expect(card('failed').textContent).toContain('Retry');
    expect(card('failed', true).textContent).not.toContain('Retry');
  });

  it('says in words whom a waiting message waits for', async () => {
    const { app } = await openWindow(talkingWorld());
    const bubble = show(app, Bubble, { message: message({ state: 'waiting' }), name: 'Tom', place: 'first' });
    expect(bubble.textContent).toContain('waiting for Tom');
  });

  it('shows why a message failed, and tries again', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    const bubble = show(app, Bubble, {
      message: message({
        id: 'tom-0' as MessageId,
        state: 'failed',
        failure: { code: 'declined', message: 'Tom declined. Write later.' },
      }),
      name: 'Tom',
      place: 'first',
    });
    expect(bubble.textContent).toContain('Tom declined. Write later.');
    buttonNamed(bubble, 'Retry').click();
    await settle();
    expect(backend.calls.at(-1)).toEqual({ call: 'message.retry', input: { messageId: 'tom-0' } });
  });

  it('takes markup in a message as text', async () => {
    const { app } = await openWindow(talkingWorld());
    const text = '<img src=x onerror=alert(1)> <b>bold</b>';
    const bubble = show(app, Bubble, { message: message({ text }), name: 'Tom', place: 'first' });
    expect(bubble.querySelector('img, b')).toBeNull();
    expect(bubble.querySelector('p')?.textContent).toBe(text);
  });
});

describe('threadRows', () => {
  const at = (day: number, hour: number, minute: number, second = 0): number =>
    new Date(2026, 10, day, hour, minute, second).getTime();
  const kinds = (messages: readonly Message[], newAfter: number | null = null): string[] =>
    threadRows(messages, newAfter).map((row) => (row.kind === 'message' && row.joined ? 'joined' : row.kind));

  it('joins messages of one sender within one minute', () => {
    const messages = [
      message({ sentAtMs: at(22, 9, 0, 5) }),
      message({ sentAtMs: at(22, 9, 0, 50) }),
      message({ sentAtMs: at(22, 9, 1, 2) }),
      message({ sentAtMs: at(22, 9, 1, 3), direction: 'in' }),
    ];
    expect(kinds(messages)).toEqual(['day', 'message', 'joined', 'message', 'message']);
  });

  it('begins each day with its separator', () => {
    const messages = [message({ sentAtMs: at(21, 23, 59) }), message({ sentAtMs: at(22, 0, 0) })];
    expect(kinds(messages)).toEqual(['day', 'message', 'day', 'message']);
  });

  it('draws one "New" line, before the first incoming message that has not been seen', () => {
    const messages = [
      message({ position: 1, direction: 'in', sentAtMs: at(22, 9, 0) }),
      message({ position: 2, direction: 'out', sentAtMs: at(22, 9, 0) }),
      message({ position: 3, direction: 'in', sentAtMs: at(22, 9, 0) }),
      message({ position: 4, direction: 'in', sentAtMs: at(22, 9, 0) }),
    ];
    expect(kinds(messages, 1)).toEqual(['day', 'message', 'message', 'new', 'message', 'joined']);
    expect(kinds(messages, 4)).not.toContain('new');
    expect(kinds(messages)).not.toContain('new');
  });
});
