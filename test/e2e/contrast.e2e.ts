import type { Locator, Page } from 'playwright-core';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { ScriptedWindows, type Look } from '../support/scripted-window.ts';

/** What the window shows to those whose system has chosen the colours, or asks for more contrast. */
const windows = new ScriptedWindows();

const looks: readonly (Look & { readonly name: string })[] = [
  { name: 'colours of the system, dark', forcedColors: 'active', dark: true },
  { name: 'colours of the system, light', forcedColors: 'active' },
  { name: 'more contrast, dark', contrast: 'more', dark: true },
  { name: 'more contrast, light', contrast: 'more' },
];

/** Colours as r,g,b; lines as width and colour, empty where there is none. */
interface Paint {
  readonly colour: string;
  /** What it stands on, with all that shines through. */
  readonly ground: string;
  readonly edge: string;
  readonly ring: string;
  /** What its ring stands on: the same, or what is around it. */
  readonly ringGround: string;
}

function paintOf(element: Locator): Promise<Paint> {
  return element.evaluate((target) => {
    const pen = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true })!;
    /** These colours one above the other, the last one lowest. */
    const mix = (...colours: readonly string[]): Uint8ClampedArray => {
      pen.clearRect(0, 0, 1, 1);
      for (const colour of colours.toReversed()) {
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
      }
      return pen.getImageData(0, 0, 1, 1).data;
    };
    const words = (...colours: readonly string[]): string =>
      mix(...colours)
        .subarray(0, 3)
        .join();
    const grounds = (from: Element | null): string[] => {
      const all: string[] = [];
      for (let each = from; each !== null; each = each.parentElement)
        all.push(getComputedStyle(each).backgroundColor);
      return all;
    };
    const below = grounds(target);
    const line = (width: string, style: string, colour: string): string =>
      style === 'none' || width === '0px' || mix(colour)[3] === 0
        ? ''
        : `${width} ${words(colour, ...below)}`;
    const style = getComputedStyle(target);
    const isInside = Number.parseFloat(style.outlineOffset) < 0;
    return {
      colour: words(style.color),
      ground: words(...below),
      edge: line(style.borderTopWidth, style.borderTopStyle, style.borderTopColor),
      ring: line(style.outlineWidth, style.outlineStyle, style.outlineColor),
      ringGround: words(...(isInside ? below : below.slice(1))),
    };
  });
}

