/**
 * Owns: what every spec of the window over the real program begins with: a browser, desks of people, and a look at their
 * consoles behind each test. Called by: test/e2e. Calls: launch-browser.ts, window-desk.ts.
 */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { launchBrowser } from './launch-browser.ts';
import { buildWindow, Desk, Office, type DeskOptions } from './window-desk.ts';

/** The people of a spec; made once, at the top of its file. */
export class Desks {
  #browser: Browser | undefined;
  readonly #open: Desk[] = [];

  constructor() {
    beforeAll(async () => {
      await buildWindow();
      this.#browser = await launchBrowser();
    });
    afterAll(() => this.browser.close());
    afterEach(() => {
      const complaints = this.#open.splice(0).flatMap((desk) => desk.complaints);
      expect(complaints.join('\n'), 'errors in the console').toBe('');
    });
  }

  get browser(): Browser {
    if (this.#browser === undefined) throw new Error('the browser is not open yet');
    return this.#browser;
  }

  async sitDown(options: DeskOptions = {}): Promise<Desk> {
    const desk = await Desk.open(this.browser, options);
    this.#open.push(desk);
    return desk;
  }

  /** Bob and Tom, both signed in and known to each other, with the conversation open; at a server of their own. */
  async bobAndTom({ office, ...ofBob }: DeskOptions & { readonly office?: Office } = {}): Promise<{
    bob: Desk;
    tom: Desk;
    office: Office;
  }> {
    const at = office ?? (await Office.open('bob', 'tom'));
    const [bob, tom] = await Promise.all([
      this.sitDown({ ...ofBob, person: { name: 'Bob', server: at.address, contacts: ['Tom'] } }),
      this.sitDown({ person: { name: 'Tom', server: at.address, contacts: ['Bob'] } }),
    ]);
    await Promise.all([bob.row('Tom').click(), tom.row('Bob').click()]);
    return { bob, tom, office: at };
  }
}
