import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import { expect, it } from 'vitest';
import { BrowserDesks } from '../support/desks.ts';
import { samplePicture } from '../support/sample-picture.ts';
import { temporaryFolder, type Desk } from '../support/window-desk.ts';

/** Pictures that are shown large, by the real program in a real browser. */
const desks = new BrowserDesks();

/** Two pictures of one pixel, one after the other, for ever. */
const moving = Buffer.from(
  '47494638396101000100800000ff00000000ff21ff0b4e45545343415045322e300301000000' +
    '21f90400320000002c000000000100010000020244010021f90400320000002c00000000010001000002024c01003b',
  'hex',
);

async function send(desk: Desk, files: Readonly<Record<string, Buffer>>): Promise<void> {
  const folder = await temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), content);
    await desk.page
      .getByLabel('Attach files')
      .locator('visible=false')
      .first()
      .setInputFiles(join(folder, name));
    await desk.bubble(name).waitFor();
  }
}

function widthOf(image: Locator): Promise<number> {
  return image.evaluate((element) => Math.round(element.getBoundingClientRect().width));
}

it('fits the window, is enlarged by wheel, keys and a double click, moved, and closed beside it', async () => {
  const { bob, tom } = await desks.bobAndTom();
  await send(bob, { 'harbour.png': samplePicture(2_400, 1_500), 'tower.png': samplePicture(300, 400) });
  const { page } = tom;
  const thumbnail = page.getByRole('button', { name: 'Picture harbour.png' });
  await tom.bubble('tower.png').getByRole('link', { name: 'Save' }).waitFor();
  await thumbnail.focus();
  await page.keyboard.press('Enter');
  const viewer = page.getByRole('dialog', { name: 'Picture harbour.png' });
  const image = viewer.getByRole('img');
  await image.waitFor();
  const stage = (await viewer.locator('.stage').boundingBox())!;
  const fitting = await widthOf(image);
  expect(fitting).toBeLessThanOrEqual(stage.width);
  expect(await image.evaluate((element) => element.getBoundingClientRect().height)).toBeLessThanOrEqual(
    stage.height + 1,
  );

  const [x, y] = [stage.x + stage.width / 2, stage.y + stage.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.wheel(0, -200);
  await expect.poll(() => widthOf(image)).toBeGreaterThan(fitting);
  await page.keyboard.press('1');
  await expect.poll(() => widthOf(image)).toBe(2_400);
  const leftOf = () => image.evaluate((element) => Math.round(element.getBoundingClientRect().left));
  const left = await leftOf();
  await page.mouse.down();
  await page.mouse.move(x + 60, y, { steps: 3 });
  await page.mouse.up();
  expect(await leftOf()).toBe(left + 60);
  await page.mouse.dblclick(x, y);
  await expect.poll(() => widthOf(image)).toBe(fitting);

  await page.keyboard.press('ArrowRight');
  const tower = page.getByRole('dialog', { name: 'Picture tower.png' });
  await expect.poll(() => widthOf(tower.getByRole('img'))).toBe(300);
  await page.mouse.click(stage.x + 80, stage.y + 20);
  await tower.waitFor({ state: 'detached' });
  await expect.poll(() => thumbnail.evaluate((element) => element === document.activeElement)).toBe(true);
});

it('a picture that claims too many pixels is decoded nowhere, and its viewer says what to do', async () => {
  const { bob, tom } = await desks.bobAndTom();
  await send(bob, { 'fine.png': samplePicture(40, 30), 'bomb.png': samplePicture(9_000, 9_000) });
  await tom.bubble('bomb.png').getByRole('link', { name: 'Save' }).waitFor();
  await tom.page.getByRole('button', { name: 'Picture fine.png' }).click();
  await tom.page.getByRole('dialog').getByRole('img').waitFor();
  await tom.page.keyboard.press('ArrowRight');
  await tom.page
    .getByRole('dialog', { name: 'Picture bomb.png' })
    .getByText('9,000 × 9,000 pixels, too many to be shown here. Save it')
    .waitFor();
  await tom.page.keyboard.press('Escape');
  expect(await tom.bubble('bomb.png').locator('img').count()).toBe(0);
});

it('what moves stands still for whoever wants that, until it is played', async () => {
  const { bob, tom } = await desks.bobAndTom();
  await send(bob, { 'wave.gif': moving });
  const { page } = tom;
  const thumbnail = page.getByRole('img', { name: 'Picture wave.gif' });
  await expect.poll(() => thumbnail.getAttribute('src')).toMatch(/^blob:/);
  await page.getByRole('button', { name: 'Picture wave.gif' }).click();
  const image = page.getByRole('dialog').getByRole('img');
  expect(await image.getAttribute('src')).toMatch(/^blob:/);
  await page.getByRole('button', { name: 'Play' }).click();
  expect(await image.getAttribute('src')).toMatch(/shown$/);
  await page.getByRole('button', { name: 'Hold still' }).click();
  expect(await image.getAttribute('src')).toMatch(/^blob:/);
});
