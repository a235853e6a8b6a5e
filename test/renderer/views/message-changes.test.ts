/** Answers, reactions, other texts and what is taken back, as the window shows and does them. */
import { beforeEach, describe, expect, it } from 'vitest';
import ThreadView from '../../../renderer/views/thread/ThreadView.svelte';
import { scenarios, talkingWorld } from '../support/scenarios.ts';
import { buttonNamed, openWindow, settle, show, type TestWindow } from '../support/window.ts';

let window: TestWindow;
let view: HTMLElement;

async function open(world = scenarios.changes(), name = 'Tom Weber'): Promise<void> {
  window = await openWindow(world);
  const conversation = window.app.conversations.sorted.find(({ peerName }) => peerName === name);
  if (conversation === undefined) throw new Error(`no conversation with ${name}`);
  await window.app.openConversation(conversation.id);
  view = show(window.app, ThreadView);
  await settle();
}

function bubbleOf(text: string): HTMLElement {
  const line = [...view.querySelectorAll<HTMLElement>('.line')].find(
    (each) => each.querySelector('.bubble > .said > p')?.textContent.trim().startsWith(text) === true,
  );
  if (line === undefined) throw new Error(`no message "${text}"`);
  return line;
}

async function choose(text: string, item: string): Promise<void> {
  openMenu(text);
  await settle();
  buttonNamed(view.querySelector<HTMLElement>('[role=menu]')!, item).click();
  await settle();
}

function openMenu(text: string): void {
  bubbleOf(text).querySelector<HTMLButtonElement>('[data-menu]')?.click();
}

const box = () => view.querySelector<HTMLTextAreaElement>('textarea')!;
async function enter(text: string): Promise<void> {
  box().value = text;
  box().dispatchEvent(new Event('input', { bubbles: true }));
  box().dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
  await settle();
}
async function press(key: string): Promise<void> {
  box().dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
  await settle();
}
const callsOf = (call: string) =>
  window.backend.calls.filter((each) => each.call === call).map(({ input }) => input);

beforeEach(() => open());

describe('an answer', () => {
  it('is begun from the menu, names what it answers above the field, and is shown below it', async () => {
    await choose('Coming in', 'Reply');
    expect(view.querySelector('.task')?.textContent).toContain('Reply to Tom Weber');
    expect(view.querySelector('.task')?.textContent).toContain('Coming in nicely');
    await enter('At four, then');
    const answered = window.app.thread.messages.find(({ text }) => text.startsWith('Coming in'));
    expect(callsOf('message.send')).toEqual([
      expect.objectContaining({ text: 'At four, then', replyTo: answered?.id }),
    ]);
    expect(view.querySelector('.task')).toBeNull();
    const quote = bubbleOf('At four').querySelector('.quote')?.textContent;
    expect(quote).toContain('Tom Weber');
    expect(quote).toContain('Coming in nicely');
  });

  it('is given up with Escape; the text stays', async () => {
    await choose('Coming in', 'Reply');
    box().value = 'Perhaps';
    box().dispatchEvent(new Event('input', { bubbles: true }));
    await press('Escape');
    expect(view.querySelector('.task')).toBeNull();
    expect(box().value).toBe('Perhaps');
  });

  it('leads to what it answers, and says when that is not here any more', async () => {
    bubbleOf('All 1 204').querySelector<HTMLButtonElement>('button.quote')?.click();
    await settle();
    const answered = window.app.thread.messages.find(({ text }) => text.startsWith('Did the new'));
    expect(window.app.thread.flashedId).toBe(answered?.id);
    expect(bubbleOf('Coming in').querySelector('.quote')?.textContent).toContain('not here any more');
  });
});

describe('a reaction', () => {
  it('is chosen in the menu, shown with who has chosen it, and taken back with a click', async () => {
    await choose('Coming in', 'React with 👍');
    const chip = () => bubbleOf('Coming in').querySelector<HTMLButtonElement>('.chip');
    expect(chip()?.getAttribute('aria-label')).toBe('👍: you');
    chip()?.click();
    await settle();
    expect(chip()).toBeNull();
    expect(callsOf('message.react').map((input) => (input as { emoji: unknown }).emoji)).toEqual([
      '👍',
      null,
    ]);
  });

  it('of several people in a group is counted, and says whose it is', async () => {
    await open(scenarios.changes(), 'Sea trip');
    const chips = [...bubbleOf('Where shall we').querySelectorAll('.chip')];
    expect(chips.map((chip) => chip.getAttribute('aria-label'))).toEqual([
      '👍: Ana Sørensen and Tom Weber',
      '😂: Li',
    ]);
    expect(chips[0]?.textContent.replace(/\s+/g, '')).toBe('👍2');
  });
});

describe('another text', () => {
  it('is written in the field, leaves what was being written alone, and is marked', async () => {
    box().value = 'half a thought';
    box().dispatchEvent(new Event('input', { bubbles: true }));
    await choose('Did the new', 'Edit');
    expect(box().value).toBe('Did the new build reach you?');
    await enter('Did the newest build reach you?');
    expect(callsOf('message.edit')).toEqual([
      expect.objectContaining({ text: 'Did the newest build reach you?' }),
    ]);
    expect(bubbleOf('Did the newest').querySelector('.meta')?.textContent).toContain('edited');
    expect(box().value).toBe('half a thought');
    expect(callsOf('message.send')).toEqual([]);
  });

  it('is not offered for what others wrote, nor where the other side would not follow', async () => {
    const menuOf = async (text: string) => {
      openMenu(text);
      await settle();
      const items = [...view.querySelectorAll('[role=menu] > [role=menuitem]')];
      return items.map((item) => item.textContent.trim());
    };
    const others = ['Reply', 'Forward…', 'Copy text', 'Select', 'Details of this message', 'Delete for me'];
    expect(await menuOf('Coming in')).toEqual(others);
    await open(talkingWorld());
    expect(await menuOf('Did the new')).toEqual(others);
  });
});

it('what is taken back is asked about, then gone, and nothing more can be done to it', async () => {
  await choose('Did the new', 'Delete for everybody');
  expect(callsOf('message.takeBack')).toEqual([]);
  buttonNamed(view.querySelector<HTMLElement>('[role=menu]')!, 'Really delete for everybody?').click();
  await settle();
  expect(callsOf('message.takeBack')).toHaveLength(1);
  const first = view.querySelector<HTMLElement>('.line')!;
  expect(first.textContent).toContain('You deleted this message');
  expect(first.textContent).not.toContain('Did the new');
  first.querySelector<HTMLButtonElement>('[data-menu]')?.click();
  await settle();
  const left = [...view.querySelectorAll('[role=menu] [role=menuitem]')].map((item) =>
    item.textContent.trim(),
  );
  expect(left).toEqual(['Select', 'Details of this message', 'Delete for me']);
});
