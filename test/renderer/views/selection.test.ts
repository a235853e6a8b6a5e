import { expect, it, onTestFinished } from 'vitest';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import { maxChosenMessages } from '../../../shared/ipc/message-change-calls.ts';
import { scenarios } from '../support/scenarios.ts';
import { chooseInMenu, openShell, withTom } from '../support/shell.ts';
import { buttonNamed, settle } from '../support/window.ts';

/** By the menu of a message, as a user does it. */
async function select(shell: HTMLElement, text: string): Promise<void> {
  await chooseInMenu(shell, text, 'Select');
  await settle();
}

function boxes(shell: HTMLElement): HTMLElement[] {
  return [...shell.querySelectorAll<HTMLElement>('[role="checkbox"][data-choose]')];
}

function chosen(shell: HTMLElement): string[] {
  return boxes(shell)
    .filter(({ ariaChecked }) => ariaChecked === 'true')
    .map((box) =>
      box
        .getAttribute('aria-label')!
        .replace(/^.*?\d: /, '')
        .slice(0, 12),
    );
}

function barOf(shell: HTMLElement): HTMLElement {
  return shell.querySelector<HTMLElement>('[role="group"][aria-label="Chosen messages"]')!;
}

async function press(key: string, shiftKey = false): Promise<void> {
  const event = new KeyboardEvent('keydown', { key, shiftKey, bubbles: true, cancelable: true });
  document.activeElement!.dispatchEvent(event);
  await settle();
}

it('more are chosen by clicks and by Shift with the arrow keys; Escape ends it', async () => {
  const { app, shell } = await openShell(scenarios.talking());
  await select(shell, 'Did the new');
  expect(chosen(shell)).toEqual(['Did the new ']);
  expect(document.activeElement).toBe(boxes(shell)[0]);
  expect(boxes(shell)[0]!.getAttribute('aria-label')).toMatch(/^You, \d\d:\d\d: Did the new build/);
  await press('ArrowDown', true);
  await press('ArrowDown', true);
  expect(chosen(shell)).toEqual(['Did the new ', 'Yes, install', 'All 1 204 31']);
  expect(barOf(shell).textContent).toContain('3 messages chosen');
  await press('ArrowDown');
  expect(document.activeElement).toBe(boxes(shell)[3]);
  expect(chosen(shell)).toHaveLength(3);
  // Anywhere in the row.
  boxes(shell)[1]!.closest<HTMLElement>('.row')!.click();
  await settle();
  expect(chosen(shell)).toEqual(['Did the new ', 'All 1 204 31']);
  await press('Escape');
  expect(boxes(shell)).toEqual([]);
  expect(app.selection.conversationId).toBeNull();
});

it('they are copied with names and times in their order, and forwarded in it', async () => {
  let copied = '';
  const before = Object.getOwnPropertyDescriptor(navigator, 'clipboard');
  Object.defineProperty(navigator, 'clipboard', {
    configurable: true,
    value: { writeText: (text: string) => Promise.resolve(void (copied = text)) },
  });
  onTestFinished(() => {
    if (before === undefined) delete (navigator as { clipboard?: unknown }).clipboard;
    else Object.defineProperty(navigator, 'clipboard', before);
  });
  const { app, shell } = await openShell(scenarios.talking());
  await select(shell, 'Yes, installed');
  boxes(shell)[0]!.click();
  await settle();
  buttonNamed(barOf(shell), 'Copy').click();
  await settle();
  expect(copied).toMatch(/^\[.*\d\d:\d\d\] You: Did the new.*\n\[.*\d\d:\d\d\] Tom Weber: Yes, installed/);
  expect(barOf(shell)).toBeNull();
  await select(shell, 'Yes, installed');
  boxes(shell)[0]!.click();
  await settle();
  buttonNamed(barOf(shell), 'Forward').click();
  await settle();
  expect(app.forwarding.messages.map(({ text }) => text.slice(0, 3))).toEqual(['Did', 'Yes']);
  expect(shell.querySelector('aside form')!.textContent).toContain('2 messages');
});

it('they are deleted after a second press; for everybody only where all are ours and the other side follows', async () => {
  const { backend, shell } = await openShell(scenarios.changes());
  const calls = (name: string) => backend.calls.filter(({ call }) => call === name).length;
  await select(shell, 'Good. I am');
  expect(barOf(shell).textContent).toContain('Delete for everybody');
  boxes(shell)[2]!.click();
  await settle();
  expect(barOf(shell).textContent).not.toContain('Delete for everybody');
  buttonNamed(barOf(shell), 'Delete for me').click();
  await settle();
  expect(calls('message.delete')).toBe(0);
  barOf(shell).querySelector<HTMLElement>('.danger')!.click();
  await settle();
  expect(calls('message.delete')).toBe(1);
  expect(backend.world.messages.some(({ text }) => text.startsWith('Good. I am'))).toBe(false);
  await select(shell, 'Did the new');
  buttonNamed(barOf(shell), 'Delete for everybody').click();
  await settle();
  barOf(shell).querySelector<HTMLElement>('.danger')!.click();
  await settle();
  expect(calls('message.takeBack')).toBe(1);
});

it('ends when another conversation is opened, and forgets what leaves the history', async () => {
  const { app, backend, shell } = await openShell(scenarios.talking());
  await select(shell, 'Did the new');
  const { id } = app.selection.messages[0]!;
  await backend.invoke('message.delete', { conversationId: withTom, ids: [id] });
  await settle();
  expect(barOf(shell).textContent).toContain('0 messages chosen');
  expect(buttonNamed(barOf(shell), 'Copy').disabled).toBe(true);
  await app.openConversation('with-ana' as ConversationId);
  await settle();
  expect(barOf(shell)).toBeNull();
});

it(`takes ${maxChosenMessages} at most`, async () => {
  const { app, shell } = await openShell(scenarios.long());
  const { messages } = app.thread;
  app.selection.begin(messages[0]!);
  const many = Array.from({ length: 150 }, (_, nth) => ({
    ...messages[0]!,
    id: `many-${nth}` as never,
    position: messages[0]!.position + nth,
  }));
  app.selection.extendTo(many[149]!, many);
  await settle();
  expect(app.selection.messages).toHaveLength(maxChosenMessages);
  expect(barOf(shell).textContent).toContain('At most 100 at once.');
  app.selection.toggle(many[149]!);
  expect(app.selection.messages).toHaveLength(maxChosenMessages);
});
