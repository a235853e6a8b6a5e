import { describe, expect, it, onTestFinished } from 'vitest';
import {
  filtersIn,
  periodIn,
  toggleFilter,
  withPeriod,
  wordsIn,
} from '../../../renderer/state/search-filters.ts';
import Sidebar from '../../../renderer/views/shell/Sidebar.svelte';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import { filesWorld, talkingWorld } from '../support/scenarios.ts';
import { buttonNamed, openWindow, settle, show } from '../support/window.ts';

const withTom = 'with-tom' as ConversationId;

describe('filters in the text', () => {
  it('are found as the search reads them, and taken out without the words around', () => {
    const text = 'budget from:tom in:"Ana B" -draft has:File "side by side" https://from:x';
    expect(filtersIn(text).map(({ name, value }) => `${name}=${value}`)).toEqual([
      'from=tom',
      'in=Ana B',
      'has=File',
    ]);
    expect(wordsIn(text)).toBe('budget side by side https://from:x');
    expect(toggleFilter(text, 'has:file')).toBe(
      'budget from:tom in:"Ana B" -draft "side by side" https://from:x',
    );
    expect(toggleFilter('budget', 'has:file')).toBe('has:file budget');
  });

  it('of a period hold both of its days', () => {
    const text = withPeriod(withPeriod('plan', 'after', '2026-03-01'), 'before', '2026-12-31');
    expect(text).toBe('before:2027-01-01 after:2026-02-28 plan');
    expect([periodIn(text, 'after'), periodIn(text, 'before')]).toEqual(['2026-03-01', '2026-12-31']);
    expect(withPeriod(text, 'after', '')).toBe('before:2027-01-01 plan');
  });
});

it('the search says what can be typed, before and when nothing is found, and Escape brings the list back', async () => {
  const window = await openWindow(talkingWorld());
  const side = show(window.app, Sidebar);
  const field = side.querySelector<HTMLInputElement>('[role="combobox"]')!;
  // Passing by with the Tab key leaves the list where it is.
  field.focus();
  await settle();
  expect(side.querySelector('nav')).not.toBeNull();
  field.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }));
  await settle();
  expect(side.textContent).toContain('What you can type');
  expect(side.querySelector('nav')).toBeNull();
  buttonNamed(side, 'Insert from:').click();
  await settle();
  expect(field.value).toBe('from:');
  expect(document.activeElement).toBe(field);
  expect(field.selectionStart).toBe(5);
  await window.app.search.query('nothing like this');
  await settle();
  expect(side.textContent).toContain('Nothing found for “nothing like this”.');
  expect(side.textContent).toContain('What you can type');
  field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
  await settle();
  expect(side.querySelector('nav')).not.toBeNull();
});

it('chips add filters and take them out, and look in one conversation', async () => {
  const window = await openWindow(filesWorld());
  await window.app.openConversation(withTom);
  const side = show(window.app, Sidebar);
  side.querySelector<HTMLInputElement>('[role="combobox"]')?.focus();
  await window.app.search.query('from:tom line');
  await settle();
  const asked = (): unknown => window.backend.calls.findLast(({ call }) => call === 'search.query')?.input;
  buttonNamed(side, 'Files').click();
  await settle();
  expect(asked()).toMatchObject({ text: 'has:file from:tom line' });
  buttonNamed(side, 'Remove from:tom').click();
  await settle();
  expect(asked()).toMatchObject({ text: 'has:file line' });
  buttonNamed(side, 'In Tom').click();
  await settle();
  expect(asked()).toMatchObject({ text: 'has:file line', conversationId: withTom });
  expect(buttonNamed(side, 'In Tom').getAttribute('aria-pressed')).toBe('true');
});

it('files are found by name and show that they are files; contacts without a conversation are found too', async () => {
  const world = filesWorld();
  const [account] = world.accounts;
  world.contacts.push({ accountId: account!.id, address: 'flora@chat.home.arpa', displayName: 'Flora' });
  const window = await openWindow(world);
  const side = show(window.app, Sidebar);
  await window.app.search.query('flo');
  await settle();
  const rows = [...side.querySelectorAll<HTMLElement>('[role="option"]')];
  expect(rows.map(({ textContent }) => textContent.replace(/\s+/g, ' ').trim())).toEqual([
    expect.stringContaining('flora@chat.home.arpa'),
    expect.stringContaining('Floor plan.pdf · 2.4 MB'),
  ]);
  buttonNamed(side, 'Export').click();
  await settle();
  expect(window.backend.calls.findLast(({ call }) => call === 'job.export')?.input).toEqual({
    format: 'html',
    search: 'flo',
  });
  rows[0]?.click();
  await settle();
  expect(window.app.conversations.open?.peerAddress).toBe('flora@chat.home.arpa');
});

it('of many people whose names fit it shows twenty, first those of whom a name begins so', async () => {
  const world = filesWorld();
  const accountId = world.accounts[0]!.id;
  const add = (displayName: string, address: string) =>
    world.contacts.push({ accountId, displayName, address });
  for (let index = 0; index < 30; index += 1) add(`Joqa ${index}`, `j${index}@chat.home.arpa`);
  add('Tom Qarim', 'tq@chat.home.arpa');
  const window = await openWindow(world);
  const side = show(window.app, Sidebar);
  await window.app.search.query('qa');
  await settle();
  const rows = [...side.querySelectorAll<HTMLElement>('[role="option"]')];
  expect(rows).toHaveLength(20);
  expect(rows[0]?.textContent).toContain('Tom Qarim');
});

it('of much that is found as many rows are drawn as the window has room for; scrolling and arrow keys bring the others', async () => {
  const world = filesWorld();
  const accountId = world.accounts[0]!.id;
  for (let index = 0; index < 20; index += 1)
    world.contacts.push({ accountId, displayName: `Qa ${index}`, address: `q${index}@chat.home.arpa` });
  const before = innerHeight;
  onTestFinished(() => void (globalThis.innerHeight = before));
  globalThis.innerHeight = 200;
  const window = await openWindow(world);
  const side = show(window.app, Sidebar);
  await window.app.search.query('qa');
  await settle();
  const options = () => [...side.querySelectorAll<HTMLElement>('[role="option"]')];
  const atFirst = options().length;
  expect(atFirst).toBeLessThan(20);
  expect(side.querySelector('.results [role="status"]')?.textContent).toContain('20');
  expect(options().map((one) => one.getAttribute('aria-setsize'))).toEqual(Array(atFirst).fill('20'));
  window.app.search.chosen = 18;
  await settle();
  expect(options()[18]?.getAttribute('aria-selected')).toBe('true');
  window.app.search.chosen = 0;
  await settle();
  expect(options()).toHaveLength(atFirst);
  side.querySelector('.results')?.dispatchEvent(new Event('scroll'));
  await settle();
  expect(options().length).toBeGreaterThan(atFirst);
});

it('Enter that comes before the answer opens what was typed, not what was found for less of it', async () => {
  const window = await openWindow(talkingWorld());
  const side = show(window.app, Sidebar);
  const field = side.querySelector<HTMLInputElement>('[role="combobox"]')!;
  const type = (text: string) => {
    field.value = text;
    field.dispatchEvent(new Event('input', { bubbles: true }));
  };
  field.focus();
  type('in');
  await settle();
  expect(side.querySelectorAll('[role=option]').length).toBeGreaterThan(1);
  type('installed');
  field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
  await settle();
  await settle();
  const flashed = window.app.thread.messages.find(({ id }) => id === window.app.thread.flashedId);
  expect(flashed?.text).toContain('Yes, installed');
});
