/**
 * Owns: what every spec of the window over the real program begins with: desks of people, in a browser or at the desktop
 * program, and a look at their consoles behind each test. Called by: test/e2e. Calls: window-desk.ts, desk-program.ts.
 */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { buildWindow } from './built-window.ts';
import {
  BrowserDeskProgram,
  DesktopDeskProgram,
  type DeskProgram,
  type ProgramOptions,
} from './desk-program.ts';
import type { ElectronDriver } from './electron-driver.ts';
import { borrowBrowser, returnBrowser } from './launch-browser.ts';
import { Desk, Office, type DeskOptions } from './window-desk.ts';

/** The people of a spec; made once, at the top of its file or group. */
export abstract class Desks<Program extends DeskProgram = DeskProgram> {
  readonly #open: Desk[] = [];

  constructor() {
    beforeAll(buildWindow);
    afterEach(() => {
      const complaints = this.#open.splice(0).flatMap((desk) => desk.complaints);
      expect(complaints.join('\n'), 'errors in the console').toBe('');
    });
  }

  protected abstract at(profile: string, options?: ProgramOptions): Program;

  async sitDown(options: DeskOptions = {}): Promise<Desk<Program>> {
    const desk = await Desk.openAt((profile) => this.at(profile, options.program), options);
    this.#open.push(desk);
    return desk;
  }

  /** Bob and Tom, both signed in and known to each other, with the conversation open; at a server of their own. */
  async bobAndTom({ office, ...ofBob }: DeskOptions & { readonly office?: Office } = {}): Promise<{
    bob: Desk<Program>;
    tom: Desk<Program>;
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

/** In a browser that they share. */
export class BrowserDesks extends Desks<BrowserDeskProgram> {
  #browser: Browser | undefined;

  constructor() {
    super();
    beforeAll(async () => {
      this.#browser = await borrowBrowser();
    });
    afterAll(() => returnBrowser(this.browser));
  }

  get browser(): Browser {
    if (this.#browser === undefined) throw new Error('the browser is not open yet');
    return this.#browser;
  }

  protected at(profile: string, options?: ProgramOptions): BrowserDeskProgram {
    return new BrowserDeskProgram(this.browser, profile, options);
  }
}

/** Each at a desktop program of his own. */
export class DesktopDesks extends Desks<DesktopDeskProgram> {
  readonly #launch: (profile: string) => Promise<ElectronDriver>;

  constructor(launch: (profile: string) => Promise<ElectronDriver>) {
    super();
    this.#launch = launch;
  }

  protected at(profile: string, options?: ProgramOptions): DesktopDeskProgram {
    if (options !== undefined) throw new Error('the built program is as it is');
    return new DesktopDeskProgram(this.#launch, profile);
  }
}
