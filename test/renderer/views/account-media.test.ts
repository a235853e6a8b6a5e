import { expect, it } from 'vitest';
import AccountSettings from '../../../renderer/views/settings/AccountSettings.svelte';
import Welcome from '../../../renderer/views/welcome/Welcome.svelte';
import { emptyWorld, scenarios } from '../support/scenarios.ts';
import { buttonNamed, fill, openWindow, settle, show } from '../support/window.ts';

/** Changes a list or a text as a person does. */
async function choose(view: HTMLElement, selector: string, value: string): Promise<void> {
  const control = view.querySelector<HTMLSelectElement | HTMLTextAreaElement>(selector);
  if (control === null) throw new Error(`no ${selector}`);
  control.value = value;
  control.dispatchEvent(new Event('change', { bubbles: true }));
  await settle();
}

it('an account goes by the settings, and is given a way and relays of its own', async () => {
  const window = await openWindow(scenarios.talking());
  const view = show(window.app, AccountSettings);
  const [account] = window.backend.world.accounts;
  const way = () => view.querySelector<HTMLSelectElement>('select');
  expect(way()?.selectedOptions[0]?.textContent).toBe('As in the settings');
  await choose(view, 'select', 'relay');
  expect(way()?.selectedOptions[0]?.textContent).toBe('Through a relay only');
  await choose(view, 'textarea', ' relay.example.org \n\nmsrps://r2.example.org:2855\n');
  const relays = ['relay.example.org', 'msrps://r2.example.org:2855'];
  expect(window.backend.calls.filter(({ call }) => call === 'account.update')).toEqual([
    { call: 'account.update', input: { accountId: account?.id, mediaPath: 'relay' } },
    { call: 'account.update', input: { accountId: account?.id, relays } },
  ]);
  expect(window.app.accounts.current).toMatchObject({ mediaPath: 'relay', relays });
  expect(view.querySelector('textarea')?.value).toBe(relays.join('\n'));
  // Directly only: there is nothing for a relay to do.
  await choose(view, 'select', 'direct');
  expect(view.querySelector('textarea')).toBeNull();
  await choose(view, 'select', 'settings');
  expect(window.app.accounts.current).toMatchObject({ mediaPath: 'settings' });
});

it('what is no relay is refused in words', async () => {
  const window = await openWindow(scenarios.talking());
  const view = show(window.app, AccountSettings);
  window.backend.refusals.set('account.update', { code: 'invalid-input', message: 'not a relay' });
  await choose(view, 'textarea', 'two words');
  expect(view.querySelector('[role="alert"]')?.textContent).toContain('not a relay');
});

it('a new account signs in with its choice', async () => {
  const window = await openWindow(emptyWorld());
  const view = show(window.app, Welcome);
  buttonNamed(view, 'Sign in').click();
  await settle();
  fill(view, 'Address', 'bob@example.com');
  fill(view, 'Password', 'secret');
  await choose(view, 'select', 'auto');
  await choose(view, 'textarea', 'relay.example.org');
  view.querySelector('form')?.requestSubmit();
  await settle();
  expect(window.backend.calls.find(({ call }) => call === 'account.add')?.input).toMatchObject({
    address: 'bob@example.com',
    mediaPath: 'auto',
    relays: ['relay.example.org'],
  });
});
