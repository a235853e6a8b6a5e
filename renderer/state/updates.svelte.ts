/** Owns: newer versions of the program, as far as the window knows of them. Called by: app, About. Calls: the client. */
import { noUpdate, type Update } from '../../shared/domain/update.ts';
import type { Client } from '../api/client.ts';

export class UpdatesState {
  readonly #client: Client;
  status = $state.raw<Update>(noUpdate);
  problem = $state.raw<unknown>(null);

  constructor(client: Client) {
    this.#client = client;
  }

  async load(): Promise<void> {
    this.status = await this.#client.call('update.status', {});
  }

  applyUpdateChanged(update: Update): void {
    this.status = update;
  }

  async check(): Promise<void> {
    await this.#try(async () => {
      this.status = await this.#client.call('update.check', {});
    });
  }

  /** Ends the program, installs, and starts it again. */
  async restart(): Promise<void> {
    await this.#try(() => this.#client.call('update.restart', {}));
  }

  async #try(work: () => Promise<unknown>): Promise<void> {
    this.problem = null;
    try {
      await work();
    } catch (error) {
      this.problem = error;
    }
  }
}
