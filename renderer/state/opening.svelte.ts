/** Owns: what stands before there is anything to show: progress, a passphrase, a failure. Called by: app, opening views. Calls: the client. */
import type { Opening } from '../../shared/domain/opening.ts';
import type { CallInput } from '../../shared/ipc/contract.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { Client } from '../api/client.ts';

export class OpeningState {
  readonly #client: Client;
  /** Null until the program has been asked. */
  status = $state.raw<Opening | null>(null);
  /** A passphrase is being tried. */
  busy = $state(false);
  /** What the last attempt was refused with; a wrong passphrase is told by `status`. */
  problem = $state.raw<unknown>(null);

  constructor(client: Client) {
    this.#client = client;
  }

  async load(): Promise<void> {
    this.status = await this.#client.call('opening.status', {});
  }

  applyOpeningChanged(status: Opening): void {
    this.status = status;
  }

  /** With the passphrase, or with the recovery key and, of one's own profile, a new passphrase. */
  async unlock(answer: CallInput<'opening.unlock'>): Promise<void> {
    this.busy = true;
    this.problem = null;
    try {
      await this.#client.call('opening.unlock', answer);
    } catch (error) {
      if (!(error instanceof CallError && error.code === 'wrong-password')) this.problem = error;
    } finally {
      this.busy = false;
    }
  }
}
