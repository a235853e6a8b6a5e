import { expect, it } from 'vitest';
import HistorySettings from '../../../renderer/views/settings/HistorySettings.svelte';
import HistoryNotice from '../../../renderer/views/shell/HistoryNotice.svelte';
import { talkingWorld } from '../support/scenarios.ts';
import { buttonNamed, openWindow, settle, show } from '../support/window.ts';

it('a copy is made, chosen for the next start, and not after all', async () => {
  const window = await openWindow(talkingWorld());
  const { settings } = window.backend.world;
  const view = show(window.app, HistorySettings, { values: settings });
  buttonNamed(view, 'Make one now').click();
  await settle();
  const [backup] = window.backend.world.history.backups;
  buttonNamed(view, 'Restore the copy of').click();
  await settle();
  expect(window.backend.calls.some(({ call }) => call === 'history.restore')).toBe(false);
  expect(view.textContent).toContain('What is there now is kept beside it.');
  buttonNamed(view, 'Restore').click();
  await settle();
  expect(window.backend.calls.at(-1)).toEqual({ call: 'history.restore', input: { name: backup?.name } });
  expect(view.textContent).toContain('Takes the place of the history when Parley starts next.');
  buttonNamed(view, 'Cancel').click();
  await settle();
  expect(window.backend.calls.at(-1)).toEqual({ call: 'history.restore', input: { name: null } });
});

async function openWithCopyChosen(canRestart: boolean) {
  const world = talkingWorld();
  world.info = { ...world.info, canRestart };
  const copy = { name: 'history-1.sqlite', madeAtMs: 1, bytes: 1 };
  world.history = { backups: [copy], restoring: copy.name, notice: null };
  const window = await openWindow(world);
  return { window, view: show(window.app, HistorySettings, { values: world.settings }) };
}

it('a copy that was chosen takes its place at once when the program can start itself again', async () => {
  const { window, view } = await openWithCopyChosen(true);
  buttonNamed(view, 'Restart now').click();
  await settle();
  expect(window.backend.calls.at(-1)).toEqual({ call: 'app.restart', input: {} });
  expect(window.app.restarting).toBe(true);
});

it('says what its user has to do where the program cannot', async () => {
  const { view } = await openWithCopyChosen(false);
  expect(view.textContent).toContain('Close Parley and start it again.');
  expect([...view.querySelectorAll('button')].map(({ textContent }) => textContent.trim())).not.toContain(
    'Restart now',
  );
});

it('says what was saved of a damaged history, until it has been read', async () => {
  const world = talkingWorld();
  world.history = {
    ...world.history,
    notice: {
      kind: 'recovered',
      source: 'file',
      messages: 1,
      missing: 12,
      path: '/p/history-damaged.sqlite',
    },
  };
  const window = await openWindow(world);
  const view = show(window.app, HistoryNotice);
  expect(view.querySelector('[role="status"]')?.textContent).toContain(
    'The history was damaged. 1 message was saved. 12 are missing. The damaged file is kept: \u2066/p/history-damaged.sqlite\u2069',
  );
  buttonNamed(view, 'Close').click();
  await settle();
  expect(view.textContent.trim()).toBe('');
  window.backend.publish('history.changed', {
    status: { backups: [], restoring: null, notice: { kind: 'damaged' } },
  });
  await settle();
  expect(view.textContent).toContain('When Parley starts again');
  buttonNamed(view, 'Restart now');
});
