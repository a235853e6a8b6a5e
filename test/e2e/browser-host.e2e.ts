import { expect, it } from 'vitest';
import type { WireRecord } from '../../main/base/wire-tap.ts';
import { BrowserDesks } from '../support/desks.ts';

/** What is true of a window in a browser alone. */
const desks = new BrowserDesks();

it('whoever tries it out is connected with nothing but this computer', async () => {
  const wire: WireRecord[] = [];
  const bob = await desks.sitDown({ program: { tap: (record) => wire.push(record) } });
  await bob.page.getByRole('button', { name: 'Try it' }).click();
  await bob.sees(/Hi Bob, I am Tom/);
  await bob.write('Hello Tom, what time is it?');
  await bob.bubble('on my clock').waitFor();
  expect(wire.length).toBeGreaterThan(0);
  expect(new Set(wire.map(({ remote }) => remote.replace(/:\d+$/, '')))).toEqual(new Set(['127.0.0.1']));
});

it('opens only with its link, once, and says so; two of them get along in one browser', async () => {
  const [bob, tom] = await Promise.all([desks.sitDown(), desks.sitDown()]);
  const url = bob.program.web.issueUrl();
  const stranger = await desks.browser.newContext();
  const page = await stranger.newPage();
  const refused = await page.goto(new URL('/', url).href);
  expect(refused?.status()).toBe(403);
  await page.getByText('Open this window by starting Parley.').waitFor();
  const [first, second] = [await stranger.newPage(), await stranger.newPage()];
  await first.goto(url);
  await second.goto(tom.program.web.issueUrl());
  for (const window of [first, second]) {
    await window.reload();
    await window.getByRole('button', { name: 'Try it' }).waitFor();
  }
  await stranger.clearCookies();
  const used = await page.goto(url);
  expect(used?.status()).toBe(403);
  await page.getByText('This link has been used already. Start Parley again to get a new one.').waitFor();
  await stranger.close();
});
