import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Desks } from '../support/desks.ts';
import { temporaryFolder } from '../support/window-desk.ts';

/** Files in the window over the real program: chosen, dropped, pasted, received, shown and saved. */
const desks = new Desks();

it('Bob attaches a file, Tom has it at once and saves it', async () => {
  const { bob, tom } = await desks.bobAndTom();
  const path = join(await temporaryFolder(), 'Protokoll – 你好.txt');
  await writeFile(path, 'what we have agreed\n'.repeat(2_000));
  await bob.page.getByLabel('Attach files').locator('visible=false').first().setInputFiles(path);
  await bob.state('Protokoll', 'Delivered');
  await tom.bubble('Protokoll').getByText('40 kB').waitFor();
  const download = tom.page.waitForEvent('download');
  await tom.bubble('Protokoll').getByRole('link', { name: 'Save' }).click();
  const saved = await (await download).path();
  expect(await readFile(saved, 'utf8')).toBe(await readFile(path, 'utf8'));
  expect((await download).suggestedFilename()).toBe('Protokoll – 你好.txt');
});

it('a picture that is pasted is shown on both sides', async () => {
  const { bob, tom } = await desks.bobAndTom();
  await bob.composer.focus();
  await bob.page.evaluate(async () => {
    const canvas = new OffscreenCanvas(320, 200);
    const context = canvas.getContext('2d');
    if (context === null) throw new Error('no canvas');
    context.fillStyle = 'teal';
    context.fillRect(0, 0, 320, 200);
    const blob = await canvas.convertToBlob({ type: 'image/png' });
    const data = new DataTransfer();
    data.items.add(new File([blob], 'image.png', { type: 'image/png' }));
    document.activeElement?.dispatchEvent(
      new ClipboardEvent('paste', { clipboardData: data, bubbles: true }),
    );
  });
  for (const desk of [bob, tom]) {
    const picture = desk.page.getByRole('img', { name: /^Picture \d{4}-/ });
    await picture.waitFor();
    await expect
      .poll(() => picture.evaluate((image: HTMLImageElement) => (image.complete ? image.naturalWidth : 0)))
      .toBe(320);
  }
});

it('a large file that is dropped waits for Tom; he declines it, and Bob sees that', async () => {
  const { bob, tom } = await desks.bobAndTom();
  await tom.call('settings.set', { key: 'files.autoAcceptBytes', value: 0 });
  await bob.page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(300_000)], 'dropped.bin'));
    for (const type of ['dragenter', 'dragover', 'drop']) {
      window.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    }
  });
  await bob.bubble('dropped.bin').getByText('Waiting for Tom to accept').waitFor();
  await tom.bubble('dropped.bin').getByRole('button', { name: 'Decline' }).click();
  await bob.bubble('dropped.bin').getByText('Tom declined it').waitFor();
});

it('a text over the limit is a card with its beginning, and can be shown as a whole', async () => {
  const { bob, tom } = await desks.bobAndTom();
  const text = Array.from({ length: 4_000 }, (_, nth) => `line ${nth + 1} of the protocol`).join('\n');
  const [conversation] = await bob.call('conversation.list', {});
  if (conversation === undefined) throw new Error('there is no conversation');
  await bob.call('message.send', { conversationId: conversation.id, text });
  const card = tom.page.locator('[data-id]').filter({ hasText: 'Long text' });
  await card.getByText('line 1 of the protocol').waitFor();
  expect(await card.getByText('line 4000 of').count()).toBe(0);
  await card.getByRole('button', { name: 'Show everything' }).click();
  await card.getByText('line 4000 of the protocol').waitFor();
});
