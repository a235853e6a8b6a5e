/** Members of a group, named in its texts. */
import { beforeEach, describe, expect, it } from 'vitest';
import ThreadView from '../../../renderer/views/thread/ThreadView.svelte';
import { mentionParts, toOwnNames, toRoomNames } from '../../../shared/mentions.ts';
import { groupsWorld } from '../support/scenarios.ts';
import { openWindow, settle, show, type TestWindow } from '../support/window.ts';

let window: TestWindow;
let view: HTMLElement;
const box = () => view.querySelector<HTMLTextAreaElement>('textarea')!;
const offered = () =>
  [...view.querySelectorAll('[role=option]')].map((option) => option.querySelector('bdi')?.textContent);

async function type(text: string): Promise<void> {
  box().value = text;
  box().setSelectionRange(text.length, text.length);
  box().dispatchEvent(new Event('input', { bubbles: true }));
  await settle();
}
async function press(key: string): Promise<boolean> {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true });
  box().dispatchEvent(event);
  await settle();
  return event.defaultPrevented;
}

beforeEach(async () => {
  window = await openWindow(groupsWorld());
  const group = window.app.conversations.sorted.find(({ kind }) => kind === 'group');
  await window.app.openConversation(group!.id);
  view = show(window.app, ThreadView);
  await settle();
});

describe('writing', () => {
  it('offers the others who fit, by any word of the name and without its accents', async () => {
    await type('Ask @');
    expect(offered().length).toBeGreaterThan(2);
    expect(offered()).not.toContain('Bob');
    await type('Ask @web');
    expect(offered()).toEqual(['Tom Weber']);
    await type('Ask @nobody');
    expect(offered()).toEqual([]);
    await type('mail me: bob@web');
    expect(offered()).toEqual([]);
  });

  it('takes one with Enter, and sends only with the next', async () => {
    await type('@web');
    expect(await press('Enter')).toBe(true);
    expect(box().value).toBe('@Tom Weber ');
    expect(offered()).toEqual([]);
    expect(window.backend.calls.some(({ call }) => call === 'message.send')).toBe(false);
    await press('Enter');
    expect(window.backend.calls.find(({ call }) => call === 'message.send')?.input).toMatchObject({
      text: '@Tom Weber',
    });
  });

  it('goes through them with arrows, says which one it is, and leaves the text alone on Escape', async () => {
    await type('@');
    const second = view.querySelectorAll('[role=option]')[1];
    await press('ArrowDown');
    expect(second?.getAttribute('aria-selected')).toBe('true');
    expect(box().getAttribute('aria-activedescendant')).toBe(second?.id);
    await press('Escape');
    expect(offered()).toEqual([]);
    expect(box().value).toBe('@');
    expect(box().hasAttribute('aria-activedescendant')).toBe(false);
  });
});

describe('whom our user knows by another name than the others', () => {
  it('is found by both names, and written under his own; the others read theirs', async () => {
    await type('@bru');
    expect(offered()).toEqual(['李小龙']);
    await press('Enter');
    expect(box().value).toBe('@李小龙 ');
    await press('Enter');
    const sent = window.backend.calls.find(({ call }) => call === 'message.send');
    expect(sent?.input).toMatchObject({ text: '@Bruce' });
    await settle();
    expect(view.querySelector('.out .mention')?.textContent).toBe('@李小龙');
    await press('ArrowUp');
    expect(box().value).toBe('@李小龙');
  });

  it('has his own name also in what others write', async () => {
    const group = window.app.conversations.open!;
    const person = { address: 'tom@chat.home.arpa', name: 'Tom Weber' };
    window.backend.addMessage(group.id, {
      direction: 'in',
      text: '@bruce has the tickets, Bruce says.',
      state: 'received',
      group: { person, isPrivate: false, notice: null },
    });
    await settle();
    const last = [...view.querySelectorAll('.bubble p')].at(-1);
    expect(last?.textContent.trim()).toBe('@李小龙 has the tickets, Bruce says.');
  });

  const named = (name: string, roomName: string) => ({
    name,
    ...(name === roomName ? {} : { roomName }),
    nickname: '',
    address: `${roomName.toLowerCase()}@chat.home.arpa`,
  });
  it('keeps the name of the room where his own would be another member', () => {
    const members = [named('Ann', 'Annie'), named('Ann', 'Ann')];
    expect(toRoomNames('@Ann @Annie', members)).toBe('@Ann @Annie');
    expect(toOwnNames('@Ann @Annie', members)).toBe('@Ann @Ann');
    expect(toRoomNames('@Ann: @Ann Lee', [named('Ann Lee', 'Sis'), named('Ann', 'Ann')])).toBe('@Ann: @Sis');
  });
});

it('the list goes with who comes and goes while it is open, and the choice stays', async () => {
  const group = window.app.groups.get(window.app.conversations.open!.id)!;
  await type('@');
  await press('ArrowDown');
  const chosen = () => view.querySelector('[aria-selected=true] bdi')?.textContent;
  const second = chosen();
  const newcomer = { ...group.members[1]!, address: 'zoe@chat.home.arpa', name: 'Zoe' };
  const [us, first, ...others] = group.members;
  window.backend.publish('group.changed', { group: { ...group, members: [us!, ...others, newcomer] } });
  await settle();
  expect(offered()).toContain('Zoe');
  expect(offered()).not.toContain(first!.name);
  expect(chosen()).toBe(second);
  window.backend.publish('group.changed', { group: { ...group, members: [us!, newcomer] } });
  await settle();
  expect(chosen()).toBe('Zoe');
  await press('Enter');
  expect(box().value).toBe('@Zoe ');
});

it('reading: who is named stands out, our user most of all', async () => {
  const group = window.app.conversations.open!;
  const person = { address: 'tom@chat.home.arpa', name: 'Tom Weber' };
  window.backend.addMessage(group.id, {
    direction: 'in',
    text: 'Can @Bob or @tom do it? Not tom@tom.',
    state: 'received',
    group: { person, isPrivate: false, notice: null },
  });
  await settle();
  const named = [...view.querySelectorAll('.mention')];
  expect(named.map(({ textContent }) => textContent)).toEqual(['@Bob', '@tom']);
  expect(named.map(({ classList }) => classList.contains('us'))).toEqual([true, false]);
});

it('the longer of two names counts, whatever stands around it', () => {
  const names = (text: string) => mentionParts(text, ['Ann', 'Ann Lee']).map(({ name }) => name);
  expect(names('(@Ann Lee)')).toEqual([null, 'Ann Lee', null]);
  expect(names('@ann, @Ann Leeds')).toEqual(['Ann', null, 'Ann', null]);
  expect(names('@Anna')).toEqual([null]);
  expect(mentionParts('@@Ann', ['Ann']).map(({ text }) => text)).toEqual(['@', '@Ann']);
});
