/**
 * Owns: the icons in build/resources/icons, drawn from the program's own mark, in the sizes that desktops ask for.
 * Called by: a person, after a change of the drawing (`node build/linux-package/icons.mjs`). Calls: Chromium.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { ROOT } from '../setup.mjs';

const SIZES = [16, 24, 32, 48, 64, 128, 256, 512, 1024];
const DRAWING = join(ROOT, 'renderer', 'public', 'favicon.svg');
const FOLDER = join(ROOT, 'build', 'resources', 'icons');

const drawing = readFileSync(DRAWING, 'utf8');
mkdirSync(FOLDER, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium' });
try {
  const page = await browser.newPage();
  for (const size of SIZES) {
    await page.setViewportSize({ width: size, height: size });
    await page.setContent(`<style>* { margin: 0 } svg { display: block; width: 100vw }</style>${drawing}`);
    await page.screenshot({ path: join(FOLDER, `${size}x${size}.png`), omitBackground: true });
  }
} finally {
  await browser.close();
}