/** Contrast of two colours, 1 to 21 (WCAG 2.2, relative luminance). */
function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [one, other]
    .map((colour) => {
      const [r = 0, g = 0, b = 0] = colour
        .split(',')
        .map((part) => Number(part) / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    })
    .sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

/** A line as `paintOf` tells it can be seen on this ground. */
function expectLine(line: string, ground: string, what: string): void {
  expect(line, `${what} has a line`).not.toBe('');
  expect(contrast(line.split(' ')[1] ?? '', ground), `${what}: ${line} on ${ground}`).toBeGreaterThanOrEqual(
    3,
  );
}

/** Every picture that is drawn, with less than 3:1 to what it stands on. */
async function faintPictures(page: Page): Promise<string[]> {
  const pictures = page.locator(':not(:disabled, .more) > :is(svg.icon, svg.glyph):visible');
  const paints = await Promise.all((await pictures.all()).map((picture) => paintOf(picture)));
  expect(paints.length).toBeGreaterThan(5);
  return paints
    .filter(({ colour, ground }) => contrast(colour, ground) < 3)
    .map(({ colour, ground }) => `${colour} on ${ground}`);
}

describe.each(looks)('$name', ({ name: _, ...look }) => {
  it('bubbles have edges, those of our user other ones; states, badges and what is chosen stand out', async () => {
    const { page } = await windows.openFirst('talking', look);
    const bubble = (side: 'in' | 'out'): Locator => page.locator(`.line.${side} .bubble`).first();
    await bubble('out').waitFor();
    const [theirs, ours] = await Promise.all([paintOf(bubble('in')), paintOf(bubble('out'))]);
    const behind = (await paintOf(page.locator('.scroller'))).ground;
    expectLine(theirs.edge, behind, 'a bubble of the other side');
    expectLine(ours.edge, look.forcedColors === undefined ? behind : ours.ground, 'a bubble of our user');
    expect([ours.edge, ours.ground]).not.toEqual([theirs.edge, theirs.ground]);
    for (const text of [page.locator('.in .bubble p').first(), page.locator('.out .bubble p').first()]) {
      const { colour, ground } = await paintOf(text);
      expect(contrast(colour, ground)).toBeGreaterThanOrEqual(7);
    }

    const displayed = page.locator('.out .glyph[data-state=displayed]').first();
    const [filled, cut] = await displayed.evaluate((glyph) => [
      getComputedStyle(glyph.querySelector('.ground')!).fill,
      getComputedStyle(glyph.querySelector('.cut')!).stroke,
    ]);
    expect(filled).not.toBe(cut);
    expect(await faintPictures(page)).toEqual([]);

    const rows = page.locator('nav li button');
    const [chosen, other] = await Promise.all([paintOf(rows.nth(0)), paintOf(rows.nth(1))]);
    expect(chosen.ground).not.toBe(other.ground);
    if (look.forcedColors === undefined) expectLine(chosen.ring, other.ground, 'the open conversation');
    for (const part of ['.name', '.second .clipped', 'time']) {
      const { colour, ground } = await paintOf(rows.nth(0).locator(part).first());
      expect(contrast(colour, ground), part).toBeGreaterThanOrEqual(4.5);
    }
    const badge = await paintOf(page.locator('nav .badge').first());
    expect(contrast(badge.ground, other.ground)).toBeGreaterThanOrEqual(3);
    expect(contrast(badge.colour, badge.ground)).toBeGreaterThanOrEqual(4.5);
  });

  it('the stop of the Tab key is seen, and switches and choices show which way they stand', async () => {
    const { page } = await windows.openFirst('talking', look);
    await page.keyboard.press('Control+,');
    const toggle = page.getByRole('switch', { name: 'Announce new messages' });
    await toggle.waitFor();
    await page.locator('.account').focus();
    const names = new Set<string>();
    while (!(await toggle.evaluate((element) => element === document.activeElement))) {
      await page.keyboard.press('Tab');
      const name = await page.locator(':focus').evaluate((element) => element.outerHTML.slice(0, 90));
      expect(names, 'each is reached once').not.toContain(name);
      names.add(name);
      // Some tell of the focus by the frame around them, or by what stands beside them.
      const shown = page.locator(':focus, .search:has(:focus), :focus + span');
      const paints = await Promise.all((await shown.all()).map((one) => paintOf(one)));
      const { ring, ringGround } = paints.find((paint) => paint.ring !== '') ?? paints[0]!;
      expectLine(ring, ringGround, name);
    }
    expect(names.size).toBeGreaterThan(8);

    const drawn = async (): Promise<readonly [string, string]> => {
      const { edge, ground } = await paintOf(toggle);
      const behind = await paintOf(toggle.locator('..'));
      if (edge === '') expect(contrast(ground, behind.ground)).toBeGreaterThanOrEqual(3);
      else expectLine(edge, behind.ground, 'a switch');
      return [
        ground,
        await toggle.evaluate((element) => getComputedStyle(element, '::before').backgroundColor),
      ];
    };
    const on = await drawn();
    await page.keyboard.press('Space');
    expect(await drawn()).not.toEqual(on);
    const [taken, open] = await Promise.all(
      ['System', 'Light'].map((text) => paintOf(page.locator('.segments span', { hasText: text }))),
    );
    expect(taken!.ground).not.toBe(open!.ground);
    expect(contrast(taken!.colour, taken!.ground)).toBeGreaterThanOrEqual(4.5);
  });

  it('a file that arrives shows how far it is, and pictures stand out', async () => {
    const { page } = await windows.openFirst('files', look);
    const bar = page.locator('.card progress').first();
    await bar.scrollIntoViewIfNeeded();
    expect(await faintPictures(page)).toEqual([]);
    const shot = PNG.sync.read(await bar.screenshot());
    // What is done and what is to come, in the middle of its height.
    const [done = '', left = ''] = [0.1, 0.9].map((part) => {
      const at = (Math.floor(shot.height / 2) * shot.width + Math.floor(shot.width * part)) * 4;
      return shot.data.subarray(at, at + 3).join();
    });
    expect(contrast(done, left)).toBeGreaterThanOrEqual(3);
  });
});
