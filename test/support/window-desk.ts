/**
 * Owns: people at their desks: the whole program over a profile of its own, with its window in a real browser.
 * Called by: browser specs. Calls: hosts/app, browser/web-host, imserver, playwright-core.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import type { CallInput, CallName, CallOutput } from '../../shared/ipc/contract.ts';
import { silentLog } from '../../main/base/log.ts';
import { App, type AppOptions } from '../../main/hosts/app.ts';
import { WebHost } from '../../main/hosts/browser/web-host.ts';
import { serviceOf } from '../../main/hosts/shown-files.ts';
import { ImServer } from '../../main/imserver/imserver.ts';
import { checkServerConfig, type ServerConfig } from '../../main/imserver/server-config.ts';
import { filePermissionSecrets } from '../../main/messenger/secrets.ts';

const root = resolve(import.meta.dirname, '../..');
export const builtWindow = resolve(root, 'out/renderer');
export const domain = 'chat.home.arpa';

async function newestMs(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const times = await Promise.all(
    files.map(async (file) => (await stat(join(file.parentPath, file.name))).mtimeMs),
  );
  return Math.max(...times);
}

/** Builds the window into out/renderer, unless what is there is newer than all of its code. */
export async function buildWindow(): Promise<void> {
  const builtMs = await stat(join(builtWindow, 'index.html')).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  const code = await Promise.all(['renderer', 'shared', 'docs'].map((name) => newestMs(resolve(root, name))));
  if (Math.max(...code) < builtMs) return;
  // By a program of its own: in this one NODE_ENV says "test", and that would build the window for developers.
  await promisify(execFile)(
    process.execPath,
    [resolve(root, 'node_modules/vite/bin/vite.js'), 'build', '--logLevel', 'error'],
    { cwd: root, env: { ...process.env, NODE_ENV: 'production' }, timeout: 60_000 },
  );
}

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

export interface DeskOptions {
  readonly person?: Person;
  readonly profile?: string;
  /** How its program differs from others. */
  readonly program?: Pick<AppOptions, 'tap' | 'ca' | 'limits' | 'set'>;
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
}

/** One person: a program with its window. */
export class Desk {
  readonly profile: string;
  /** Errors in the window's console, among them every violation of the CSP. */
  readonly complaints: string[] = [];
  readonly #context: BrowserContext;
  readonly #program: DeskOptions['program'];
  #app: App | undefined;
  #web: WebHost | undefined;
  #page: Page | undefined;

  private constructor(profile: string, context: BrowserContext, program: DeskOptions['program']) {
    this.profile = profile;
    this.#context = context;
    this.#program = program;
  }

  /** Closed with the test. */
  static async open(browser: Browser, options: DeskOptions = {}): Promise<Desk> {
    const { profile = await temporaryFolder(), program, width = 1240, height = 780, dark = false } = options;
    const context = await browser.newContext({
      viewport: { width, height },
      reducedMotion: 'reduce',
      colorScheme: dark ? 'dark' : 'light',
      locale: 'en-GB',
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    // As patient as the test is.
    context.setDefaultTimeout(0);
    const desk = new Desk(profile, context, program);
    onTestFinished(async () => {
      await desk.close();
      await context.close();
    });
    await desk.startProgram();
    if (options.person !== undefined) await desk.#settle(options.person);
    await desk.openWindow();
    // The account bar has the address only while the account is online.
    if (options.person !== undefined) await desk.sees(addressOf(options.person.name));
    return desk;
  }

  get page(): Page {
    if (this.#page === undefined) throw new Error('this window is closed');
    return this.#page;
  }

  get web(): WebHost {
    if (this.#web === undefined) throw new Error('this program is closed');
    return this.#web;
  }

  async start(): Promise<void> {
    await this.startProgram();
    await this.openWindow();
  }

  async startProgram(): Promise<void> {
    this.#app = await App.open({
      profile: this.profile,
      host: 'browser',
      secrets: filePermissionSecrets,
      log: silentLog,
      ...this.#program,
    });
    this.#web = await WebHost.start({
      api: this.#app.api,
      log: silentLog,
      rendererFolder: builtWindow,
      files: serviceOf(this.#app.messenger.transfers),
    });
  }

  async openWindow(): Promise<void> {
    const page = await this.#context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' || /content security policy/i.test(message.text())) {
        this.complaints.push(message.text());
      }
    });
    page.on('pageerror', (error) => this.complaints.push(error.message));
    await page.goto(this.web.issueUrl());
    this.#page = page;
  }

  /** The window first, as a user does it: a program that has gone is another spec's business. */
  async close(): Promise<void> {
    await this.#page?.close();
    await this.#web?.[Symbol.asyncDispose]();
    await this.#app?.[Symbol.asyncDispose]();
    this.#page = this.#web = this.#app = undefined;
  }

  /** What the user could have done in the window, where the spec is about something else. */
  async call<Name extends CallName>(name: Name, input: CallInput<Name>): Promise<CallOutput<Name>> {
    const answer = await this.#app?.api.receiveCall({ id: 1, call: name, input });
    if (!answer?.ok) throw new Error(`${name}: ${answer?.message ?? 'closed'}`);
    return answer.value as CallOutput<Name>;
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
