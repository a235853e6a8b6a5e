/** The settings as a page: its sections, and the list that leads to them. */
import { beforeEach, expect, it } from 'vitest';
import SettingsView from '../../../renderer/views/settings/SettingsView.svelte';
import { scenarios } from '../support/scenarios.ts';
import { openWindow, settle, show, type TestWindow } from '../support/window.ts';

let window: TestWindow;
let view: HTMLElement;
const listed = () => [...view.querySelectorAll<HTMLButtonElement>('nav button')];
const titles = () => [...view.querySelectorAll('section > h2')].map(({ textContent }) => textContent);

beforeEach(async () => {
  window = await openWindow(scenarios.talking());
  view = show(window.app, SettingsView);
  await settle();
});

it('lists all sections in their order, also those that come later, in the language of the window', async () => {
  expect(listed().map(({ textContent }) => textContent.trim())).toEqual(titles());
  expect(titles().length).toBeGreaterThan(10);
  window.backend.publish('lock.changed', { lock: { passphrase: true, keyring: true, required: false } });
  window.app.locale.language = 'de';
  await settle();
  expect(listed().map(({ textContent }) => textContent.trim())).toEqual(titles());
  expect(titles()).toContain('Darstellung');
});

it('goes to a section, from which the keyboard goes on; arrow keys move in the list, which is one stop', async () => {
  expect(listed().filter(({ tabIndex }) => tabIndex === 0)).toHaveLength(1);
  listed()[0]?.focus();
  const down = new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true, cancelable: true });
  listed()[0]?.dispatchEvent(down);
  expect(document.activeElement).toBe(listed()[1]);
  listed()[1]?.click();
  await settle();
  expect(document.activeElement?.textContent).toBe('Appearance');
  expect(listed().map((button) => button.getAttribute('aria-current'))).toEqual(
    listed().map((_, place) => (place === 1 ? 'true' : null)),
  );
  expect(listed()[1]?.tabIndex).toBe(0);
});
