import { expect, it } from 'vitest';
import AccountSettings from '../../../renderer/views/settings/AccountSettings.svelte';
import Welcome from '../../../renderer/views/welcome/Welcome.svelte';
import { emptyWorld, scenarios } from '../support/scenarios.ts';
import { buttonNamed, fill, openWindow, settle, show } from '../support/window.ts';

it('an account is tested, and each step shows how it went, for readers as well', async () => {
  const window = await openWindow(scenarios.talking());
  const view = show(window.app, AccountSettings);
  buttonNamed(view, 'Check connection').click();
  await settle();
  const [account] = window.backend.world.accounts;
  expect(window.backend.calls.filter(({ call }) => call === 'account.diagnose')).toEqual([
    { call: 'account.diagnose', input: { accountId: account?.id } },
  ]);
  const steps = [...view.querySelectorAll('ol[aria-label="Connection report"] > li')];
  expect(steps.map((step) => step.querySelector('[role="img"]')?.getAttribute('aria-label'))).toEqual([
    'works',
    'works',
    'works',
    'does not work',
    'not tested',
    'not tested',
    'not tested',
    'not tested',
  ]);
  expect(steps[3]?.textContent).toContain('expired on 2026-10-01');
  expect(steps[3]?.textContent).toContain('put the certificate right');
  expect(buttonNamed(view, 'Copy')).toBeTruthy();
});

it('a form is tested with what it has now, and signs in with server, transport and proxies', async () => {
  const window = await openWindow(emptyWorld());
  const view = show(window.app, Welcome);
  buttonNamed(view, 'Sign in').click();
  await settle();
  buttonNamed(view, 'Check connection').click();
  expect(window.backend.calls.some(({ call }) => call === 'account.diagnose')).toBe(false);
  fill(view, 'Address', 'bob@example.com');
  fill(view, 'Password', 'secret');
  fill(view, 'Server', 'im.example.com');
  fill(view, 'Outbound proxy', 'edge1.example.com');
  await settle();
  fill(view, 'Second outbound proxy', 'edge2.example.com');
  const tls = [...view.querySelectorAll<HTMLInputElement>('input[type="radio"]')].find(
    ({ value }) => value === 'tls',
  );
  tls?.click();
  await settle();
  buttonNamed(view, 'Check connection').click();
  await settle();
  const place = {
    address: 'bob@example.com',
    password: 'secret',
    server: 'im.example.com',
    transport: 'tls',
    proxies: ['edge1.example.com', 'edge2.example.com'],
  };
  expect(window.backend.calls.filter(({ call }) => call === 'account.diagnose')).toEqual([
    { call: 'account.diagnose', input: place },
  ]);
  view.querySelector('form')?.requestSubmit();
  await settle();
  expect(window.backend.calls.filter(({ call }) => call === 'account.add')).toEqual([
    { call: 'account.add', input: { ...place, displayName: '' } },
  ]);
});
