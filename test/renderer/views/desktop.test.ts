import { expect, it, vi } from 'vitest';
import Inspector from '../../../renderer/views/inspector/Inspector.svelte';
import NotificationSettings from '../../../renderer/views/settings/NotificationSettings.svelte';
import { talkingWorld } from '../support/scenarios.ts';
import { buttonNamed, openWindow, settle, show } from '../support/window.ts';
import { eventually } from '../../support/eventually.ts';

it('what the desktop has is offered in the desktop program only', async () => {
  const world = talkingWorld();
  const window = await openWindow(world);
  const view = show(window.app, NotificationSettings, { values: world.settings });
  expect(view.textContent).toContain('Announce new messages');
  const inBrowser = view.textContent.includes('Keep running when the window is closed');
  expect(inBrowser).toBe(window.app.info?.host === 'electron');
});

it('the ladder shows what the filter asks for, and says when that is nothing', async () => {
  const world = talkingWorld();
  const window = await openWindow(world);
  const { app } = window;
  const session = app.sessions.latest(app.conversations.sorted[0]!.id);
  app.inspector.toggle(session);
  await settle();
  const view = show(app, Inspector);
  await settle();
  const rows = () => [...view.querySelectorAll('ol button')].length;
  const all = rows();
  expect(all).toBe(world.ladder.entries.length);
  app.inspector.filter = 'invite SIP:';
  await settle();
  expect(rows()).toBeGreaterThan(0);
  expect(rows()).toBeLessThan(all);
  app.inspector.filter = 'nobody says this';
  await settle();
  expect(rows()).toBe(0);
  expect(view.textContent).toContain('No message has this in it.');
});

it('a file of the session is downloaded where the host has no dialogs', async () => {
  const world = talkingWorld();
  const window = await openWindow(world);
  const { app } = window;
  app.inspector.toggle(app.sessions.latest(app.conversations.sorted[0]!.id));
  await settle();
  const view = show(app, Inspector);
  await settle();
  const saved: { name: string; text: string }[] = [];
  vi.stubGlobal('URL', {
    createObjectURL: (blob: Blob) => {
      void blob.text().then((text) => saved.push({ name: '', text }));
      return 'blob:x';
    },
    revokeObjectURL: () => undefined,
  });
  try {
    const names: string[] = [];
    HTMLAnchorElement.prototype.click = function () {
      names.push(this.download);
    };
    const button = [...view.querySelectorAll('button')].find(({ textContent }) =>
      textContent.includes('For Wireshark'),
    );
    button?.click();
    await eventually(() => expect(names).toEqual(['parley-session.pcap']));
    await eventually(() => expect(saved.map(({ text }) => text)).toEqual(['pcap']));
  } finally {
    vi.unstubAllGlobals();
  }
});

it('texts and credentials are in the next file only, and what that means is said before', async () => {
  const { app, backend } = await openWindow(talkingWorld());
  app.inspector.toggle(app.sessions.latest(app.conversations.sorted[0]!.id));
  await settle();
  const view = show(app, Inspector);
  await settle();
  const click = vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => undefined);
  const createObjectURL = () => 'blob:x';
  vi.stubGlobal('URL', Object.assign(URL, { createObjectURL, revokeObjectURL: () => undefined }));
  const box = view.querySelector<HTMLInputElement>('input[type=checkbox]')!;
  expect(box.checked).toBe(false);
  box.click();
  await settle();
  expect(view.textContent).toContain('Give it only to somebody who may read all of it.');
  for (const format of ['As text', 'As text']) {
    buttonNamed(view, format).click();
    await settle();
  }
  const asked = backend.calls.filter(({ call }) => call === 'session.save');
  expect(asked.map(({ input }) => (input as { isWhole: boolean }).isWhole)).toEqual([true, false]);
  expect(view.textContent).not.toContain('Give it only');
  click.mockRestore();
  vi.unstubAllGlobals();
});
