/**
 * Owns: the index of an exported folder of pages, by which a browser searches all of them without a server: what stands in
 * which file. Called by: export.ts. Calls: export-search-page.ts, node:fs.
 *
 * `search/index.js` has a line for each page and for each of `search/0001.js` …: which beginnings of words are in that file,
 * one bit each. The browser loads only files that may have what is looked for. A script, because a page from a disk may
 * load scripts beside it and nothing else.
 */
import { createHash } from 'node:crypto';
import { appendFile, mkdir, open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from './export-format.ts';
import { beginningBits } from './export-search-page.ts';

export const SEARCH_FOLDER = 'search';
export const SEARCH_INDEX = `${SEARCH_FOLDER}/index.js`;

/** Messages of one file. */
const SHARD_MESSAGES = 500;
/** Or so much text. */
const SHARD_CHARS = 1024 * 1024;

/** One message: the number of its page, its place on it, who, when (`2026-01-31 12:00`), what. */
type Entry = readonly [page: number, position: number, who: string, when: string, text: string];

/** What is found of a message. */
export interface SearchedMessage {
  readonly position: number;
  readonly who: string;
  readonly when: string;
  readonly text: string;
}

/** How much of it is on the disk and noted. */
export interface SearchNote {
  readonly shards: number;
  readonly pages: number;
  readonly indexBytes: number;
}

export const NO_SEARCH: SearchNote = { shards: 0, pages: 0, indexBytes: 0 };

/** Grows with the pages; what was begun and is not noted is written again. */
export class ExportSearch {
  readonly #folder: string;
  #shards: number;
  #pages: number;
  #indexBytes: number;
  /** Of pages that are finished; then those of the page that is being written. */
  #kept: readonly Entry[] = [];
  #entries: Entry[] = [];
  #chars = 0;
  #files: Manifest['files'] = [];
  /** As it was when the last page was finished. */
  #before: SearchNote;
  /** Files that are noted. */
  #noted: number;

  private constructor(folder: string, note: SearchNote) {
    this.#folder = folder;
    this.#before = note;
    this.#noted = note.shards;
    ({ shards: this.#shards, pages: this.#pages, indexBytes: this.#indexBytes } = note);
  }

  /** Goes on behind what is noted. Rejects with the error of the system. */
  static async open(folder: string, note: SearchNote): Promise<ExportSearch> {
    await mkdir(join(folder, SEARCH_FOLDER), { recursive: true });
    await appendFile(join(folder, SEARCH_INDEX), '');
    await truncate(join(folder, SEARCH_INDEX), note.indexBytes);
    return new ExportSearch(folder, note);
  }

  async add({ position, who, when, text }: SearchedMessage): Promise<void> {
    this.#entries.push([this.#pages + 1, position, who, when, text]);
    this.#chars += text.length;
    if (this.#entries.length >= SHARD_MESSAGES || this.#chars >= SHARD_CHARS) await this.#writeShard();
  }

  /** The page is written: its path inside the export, and what it is called. */
  async finishPage(path: string, title: string): Promise<void> {
    await this.#append(`parleyPage(${this.#pages + 1},${JSON.stringify(path)},${JSON.stringify(title)});\n`);
    this.#pages += 1;
    this.#kept = [...this.#entries];
    this.#before = this.#noteNow();
  }

  /** The page is not written to its end: as before it. */
  async dropPage(): Promise<void> {
    await truncate(join(this.#folder, SEARCH_INDEX), this.#before.indexBytes);
    ({ shards: this.#shards, indexBytes: this.#indexBytes } = this.#before);
    this.#files = this.#files.slice(0, this.#before.shards - this.#noted);
    this.#entries = [...this.#kept];
    this.#chars = 0;
  }

  /** Brings everything of finished pages to the disk. Returns what is to be noted, and files that are new since. */
  async note(): Promise<{ note: SearchNote; files: Manifest['files'] }> {
    if (this.#entries.length > 0) await this.#writeShard();
    await using index = await open(join(this.#folder, SEARCH_INDEX), 'r+');
    await index.sync();
    const files = this.#files;
    this.#files = [];
    this.#noted = this.#shards;
    this.#kept = [];
    this.#before = this.#noteNow();
    return { note: this.#before, files };
  }

  #noteNow(): SearchNote {
    return { shards: this.#shards, pages: this.#pages, indexBytes: this.#indexBytes };
  }

  async #writeShard(): Promise<void> {
    const entries = this.#entries;
    this.#entries = [];
    this.#chars = 0;
    this.#shards += 1;
    const path = `${SEARCH_FOLDER}/${String(this.#shards).padStart(4, '0')}.js`;
    const content = Buffer.from(`parleyEntries(${this.#shards},${JSON.stringify(entries)});\n`);
    await writeFile(join(this.#folder, path), content, { flush: true });
    this.#files.push({
      path,
      bytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
    });
    const bits = Buffer.from(beginningBits(entries.map(([, , who, , text]) => `${who} ${text}`)));
    await this.#append(`parleyShard(${this.#shards},"${bits.toString('base64')}");\n`);
  }

  async #append(line: string): Promise<void> {
    await appendFile(join(this.#folder, SEARCH_INDEX), line);
    this.#indexBytes += Buffer.byteLength(line);
  }
}
