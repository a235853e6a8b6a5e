import { expect, it } from 'vitest';
import MessageList from '../../../renderer/views/thread/MessageList.svelte';
import ThreadView from '../../../renderer/views/thread/ThreadView.svelte';
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { World } from '../support/memory-backend.ts';
import { scenarios } from '../support/scenarios.ts';
import { buttonNamed, openWindow, settle, show, type TestWindow } from '../support/window.ts';

async function open(world: World): Promise<{ window: TestWindow; trip: Conversation }> {
  const window = await openWindow(world);
  const trip = window.app.conversations.sorted.find(({ kind }) => kind === 'group')!;
  await window.app.openConversation(trip.id);
  await settle();
  return { window, trip };
}

async function press(within: HTMLElement, name: string): Promise<void> {
  buttonNamed(within, name).click();
  await settle();
}

function plainText(element: Element | null): string {
  return (element?.textContent ?? '').replace(/\s+/g, ' ').trim();
}

function inputsOf({ backend }: TestWindow, call: string): unknown[] {
  return backend.calls.filter((each) => each.call === call).map(({ input }) => input);
}

const cards = (thread: HTMLElement): string[] => [...thread.querySelectorAll('.card .words')].map(plainText);

it('files in a group are shown with who has sent them; what is wrong is said of the server, not of a person', async () => {
  const { window, trip } = await open(scenarios.groupFiles());
  const thread = show(window.app, MessageList, { conversation: trip });
  await settle();
  expect(cards(thread)).toEqual([
    'Harbour plan.pdf 2.4 MB',
    'house.png 2.4 MB',
    'garden.mov 88 MB · Waiting for the server',
    'last summer.zip It is not on the server any more. Ask for it to be sent again.',
    'Packing list.txt 2.4 MB',
    'map.pdf 2.4 MB · Waiting for the server',
    'film.mov The server of this group takes no files of this size. Send it to one person.',
    'photos.zip There is no room for it on the server now. Try again later, or send it to one person.',
    'songs.zip The server of this group keeps no files. Send it to one person, or ask whoever runs the server.',
  ]);
  const bubble = [...thread.querySelectorAll('[data-id]')].find((one) =>
    plainText(one).includes('house.png'),
  ) as HTMLElement;
  expect(plainText(bubble.querySelector('.head'))).toBe('Tom Weber');
  await press(bubble, 'Download');
  expect(inputsOf(window, 'transfer.accept').at(-1)).toEqual({ messageId: bubble.dataset['id'] });
});

it('files are sent to everybody; while one writes to one member there is no button, and a dropped file says why', async () => {
  const { window, trip } = await open(scenarios.groups());
  const main = show(window.app, ThreadView, {});
  await settle();
  const drop = async (name: string): Promise<void> => {
    const event = new Event('drop', { bubbles: true, cancelable: true });
    const files = [new File(['x'], name)];
    Object.assign(event, { dataTransfer: { types: ['Files'], files, items: [] } });
    globalThis.dispatchEvent(event);
    await settle();
  };
  expect(main.querySelector('button[aria-label="Attach files"]')).not.toBeNull();
  await drop('for all.txt');
  expect(inputsOf(window, 'transfer.send')).toMatchObject([{ conversationId: trip.id }]);
  window.app.groups.writeTo(trip.id, window.app.groups.get(trip.id)!.members[2]);
  await settle();
  expect(main.querySelector('button[aria-label="Attach files"]')).toBeNull();
  await drop('for one.txt');
  expect(main.textContent).toContain('A file in a group is for all of its members.');
  expect(inputsOf(window, 'transfer.send')).toHaveLength(1);
  await press(main, 'Write to everybody again');
  expect(main.textContent).not.toContain('A file in a group is for all of its members.');
});
