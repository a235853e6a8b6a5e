import { expect, it } from 'vitest';
import Sidebar from '../../../renderer/views/shell/Sidebar.svelte';
import { talkingWorld } from '../support/scenarios.ts';
import { openWindow, settle, show } from '../support/window.ts';

it('an opened link fills in the form for a new conversation, and begins nothing by itself', async () => {
  const window = await openWindow(talkingWorld());
  const view = show(window.app, Sidebar);
  const address = () => view.querySelector<HTMLInputElement>('form input')?.value;
  window.backend.world.link = 'ann@example.org';
  window.backend.publish('link.opened', {});
  await settle();
  expect(view.textContent).toContain('New conversation');
  expect(address()).toBe('ann@example.org');
  window.backend.world.link = 'eve@example.org';
  window.backend.publish('link.opened', {});
  await settle();
  expect(address()).toBe('eve@example.org');
  expect(window.backend.calls.some(({ call }) => /^(contact\.add|conversation\.open)$/.test(call))).toBe(
    false,
  );
});
