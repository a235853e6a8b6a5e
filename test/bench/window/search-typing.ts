/**
 * Owns: what typing into the search field takes: from each key to the frame that shows what was found for it.
 * Called by: measure.ts. Calls: in-page.ts.
 */
import type { Page } from 'playwright-core';
import { summarise, type Summary } from '../summary.ts';
import { searchTimes, watchSearch } from './in-page.ts';

/** As fast as most people type; each answer comes before the next key. */
const KEY_MS = 150;

/** Types these words one after the other; ms for each letter. The window was prepared by `noteAnswers`. */
export async function typeSearches(page: Page, words: readonly string[]): Promise<Summary> {
  await page.bringToFront();
  const field = page.getByRole('search').getByRole('combobox');
  await field.click();
  await page.evaluate(watchSearch);
  for (const word of words) {
    for (const letter of word) {
      await page.keyboard.press(letter);
      await page.waitForTimeout(KEY_MS);
    }
    await field.fill('');
  }
  const times = await page.evaluate(searchTimes);
  await page.keyboard.press('Escape');
  return summarise(times);
}
