/** Owns: the passphrase of the history, as far as the window knows of it. Called by: app, settings. Calls: the client. */
import type { HistoryLockStatus } from '../../shared/domain/history.ts';
import type { Client } from '../api/client.ts';

export class LockState {
  readonly #client: Client;
  status = $state.raw<HistoryLockStatus | null>(null);
  /** Just made, to be printed; gone when its user says so. */
  recoveryKey = $state<string | null>(null);
  busy = $state(false);
  problem = $state.raw<unknown>(null);

  constructor(client: Client) {
    this.#client = client;
  }

  async load(): Promise<void> {
    this.status = await this.#client.call('lock.status', {});
  }

  applyLockChanged(status: HistoryLockStatus): void {
    this.status = status;
  }

  /** False when it was refused. */
  setPassphrase(passphrase: string, current?: string): Promise<boolean> {
    return this.#try(async () => {
      const input = current === undefined ? { passphrase } : { passphrase, current };
      const { recoveryKey } = await this.#client.call('lock.setPassphrase', input);
      if (recoveryKey !== null) this.recoveryKey = recoveryKey;
    });
  }

  newRecoveryKey(current: string): Promise<boolean> {
    return this.#try(async () => {
      ({ recoveryKey: this.recoveryKey } = await this.#client.call('lock.newRecoveryKey', { current }));
    });
  }

  remove(current: string): Promise<boolean> {
    return this.#try(async () => {
      await this.#client.call('lock.remove', { current });
    });
  }

  forgetRecoveryKey(): void {
    this.recoveryKey = null;
  }

  async #try(work: () => Promise<void>): Promise<boolean> {
    this.busy = true;
    this.problem = null;
    try {
      await work();
      return true;
    } catch (error) {
      this.problem = error;
      return false;
    } finally {
      this.busy = false;
    }
  }
}
