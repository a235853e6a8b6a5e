/**
 * Owns: a program as a package has installed it, started on the stand-in: with what its archive holds and nothing beside.
 * Called by: package.test.ts. Calls: electron-driver.ts, @electron/asar.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { extractAll } from '@electron/asar';
import { expect } from 'vitest';
import { callInPage, launchStandIn, type ElectronDriver } from './electron-driver.ts';
import { TEST_BROWSER } from './launch-browser.ts';

/** Why nothing can be started here, or `undefined`. */
export const cannotStart = existsSync(TEST_BROWSER)
  ? undefined
  : 'there is no Chromium (Debian package chromium)';

/** The profile is open: there are the doors, or a list. */
const SHOWS_SOMETHING =
  'window.parley !== undefined && document.querySelector("main:not(.opening)") !== null';

interface Answer<Value> {
  readonly ok: boolean;
  readonly value: Value;
}

/** The program in a root, over a profile. */
export class InstalledProgram {
  readonly #driver: ElectronDriver;

  private constructor(driver: ElectronDriver) {
    this.#driver = driver;
  }

  /** `work`: an empty folder; Node cannot read an archive of Electron, so the program is taken out of it there. */
  static async start(system: string, profile: string, work: string): Promise<InstalledProgram> {
    extractAll(join(system, 'opt/Parley/resources/app.asar'), work);
    const driver = await launchStandIn(profile, [], join(work, 'out/hosts/electron/main.js'));
    await expect.poll(() => driver.page(SHOWS_SOMETHING)).toBe(true);
    return new InstalledProgram(driver);
  }

  /** A call of its window. Throws when it is refused. */
  async call<Value>(name: string, input: unknown = {}): Promise<Value> {
    const answer = await this.#driver.page<Answer<Value>>(callInPage(name, input));
    if (!answer.ok) throw new Error(`${name}: ${JSON.stringify(answer)}`);
    return answer.value;
  }

  /** Names in the list of conversations, as they stand in the window. */
  names(): Promise<string[]> {
    return this.#driver.page('[...document.querySelectorAll("nav .name")].map((name) => name.textContent)');
  }

  quit(): Promise<number | null> {
    return this.#driver.quit();
  }
}
