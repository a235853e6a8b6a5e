/**
 * Owns: files that the user has chosen and a host has found, by the id that the window calls them by.
 * Called by: transfers.ts, history-jobs.ts. Calls: file-name.ts.
 */
import { randomBytes } from 'node:crypto';
import { setNewest } from '../base/bounded-map.ts';
import { safeFileName } from './file-name.ts';

/** A file that the user has chosen and its host has found, until it is sent. */
export interface ChosenFile {
  readonly path: string;
  readonly name: string;
  readonly type: string;
}

const MAX_CHOSEN = 256;
const TYPE = /^[\w!#$&.+^-]{1,64}\/[\w!#$&.+^-]{1,64}$/;

/** The newest 256 of them. */
export class ChosenFiles {
  readonly #files = new Map<string, ChosenFile>();

  /** Returns what the window calls it by. */
  add(file: ChosenFile): string {
    const id = randomBytes(16).toString('hex');
    const type = TYPE.test(file.type) ? file.type.toLowerCase() : 'application/octet-stream';
    setNewest(this.#files, id, { path: file.path, name: safeFileName(file.name), type }, MAX_CHOSEN);
    return id;
  }

  get(id: string): ChosenFile | undefined {
    return this.#files.get(id);
  }

  /** Each is used once. */
  delete(id: string): void {
    this.#files.delete(id);
  }
}
