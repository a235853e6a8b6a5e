import { expect, it } from 'vitest';
import AboutSettings from '../../../renderer/views/settings/AboutSettings.svelte';
import HistorySettings from '../../../renderer/views/settings/HistorySettings.svelte';
import { talkingWorld } from '../support/scenarios.ts';
import { openWindow, settle, show } from '../support/window.ts';

it('what a policy has locked cannot be changed and says why; it comes free while one looks', async () => {
  const world = talkingWorld();
  world.policy = { rules: [{ key: 'history.hold', locked: true, source: 'machine' }], faults: [] };
  const window = await openWindow(world);
  const view = show(window.app, HistorySettings, { values: world.settings });
  const hold = () => view.querySelector<HTMLInputElement>('input[role="switch"]');
  const row = () => hold()?.closest('.row');
  expect(row()?.textContent).toContain('Managed by your organisation');
  expect(hold()?.matches(':disabled')).toBe(true);
  expect(view.querySelector<HTMLInputElement>('input[max="36500"]')?.matches(':disabled')).toBe(false);
  window.backend.publish('policy.changed', { policy: { rules: [], faults: [] } });
  await settle();
  expect(hold()?.matches(':disabled')).toBe(false);
  expect(row()?.textContent).not.toContain('Decided by');
});

it('a policy that cannot be read is said where one looks at the program', async () => {
  const world = talkingWorld();
  world.policy = { rules: [], faults: ['/etc/parley/policy.json cannot be read.'] };
  const window = await openWindow(world);
  expect(show(window.app, AboutSettings).textContent).toContain('/etc/parley/policy.json cannot be read.');
});
