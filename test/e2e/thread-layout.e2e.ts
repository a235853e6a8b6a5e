import type { Locator, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import { openFirst, painted, ScriptedWindows } from '../support/scripted-window.ts';

/** What must not move, and how far what is written may grow, in the layout of a real browser. */
const windows = new ScriptedWindows();

const linesAtMost = 8;

function field(page: Page): Locator {
  return page.getByRole('textbox', { name: /^Message to/ });
}

function lines(count: number): string {
  return Array.from({ length: count }, (_, nth) => `line ${nth + 1}`).join('\n');
}

/** How many lines there is room for in the field, and whether it scrolls, and whether the letters of its last line can be seen. */
function roomOf(box: Locator): Promise<{ lines: number; scrolls: boolean; atEnd: boolean }> {
  return box.evaluate((element) => {
    const { lineHeight, paddingTop, paddingBottom } = getComputedStyle(element);
    const inside = element.clientHeight - Number.parseFloat(paddingTop) - Number.parseFloat(paddingBottom);
    const hidden = element.scrollHeight - element.clientHeight;
    const belowPx = Number.parseFloat(paddingBottom) + Number.parseFloat(lineHeight) / 4;
    return {
      lines: Math.round((inside / Number.parseFloat(lineHeight)) * 10) / 10,
      scrolls: hidden > 1,
      atEnd: hidden - element.scrollTop < belowPx,
    };
  });
}

/** Tops of all bubbles that can be seen, and of the field. */
function places(page: Page): Promise<Record<string, number>> {
  return page.evaluate(() => {
    const { top, bottom } = document.querySelector('.scroller')!.getBoundingClientRect();
    const all = [...document.querySelectorAll<HTMLElement>('[data-id]')]
      .map((element) => [element.dataset['id'] ?? '', element.getBoundingClientRect()] as const)
      .filter(([, box]) => box.bottom > top && box.top < bottom)
      .map(([id, box]) => [id, box.top] as const);
    return Object.fromEntries([
      ...all,
      ['field', document.querySelector('textarea')!.getBoundingClientRect().top],
    ]);
  });
}

/** Half a pixel may be left where older messages have just come in above. */
function expectSamePlaces(now: Record<string, number>, before: Record<string, number>, when: string): void {
  expect(Object.keys(now), when).toEqual(Object.keys(before));
  for (const [id, top] of Object.entries(now))
    expect(Math.abs(top - (before[id] ?? 0)), `${id} ${when}`).toBeLessThan(1);
}

describe('the field', () => {
  it('grows line by line to eight, scrolls then, shrinks with what is taken away, and is small again when it is sent', async () => {
    const { page } = await windows.openFirst('talking');
    const box = field(page);
    const last = page.locator('[data-id]').last();
    for (let count = 1; count <= 10; count += 1) {
      if (count > 1) await page.keyboard.press('Shift+Enter');
      await page.keyboard.type(`line ${count}`);
      await painted(page);
      const room = await roomOf(box);
      expect(room.lines, `${count} lines`).toBe(Math.min(count, linesAtMost));
      expect(room.scrolls, `${count} lines`).toBe(count > linesAtMost);
      expect(room.atEnd).toBe(true);
      // What was said last stays in sight above it.
      const [bubble, frame] = [await last.boundingBox(), await page.locator('.composer').boundingBox()];
      expect(bubble!.y + bubble!.height).toBeLessThanOrEqual(frame!.y);
    }
    for (const keys of [5, 3]) {
      // The end of the text, and as many lines back.
      await page.keyboard.press('Control+End');
      for (let line = 0; line < keys; line += 1) await page.keyboard.press('Shift+ArrowUp');
      await page.keyboard.press('Backspace');
    }
    await painted(page);
    expect((await roomOf(box)).lines).toBeLessThan(linesAtMost);
    await page.keyboard.press('Enter');
    await page.locator('[data-id]').filter({ hasText: 'line 1' }).waitFor();
    await painted(page);
    expect(await roomOf(box)).toEqual({ lines: 1, scrolls: false, atEnd: true });
  });

  it('is as large as what is pasted, brought back or was left in it, also without a space', async () => {
    const { page } = await windows.openFirst('talking', {
      // The list says who types instead of what has been written.
      change: (world) => (world.composing = []),
    });
    const box = field(page);
    await page.keyboard.insertText(lines(30));
    await painted(page);
    expect(await roomOf(box)).toEqual({ lines: linesAtMost, scrolls: true, atEnd: true });
    await box.fill('w'.repeat(400));
    await painted(page);
    const room = await roomOf(box);
    expect(room.lines).toBeGreaterThan(2);
    expect(await box.evaluate((element) => element.scrollWidth - element.clientWidth)).toBeLessThan(2);

    // A draft of five lines, behind another conversation and in a window that is opened anew.
    await box.fill(lines(5));
    await page.locator('nav li button').nth(1).click();
    await painted(page);
    expect((await roomOf(field(page))).lines).toBe(1);
    await openFirst(page);
    await painted(page);
    expect(await roomOf(box)).toEqual({ lines: 5, scrolls: false, atEnd: true });
    await page.locator('nav li button').nth(1).click();
    await page.getByText('Draft:').waitFor();
    await page.reload();
    await openFirst(page);
    await painted(page);
    expect((await roomOf(field(page))).lines).toBe(5);

    await page.keyboard.press('Enter');
    await page.locator('[data-id]').filter({ hasText: 'line 5' }).waitFor();
    await page.keyboard.press('ArrowUp');
    await painted(page);
    expect((await roomOf(field(page))).lines).toBe(5);
  });

  it('leaves room for the thread in the smallest window', async () => {
    const { page } = await windows.openFirst('talking', { width: 720, height: 480 });
    await page.keyboard.insertText(lines(30));
    await painted(page);
    expect((await roomOf(field(page))).lines).toBe(linesAtMost);
    const frame = (await page.locator('.composer').boundingBox())!;
    expect(frame.y + frame.height).toBeLessThanOrEqual(480);
    expect((await page.locator('.scroller').boundingBox())!.height).toBeGreaterThan(100);
  });
});

describe('that the other side types', () => {
  const tom = 'with-tom' as ConversationId;

  it('is said under the last bubble and moves nothing, at the end of the thread and further up', async () => {
    const { page, server } = await windows.openFirst('long');
    const typing = page.getByText('Tom Weber is typing…');
    await page.getByText('10000. Done').last().waitFor();
    for (const up of [0, 40, 2_000]) {
      await page.locator('.scroller').evaluate((element, by) => (element.scrollTop -= by), up);
      await painted(page);
      const before = await places(page);
      expect(Object.keys(before).length).toBeGreaterThan(5);
      server.backend.publishComposing(tom);
      await typing.waitFor();
      await painted(page);
      expectSamePlaces(await places(page), before, `${up} pixels up, while typing`);
      if (up === 0) {
        const [line, last] = [
          await typing.boundingBox(),
          await page.locator('[data-id]').last().boundingBox(),
        ];
        expect(line!.y).toBeGreaterThanOrEqual(last!.y + last!.height);
        expect(line!.y + line!.height).toBeLessThanOrEqual(
          (await page.locator('.composer').boundingBox())!.y,
        );
      }
      server.backend.publishComposing(tom, []);
      await typing.waitFor({ state: 'detached' });
      await painted(page);
      expectSamePlaces(await places(page), before, `${up} pixels up, afterwards`);
    }
  });

  it('is one line, however long a name is', async () => {
    const { page, server } = await windows.openFirst('states', {
      width: 720,
      height: 480,
      change: (world) => {
        const [first, ...others] = world.conversations;
        world.conversations = [{ ...first!, peerName: 'Maximiliana '.repeat(14) }, ...others];
      },
    });
    await page.locator('.retry, .failure').first().waitFor();
    await painted(page);
    const before = await places(page);
    const { id } = server.backend.world.conversations[0]!;
    server.backend.publishComposing(id);
    const typing = page.locator('.typing');
    await expect.poll(() => typing.innerText()).toContain('Maximiliana');
    await painted(page);
    expectSamePlaces(await places(page), before, 'while typing');
    const [high, drawn] = await typing.evaluate((line) => {
      const range = document.createRange();
      range.selectNodeContents(line);
      return [line.clientHeight, range.getBoundingClientRect().height];
    });
    expect(drawn).toBeLessThanOrEqual(high);
  });
});

it('the time of a message that waits stands beside its text, however long the name is', async () => {
  const { page } = await windows.openFirst('states');
  const bubble = page.locator('.line', { hasText: 'Wartet auf dem Server' }).locator('.bubble');
  for (const width of [1240, 860, 720]) {
    await page.setViewportSize({ width, height: 780 });
    await painted(page);
    const [text, words, when] = await bubble.evaluate((element) => {
      const range = document.createRange();
      range.selectNodeContents(element.querySelector('p')!);
      const boxes = [range, element.querySelector('.waits')!, element.querySelector('.when')!];
      return boxes.map((one) => one.getBoundingClientRect().toJSON() as DOMRect);
    });
    expect(words!.height, 'one line').toBeLessThan(22);
    expect(when!.left - words!.right).toBeLessThan(16);
    // Beside it, or right under its end.
    expect(words!.left - text!.right, `${width} wide`).toBeLessThan(24);
    expect(Math.abs(when!.bottom - text!.bottom), `${width} wide`).toBeLessThan(24);
  }
});

it('the button of a message stands beside its bubble, on the side that is free', async () => {
  for (const language of ['en', 'ar'] as const) {
    const { page } = await windows.openFirst('talking', { language });
    for (const direction of ['in', 'out']) {
      const bubble = page.locator(`.line.${direction} .bubble`).last();
      const button = bubble.locator('[data-menu]');
      await bubble.hover();
      expect(await button.evaluate((element) => getComputedStyle(element).opacity)).toBe('1');
      const [of, around] = [await button.boundingBox(), await bubble.boundingBox()];
      const isAtEnd = (direction === 'in') === (language === 'en');
      const gap = isAtEnd ? of!.x - around!.x - around!.width : around!.x - of!.x - of!.width;
      expect(gap, `${language} ${direction}`).toBeGreaterThanOrEqual(0);
      expect(gap, `${language} ${direction}`).toBeLessThan(12);
    }
  }
});

describe('where list and thread take turns', () => {
  it('is below 860 pixels; one more, and both are there', async () => {
    const { page } = await windows.openFirst('talking', { width: 860 });
    const list = page.locator('nav');
    for (const [width, both] of [
      [860, true],
      [859, false],
      [720, false],
      [860, true],
    ] as const) {
      await page.setViewportSize({ width, height: 480 });
      await painted(page);
      expect(await field(page).isVisible(), `${width}: thread`).toBe(true);
      expect(await list.isVisible(), `${width}: list`).toBe(both);
    }
    await page.setViewportSize({ width: 859, height: 480 });
    await page.getByRole('button', { name: 'Back' }).click();
    expect(await list.isVisible()).toBe(true);
    expect(await field(page).isVisible()).toBe(false);
    await openFirst(page);
    expect(await field(page).isVisible()).toBe(true);
    expect(await field(page).evaluate((element) => element === document.activeElement)).toBe(true);
  });

  it('keeps what is read in its place when the window gets another size', async () => {
    const { page } = await windows.openFirst('long', { width: 1240 });
    await page.getByText('10000. Done').last().waitFor();
    await page.locator('.scroller').evaluate((element) => (element.scrollTop -= 1_500));
    await painted(page);
    const first = (): Promise<string> =>
      page.evaluate(() => {
        const { top } = document.querySelector('.scroller')!.getBoundingClientRect();
        const all = [...document.querySelectorAll<HTMLElement>('[data-id]')];
        return all.find((element) => element.getBoundingClientRect().bottom > top)?.dataset['id'] ?? '';
      });
    const before = await first();
    for (const width of [720, 1240, 900]) {
      await page.setViewportSize({ width, height: 600 });
      await painted(page);
      expect(await first(), `${width} wide`).toBe(before);
    }
  });
});

describe('a conversation that is opened', () => {
  it('fills the screen in its first frame, also a tall one and with the lowest bubbles', async () => {
    const count = 200;
    const { page } = await windows.openFirst('talking', {
      height: 1_400,
      change: ({ messages, conversations: [, ana] }) => {
        const last = messages.findLast(({ conversationId }) => conversationId === ana!.id)!;
        messages.push(
          ...Array.from({ length: count }, (_, nth) => ({
            ...last,
            ...{
              id: `more-${nth}` as MessageId,
              position: 1_000 + nth,
              direction: 'out' as const,
              text: 'Yes',
            },
          })),
        );
      },
    });
    await painted(page);
    const seen = await page.evaluate(async () => {
      document.querySelectorAll<HTMLElement>('nav li button')[1]!.click();
      for (;;) {
        const [first, ...others] = document.querySelectorAll('[data-position^="1"][data-id^="more"]');
        const edge = document.querySelector('.scroller')!.getBoundingClientRect().top;
        if (first !== undefined)
          return { gap: first.getBoundingClientRect().top - edge, drawn: others.length + 1 };
        await new Promise(requestAnimationFrame);
      }
    });
    expect(seen.gap).toBeLessThanOrEqual(0);
    expect(seen.drawn).toBeLessThan(count / 4);
  });
});
