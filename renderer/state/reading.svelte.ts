/**
 * Owns: what this window reads, when it only reads; and opening what was dropped on a window of the messenger.
 * Called by: app, reading views. Calls: the client.
 */
import type { Reading } from '../../shared/domain/reading.ts';
import type { Client } from '../api/client.ts';

/** What was dropped: the name of a file or a folder, and its files with their places in it. */
export interface Dropped {
  readonly name: string;
  readonly parts: readonly { readonly file: File; readonly path: string }[];
}

export class ReadingState {
  readonly #client: Client;
  /** Null in a window of the messenger. */
  status = $state.raw<Reading | null>(null);
  /** What is being opened, or has been behind `url`. */
  opening = $state.raw<{ readonly name: string; readonly url: string | null } | null>(null);
  problem = $state.raw<unknown>(null);

  constructor(client: Client) {
    this.#client = client;
  }

  async load(): Promise<void> {
    this.status = await this.#client.call('reading.status', {});
  }

  applyReadingChanged(status: Reading): void {
    this.status = status;
  }

  /** In a window of its own; where the browser does not open one by itself, its link stays. */
  async open({ name, parts }: Dropped): Promise<void> {
    this.problem = null;
    this.opening = { name, url: null };
    try {
      const handedIn: { fileId: string; path: string }[] = [];
      for (const { file, path } of parts) {
        handedIn.push({ fileId: await this.#client.handIn(file, file.name), path });
      }
      const { url } = await this.#client.call('reading.open', { name, parts: handedIn });
      this.opening = url === null || window.open(url) !== null ? null : { name, url };
    } catch (error) {
      this.opening = null;
      this.problem = error;
    }
  }

  dismiss(): void {
    this.opening = null;
    this.problem = null;
  }
}
