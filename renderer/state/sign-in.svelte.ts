/**
 * Owns: the first door: an account is kept only when its server has let it in.
 * Called by: welcome views. Calls: accounts.
 */
import type { Account } from '../../shared/domain/account.ts';
import type { AccountId } from '../../shared/domain/ids.ts';
import type { CallInput } from '../../shared/ipc/contract.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { Accounts } from './accounts.svelte.ts';

export class SignIn {
  readonly #accounts: Accounts;
  #pending: AccountId | null = null;
  #cancelled = false;
  busy = $state(false);
  problem = $state.raw<unknown>(null);
  /** The account as it was when its server said no. */
  refused = $state.raw<Account | null>(null);

  constructor(accounts: Accounts) {
    this.#accounts = accounts;
  }

  /** True when the account is online. */
  async run(input: CallInput<'account.add'>): Promise<boolean> {
    this.busy = true;
    this.problem = null;
    this.refused = null;
    try {
      const { id } = await this.#accounts.add(input);
      this.#pending = id;
      if (this.#isCancelled()) await this.#accounts.remove(id);
      const account = await this.#accounts.outcome(id);
      this.#pending = null;
      if (account.connection.status === 'online') return true;
      await this.#accounts.remove(id);
      if (account.connection.status === 'refused') this.refused = account;
      else this.problem = new CallError('server-unreachable', '');
    } catch (error) {
      if (!this.#isCancelled()) this.problem = error;
    } finally {
      this.busy = false;
    }
    return false;
  }

  /** The user has left: an account that is not in yet is taken away again. */
  cancel(): void {
    this.#cancelled = true;
    if (this.#pending !== null) this.#accounts.remove(this.#pending).catch(() => undefined);
  }

  #isCancelled(): boolean {
    return this.#cancelled;
  }
}
