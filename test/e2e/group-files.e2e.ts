import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BrowserDesks } from '../support/desks.ts';
import { samplePicture } from '../support/sample-picture.ts';
import { domain, Office, temporaryFolder, type Desk } from '../support/window-desk.ts';

/** Files in a group, by the real program in a real browser: three people and their server. */
const desks = new BrowserDesks();

/** At a desk, in the open group `trip`. */
async function joinTrip(desk: Desk): Promise<void> {
  const [account] = await desk.call('account.list', {});
  if (account === undefined) throw new Error('nobody is signed in');
  const at = { accountId: account.id, address: `trip@${domain}` };
  await expect
    .poll(async () => {
      await desk.call('group.join', at);
      return (await desk.call('group.list', {})).map(({ membership }) => membership);
    })
    .toEqual(['member']);
  await desk.row('trip').click();
  await desk.sees(/^Connected to the group/);
}

it('a picture that is chosen is seen and opened by the others, also by who was away when it was sent', async () => {
  const office = await Office.open('bob', 'tom', 'eve');
  const [bob, tom, eve] = await Promise.all(
    ['Bob', 'Tom', 'Eve'].map((name) => desks.sitDown({ person: { name, server: office.address } })),
  );
  if (bob === undefined || tom === undefined || eve === undefined) throw new Error('nobody');
  const [account] = await bob.call('account.list', {});
  await bob.call('group.create', {
    accountId: account!.id,
    title: 'trip',
    addresses: [],
    name: 'trip',
  });
  await bob.row('trip').click();
  await bob.sees(/^Connected to the group/);
  for (const desk of [tom, eve]) await joinTrip(desk);
  await eve.close();

  const path = join(await temporaryFolder(), 'harbour.png');
  await writeFile(path, samplePicture(1_200, 800));
  await bob.page.getByLabel('Attach files').locator('visible=false').first().setInputFiles(path);
  await bob.state('harbour.png', 'Sent');
  await bob.write('That is the harbour.');

  const open = async (desk: Desk): Promise<void> => {
    const bubble = desk.bubble('harbour.png');
    await bubble.getByText('bob', { exact: true }).first().waitFor();
    await bubble.getByRole('button', { name: 'Picture harbour.png' }).click();
    const large = desk.page.getByRole('dialog', { name: 'Picture harbour.png' }).getByRole('img');
    await expect
      .poll(() => large.evaluate((image: HTMLImageElement) => (image.complete ? image.naturalWidth : 0)))
      .toBe(1_200);
    await desk.page.keyboard.press('Escape');
  };
  await open(tom);
  await bob.close();
  await eve.start();
  await eve.row('trip').click();
  await open(eve);
  const order = await eve.page.locator('[data-id] .said').allInnerTexts();
  expect(order.map((text) => text.split('\n')[0])).toEqual(['harbour.png', 'That is the harbour.']);
  for (const desk of [tom, eve]) expect(desk.complaints).toEqual([]);
});
