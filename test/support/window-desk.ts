/**
 * Owns: people at their desks: the whole program over a profile of its own, with its window.
 * Called by: browser specs. Calls: desk-program.ts, imserver, playwright-core.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import type { CallInput, CallName, CallOutput } from '../../shared/ipc/contract.ts';
import { silentLog } from '../../main/base/log.ts';
import { ImServer } from '../../main/imserver/imserver.ts';
import { checkServerConfig, type ServerConfig } from '../../main/imserver/server-config.ts';
import {
  BrowserDeskProgram,
  type DeskProgram,
  type ProgramOptions,
  type WindowLook,
} from './desk-program.ts';

export const domain = 'chat.home.arpa';

/** A folder that goes away with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-window-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** Who sits at a desk: signed in, and in touch with the people of `contacts`, before the window opens. */
export interface Person {
  readonly name: string;
  readonly server: string;
  readonly contacts?: readonly string[];
}

export interface DeskOptions extends Partial<WindowLook> {
  readonly person?: Person;
  readonly profile?: string;
  /** How its program differs from others; of a program in a browser. */
  readonly program?: ProgramOptions;
}

/** One person: a program with its window. */
export class Desk<Program extends DeskProgram = DeskProgram> {
  readonly profile: string;
  readonly program: Program;
  /** Errors in the window's console, among them every violation of the CSP. */
  readonly complaints: string[] = [];
  readonly #look: WindowLook;
  #page: Page | undefined;

  private constructor(profile: string, program: Program, look: WindowLook) {
    this.profile = profile;
    this.program = program;
    this.#look = look;
  }

  /** In a browser; closed with the test. */
  static open(browser: Browser, options: DeskOptions = {}): Promise<Desk<BrowserDeskProgram>> {
    return Desk.openAt((profile) => new BrowserDeskProgram(browser, profile, options.program), options);
  }

  /** The same, of any program. */
  static async openAt<Program extends DeskProgram>(
    at: (profile: string) => Program,
    options: DeskOptions = {},
  ): Promise<Desk<Program>> {
    const { profile = await temporaryFolder(), width = 1240, height = 780, dark = false } = options;
    const desk = new Desk(profile, at(profile), { width, height, dark });
    onTestFinished(async () => {
      await desk.close();
      await desk.program.leave();
    });
    await desk.program.start();
    if (options.person !== undefined) await desk.#settle(options.person);
    await desk.#openWindow();
    // The account bar has the address only while the account is online.
    if (options.person !== undefined) await desk.sees(addressOf(options.person.name));
    return desk;
  }

  get page(): Page {
    if (this.#page === undefined) throw new Error('this window is closed');
    return this.#page;
  }

  async start(): Promise<void> {
    await this.program.start();
    await this.#openWindow();
  }

  async #openWindow(): Promise<void> {
    const page = await this.program.openWindow(this.#look);
    page.on('console', (message) => {
      if (message.type() === 'error' || /content security policy/i.test(message.text())) {
        this.complaints.push(message.text());
      }
    });
    page.on('pageerror', (error) => this.complaints.push(error.message));
    await this.program.load(page);
    this.#page = page;
  }

  async close(): Promise<void> {
    await this.program.close();
    this.#page = undefined;
  }

  /** What the user could have done in the window, where the spec is about something else. */
  call<Name extends CallName>(name: Name, input: CallInput<Name>): Promise<CallOutput<Name>> {
    return this.program.call(name, input);
  }

  row(name: string): Locator {
    return this.page
      .getByRole('navigation', { name: 'Conversations' })
      .getByRole('button')
      .filter({ hasText: name });
  }

  get composer(): Locator {
    return this.page.getByRole('textbox', { name: /^Message to/ });
  }

  async write(text: string): Promise<void> {
    await this.composer.fill(text);
    await this.composer.press('Enter');
  }

  bubble(text: string): Locator {
    return this.page.locator('[data-id]').filter({ hasText: text });
  }

  /** Waits until the bubble with this text shows a state by its name. */
  async state(text: string, name: string): Promise<void> {
    await this.bubble(text).getByRole('img', { name, exact: true }).waitFor();
  }

  async #settle({ name, server, contacts = [] }: Person): Promise<void> {
    const address = addressOf(name);
    const { id } = await this.call('account.add', {
      address,
      password: passwordOf(name),
      displayName: name,
      server,
    });
    for (const contact of contacts) {
      await this.call('contact.add', { accountId: id, address: addressOf(contact), displayName: contact });
    }
  }

  async sees(text: string | RegExp): Promise<void> {
    await this.page.getByText(text).first().waitFor();
  }
}

/** Tom is `tom` at the server. */
export function addressOf(name: string): string {
  return `${name.toLowerCase()}@${domain}`;
}

export function passwordOf(name: string): string {
  return `${name.toLowerCase()}'s secret`;
}

/** An IM Server of nobody's, that can go away and come back where it was. */
export class Office {
  readonly #data: string;
  readonly #config: Readonly<Record<string, unknown>>;
  #server: ImServer | undefined;
  #port = 0;

  private constructor(data: string, config: Readonly<Record<string, unknown>>) {
    this.#data = data;
    this.#config = config;
  }

  static open(...users: string[]): Promise<Office> {
    return Office.openWith({}, ...users);
  }

  /** `config`: keys of a server's configuration beside those that every office has. */
  static async openWith(config: Readonly<Record<string, unknown>>, ...users: string[]): Promise<Office> {
    const office = new Office(await temporaryFolder(), config);
    onTestFinished(() => office.close());
    await office.start();
    for (const user of users) await office.addUser(user);
    return office;
  }

  get server(): ImServer {
    if (this.#server === undefined) throw new Error('this office is closed');
    return this.#server;
  }

  /** What goes into "Server". */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** The same for TLS, where its configuration has that. */
  get secureAddress(): string {
    return this.server.sip.find((one) => one.endsWith('transport=tls')) ?? '';
  }

  async addUser(user: string, password = passwordOf(user)): Promise<void> {
    await this.#server?.users.add(user, password);
  }

  async start(): Promise<void> {
    this.#server = await ImServer.start({ config: this.#read(), log: silentLog });
    this.#port = this.#server.port;
  }

  /** Reads its configuration and certificates again, while it runs. */
  async reload(): Promise<void> {
    await this.server.reload(this.#read());
  }

  #read(): ServerConfig {
    return checkServerConfig({ ...this.#config, domain, port: this.#port, data: this.#data }, 'test');
  }

  async close(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
  }
}
