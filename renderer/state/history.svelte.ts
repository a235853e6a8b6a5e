/** Owns: what is known of the history as a whole: its backups and what has happened to it. Called by: settings, shell. Calls: the client. */
import type { HistoryStatus } from '../../shared/domain/history.ts';
import type { Client } from '../api/client.ts';

export class History {
  readonly #client: Client;
  status = $state.raw<HistoryStatus | null>(null);
  /** A backup is being made. */
  busy = $state(false);
  problem = $state.raw<unknown>(null);

  constructor(client: Client) {
    this.#client = client;
  }

  async load(): Promise<void> {
    this.status = await this.#client.call('history.status', {});
  }

  applyHistoryChanged(status: HistoryStatus): void {
    this.status = status;
  }

  async backUp(): Promise<void> {
    this.busy = true;
    await this.#try(() => this.#client.call('history.backUp', {}));
    this.busy = false;
  }

  /** Which backup takes the place of the history at the next start; null: none. */
  restore(name: string | null): Promise<void> {
    return this.#try(() => this.#client.call('history.restore', { name }));
  }

  dismissNotice(): Promise<void> {
    return this.#try(() => this.#client.call('history.dismissNotice', {}));
  }

  async #try(call: () => Promise<HistoryStatus>): Promise<void> {
    this.problem = null;
    try {
      this.status = await call();
    } catch (error) {
      this.problem = error;
    }
  }
}
