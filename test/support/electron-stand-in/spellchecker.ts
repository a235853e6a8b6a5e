/**
 * Owns: how a session of Windows and Linux comes to its dictionaries, as Electron's documentation and Chromium's
 * `spellcheck_hunspell_dictionary.cc` have it: it asks as soon as it is there, unless it has the file, and only once for each
 * list of languages. Nothing is looked up in them. Called by: parts.ts. Calls: chromium.ts.
 */
import { EventEmitter } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { app } from './application.ts';
import { decideRequest } from './chromium.ts';

/** Names of files by language: some of Chromium's. */
const FILES: Readonly<Record<string, string>> = {
  de: 'de-DE-3-0.bdic',
  'en-GB': 'en-GB-10-1.bdic',
  'en-US': 'en-US-10-1.bdic',
  fr: 'fr-FR-3-0.bdic',
  hy: 'hy-1-0.bdic',
  'pt-BR': 'pt-BR-3-0.bdic',
};

export class Spellchecker extends EventEmitter {
  readonly availableSpellCheckerLanguages = Object.keys(FILES);
  /** Every address that was asked for, whether it leads anywhere or not. */
  readonly askedFor: string[] = [];
  readonly ownWords: string[] = [];
  spellCheckerEnabled = true;
  #base = 'https://redirector.gvt1.com/edgedl/chrome/dict/';
  #languages: string[] = ['en-US'];

  /** The session is there. */
  begin(): void {
    app.emit('session-created', this);
    this.#load();
  }

  setSpellCheckerDictionaryDownloadURL(url: string): void {
    if (!URL.canParse(url)) throw new Error('The URL is not valid');
    this.#base = url;
  }

  getSpellCheckerLanguages(): string[] {
    return this.#languages;
  }

  setSpellCheckerLanguages(languages: string[]): void {
    const unknown = languages.find((language) => FILES[language] === undefined);
    if (unknown !== undefined) throw new Error(`Invalid language code provided: "${unknown}"`);
    this.spellCheckerEnabled = languages.length > 0;
    if (languages.join() === this.#languages.join()) return;
    this.#languages = languages;
    this.#load();
  }

  addWordToSpellCheckerDictionary(word: string): boolean {
    this.ownWords.push(word);
    return true;
  }

  #load(): void {
    for (const language of this.#languages) {
      // The address is read when the disk has been looked at.
      setImmediate(() => void this.#fetch(language, FILES[language] ?? ''));
    }
  }

  async #fetch(language: string, name: string): Promise<void> {
    const folder = join(app.getPath('userData'), 'Dictionaries');
    if (!existsSync(join(folder, name))) {
      this.emit('spellcheck-dictionary-download-begin', {}, language);
      const bytes = await this.#download(this.#base + name.toLowerCase()).catch(() => undefined);
      if (bytes?.subarray(0, 4).toString('latin1') !== 'BDic') {
        this.emit('spellcheck-dictionary-download-failure', {}, language);
        return;
      }
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, name), bytes);
      this.emit('spellcheck-dictionary-download-success', {}, language);
    }
    this.emit('spellcheck-dictionary-initialized', {}, language);
  }

  /** Tests never leave this computer: other addresses are written down only. */
  async #download(url: string): Promise<Buffer | undefined> {
    this.askedFor.push(url);
    const { hostname, port } = new URL(url);
    if (hostname !== '127.0.0.1' || port === '1' || !decideRequest({ url })) return undefined;
    const answer = await fetch(url);
    return answer.ok ? Buffer.from(await answer.arrayBuffer()) : undefined;
  }
}
