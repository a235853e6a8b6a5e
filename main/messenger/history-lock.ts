/**
 * Owns: the passphrase of the history that is open: set, changed, taken away, and its recovery key.
 * Called by: messenger.ts, lock-commands.ts. Calls: history/key-file.ts, history/key-wrapping.ts, history/recovery-key.ts.
 *
 * The key of the history stays the same: only what is around it changes, so nothing has to be written anew.
 */
import type { HistoryLockStatus } from '../../shared/domain/history.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import { systemClock, type Clock } from '../base/clock.ts';
import { Attempts } from './attempts.ts';
import { protectedKey, unwrap } from './history/history-key.ts';
import { checkOf, readKeyFile, writeKeyFile, type KeyFile } from './history/key-file.ts';
import { wrapWithPassphrase, wrapWithRecovery } from './history/key-wrapping.ts';
import { newRecoveryKey, readRecoveryKey } from './history/recovery-key.ts';
import { filePermissionSecrets, type SecretBox } from './secrets.ts';

export interface HistoryLockOptions {
  readonly profile: string;
  readonly key: Uint8Array;
  readonly secrets: SecretBox;
  /** Whoever administers this computer wants a passphrase where there is no keyring. */
  readonly isRequired: () => boolean;
  readonly receiveChange: (status: HistoryLockStatus) => void;
  readonly clock?: Clock;
}

export class HistoryLock {
  readonly #options: HistoryLockOptions;
  readonly #attempts: Attempts;
  /** Changes are made one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: HistoryLockOptions) {
    this.#options = options;
    this.#attempts = new Attempts(options.clock ?? systemClock);
  }

  async status(): Promise<HistoryLockStatus> {
    return this.#statusOf(await this.#read());
  }

  /** `current` is needed when there is one already: it, or the recovery key. Returns the recovery key of a first one. */
  setPassphrase(passphrase: string, current?: string): Promise<string | null> {
    return this.#change(async (before) => {
      const { key } = this.#options;
      if (before.version === 2) {
        await this.#check(before, current);
        return { file: { ...before, passphrase: await wrapWithPassphrase(key, passphrase) }, result: null };
      }
      const recovery = newRecoveryKey();
      const file: KeyFile = {
        version: 2,
        passphrase: await wrapWithPassphrase(key, passphrase),
        recovery: wrapWithRecovery(key, recovery.bytes),
        check: checkOf(key),
      };
      return { file, result: recovery.text };
    });
  }

  /** The one before opens nothing any more. */
  newRecoveryKey(current: string): Promise<string> {
    return this.#change(async (before) => {
      if (before.version !== 2) throw new CallError('not-found', 'There is no passphrase to recover.');
      await this.#check(before, current);
      const recovery = newRecoveryKey();
      const file = { ...before, recovery: wrapWithRecovery(this.#options.key, recovery.bytes) };
      return { file, result: recovery.text };
    });
  }

  /** The host protects the key again, as it did before. */
  remove(current: string): Promise<null> {
    return this.#change(async (before) => {
      const { key, secrets } = this.#options;
      if (before.version !== 2) return { file: before, result: null };
      if (this.#statusOf(before).required) {
        throw new CallError('locked', 'Whoever administers this computer wants a passphrase.');
      }
      await this.#check(before, current);
      return { file: protectedKey(key, secrets), result: null };
    });
  }

  #change<T>(work: (before: KeyFile) => Promise<{ file: KeyFile; result: T }>): Promise<T> {
    const turn = this.#turn.then(async () => {
      const { profile, receiveChange } = this.#options;
      const { file, result } = await work(await this.#read());
      await writeKeyFile(profile, file).catch((error: unknown) => {
        throw new CallError('store-failed', `history.key could not be written (${String(error)}).`);
      });
      receiveChange(this.#statusOf(file));
      return result;
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Rejects with CallError `wrong-password`. */
  async #check(file: Extract<KeyFile, { version: 2 }>, current: string | undefined): Promise<void> {
    if (current === undefined) throw new CallError('wrong-password', 'The present passphrase is needed.');
    const isRecovery = readRecoveryKey(current) !== undefined;
    const answer = isRecovery ? { recoveryKey: current } : { passphrase: current };
    if ((await this.#attempts.try(() => unwrap(file, answer))) === undefined) {
      throw new CallError('wrong-password', 'That is not the passphrase.');
    }
  }

  async #read(): Promise<KeyFile> {
    const { profile, key, secrets } = this.#options;
    return (await readKeyFile(profile)) ?? protectedKey(key, secrets);
  }

  #statusOf(file: KeyFile): HistoryLockStatus {
    const { secrets, isRequired } = this.#options;
    const backend = file.version === 1 ? file.backend : secrets.backend;
    const hasKeyring = backend !== filePermissionSecrets.backend;
    return { passphrase: file.version === 2, keyring: hasKeyring, required: isRequired() && !hasKeyring };
  }
}
