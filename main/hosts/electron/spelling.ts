/**
 * Owns: spelling on Windows and Linux: with dictionaries of a folder, or not at all. macOS does it by itself.
 * Called by: main.ts, program.ts. Calls: dictionary-folder.ts, dictionary-server.ts, Electron's Session.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { App, OnBeforeRequestListenerDetails, Session } from 'electron';
import type { Log } from '../../base/log.ts';
import { findDictionaries, type Dictionary } from './dictionary-folder.ts';
import { DictionaryServer } from './dictionary-server.ts';

/** A port that Chromium refuses by itself: nothing is sent. */
const NOWHERE = 'http://127.0.0.1:1/';

/**
 * Before Electron is ready. A session asks for the dictionary of the system's language as soon as it is there, whatever its
 * windows are set to, and at a server of Google's unless it is told another address first.
 */
export function keepSpellingHere(app: Pick<App, 'on'>, platform: NodeJS.Platform = process.platform): void {
  if (platform === 'darwin') return;
  app.on('session-created', (session) => {
    session.setSpellCheckerDictionaryDownloadURL(NOWHERE);
  });
}

/** Before Electron is ready: copies of an earlier run, so that a file that was replaced under its name counts. Never throws. */
export function forgetDictionaries(userData: string): void {
  const folder = join(userData, 'Dictionaries');
  try {
    for (const name of readdirSync(folder)) {
      if (name.toLowerCase().endsWith('.bdic')) rmSync(join(folder, name), { force: true });
    }
  } catch {
    // There were none.
  }
}

export interface SpellingOptions {
  readonly session: Session;
  readonly log: Log;
  readonly platform?: NodeJS.Platform;
}

/** Checks nothing until a folder is applied in which there is a dictionary. */
export class Spelling implements AsyncDisposable {
  readonly #options: SpellingOptions;
  readonly #isOurs: boolean;
  #server: DictionaryServer | undefined;
  #address: string | undefined;
  #folder: string | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(options: SpellingOptions) {
    this.#options = options;
    this.#isOurs = (options.platform ?? process.platform) !== 'darwin';
  }

  /** What Chromium asks for on its own account, and no page. */
  asks({ url, webContentsId }: Pick<OnBeforeRequestListenerDetails, 'url' | 'webContentsId'>): boolean {
    return webContentsId === undefined && this.#address !== undefined && url.startsWith(this.#address);
  }

  /** The dictionaries of this folder count from now on. Resolves when Chromium has been told of them; never rejects. */
  apply(folder: string): Promise<void> {
    if (!this.#isOurs || folder === this.#folder) return this.#work;
    this.#folder = folder;
    return this.#next(() => this.#use(folder));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#next(() => this.#close());
  }

  #next(step: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(step).catch((error: unknown) => {
      this.#options.log.warn('spelling.failed', { error });
    });
    return this.#work;
  }

  async #use(folder: string): Promise<void> {
    const { session, log } = this.#options;
    // The same languages as before would change nothing.
    session.setSpellCheckerLanguages([]);
    await this.#close();
    const dictionaries = await findDictionaries(folder);
    const languages = this.#languagesOf(dictionaries);
    if (languages.length === 0) return;
    const server = new DictionaryServer(dictionaries, log);
    this.#server = server;
    this.#address = await server.start();
    session.setSpellCheckerDictionaryDownloadURL(this.#address);
    session.setSpellCheckerLanguages(languages);
    log.info('spelling.on', { languages });
  }

  async #close(): Promise<void> {
    if (this.#address !== undefined) this.#options.session.setSpellCheckerDictionaryDownloadURL(NOWHERE);
    this.#address = undefined;
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
  }

  /** Chromium names some languages with their region, most without. */
  #languagesOf(dictionaries: readonly Dictionary[]): string[] {
    const { session, log } = this.#options;
    const known = new Map(session.availableSpellCheckerLanguages.map((code) => [code.toLowerCase(), code]));
    const codes = dictionaries.flatMap(({ name, region }) => {
      const code = known.get(region) ?? known.get(region.split('-', 1)[0] ?? '');
      if (code === undefined) log.warn('dictionary.unknown', { name });
      return code ?? [];
    });
    return [...new Set(codes)];
  }
}
