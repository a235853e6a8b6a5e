/**
 * Owns: how soon the window has its list, from the start of the program, over a long history: several starts, one after the
 * other, with the account signing in at a server that runs. Called by: ../main.ts. Calls: measure.ts.
 */
import { join } from 'node:path';
import { summarise, type Figure } from '../summary.ts';
import { Host, launchChromium, prepare } from './measure.ts';

const STARTS = 11;
const QUIET_MS = 1_000;

/** From the start of the program, and from its link, to the list on the screen. */
export async function measureStarts(folder: string, messages: number, keep?: string): Promise<Figure[]> {
  const profile = join(folder, 'bob');
  const { program, tom } = await prepare(folder, profile, messages, keep);
  await using _server = program;
  await using _tom = tom;
  const browser = await launchChromium();
  const starts: number[] = [];
  const windows: number[] = [];
  try {
    for (let round = 0; round < STARTS; round += 1) {
      const context = await browser.newContext({ viewport: { width: 1240, height: 780 } });
      const page = await context.newPage();
      // What the round before has left to be cleared away is none of this one's.
      await page.waitForTimeout(QUIET_MS);
      const began = performance.now();
      await using host = await Host.start(profile, join(folder, 'delays.json'));
      const linked = performance.now();
      await page.goto(host.url);
      await page.locator('nav li button').first().waitFor();
      starts.push(performance.now() - began);
      windows.push(performance.now() - linked);
      await page.getByText('@chat.home.arpa').first().waitFor();
      await context.close();
    }
  } finally {
    await browser.close();
  }
  const [start, window] = [summarise(starts), summarise(windows)];
  return [
    { name: 'window: program started to list shown', unit: 'ms', p50: start.p50, p99: start.p99 },
    { name: 'window: link opened to list shown', unit: 'ms', p50: window.p50, p99: window.p99 },
  ];
}
