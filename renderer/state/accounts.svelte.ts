/** Owns: the accounts and which one is shown. Called by: app, shell, welcome, settings. Calls: the client. */
import type { Account } from '../../shared/domain/account.ts';
import type { AccountId } from '../../shared/domain/ids.ts';
import type { CallInput } from '../../shared/ipc/contract.ts';
import type { Client } from '../api/client.ts';
import { KeyedList } from './keyed-list.svelte.ts';

export class Accounts {
  readonly #client: Client;
  readonly #list = new KeyedList<AccountId, Account>((account) => account.id);
  chosenId = $state<AccountId | null>(null);
  readonly all = $derived(this.#list.all);
  /** The account whose conversations are shown. */
  readonly current = $derived(this.all.find(({ id }) => id === this.chosenId) ?? this.all[0]);

  constructor(client: Client) {
    this.#client = client;
  }

  load(): Promise<void> {
    return this.#list.load(() => this.#client.call('account.list', {}));
  }

  get(id: AccountId): Account | undefined {
    return this.#list.get(id);
  }

  async add(input: CallInput<'account.add'>): Promise<Account> {
    return this.#adopt(await this.#client.call('account.add', input));
  }

  async startDemo(): Promise<Account> {
    return this.#adopt(await this.#client.call('demo.start', {}));
  }

  async remove(id: AccountId): Promise<void> {
    await this.#client.call('account.remove', { accountId: id });
    this.applyAccountRemoved(id);
  }

  applyAccountChanged(account: Account): void {
    this.#list.set(account);
  }

  applyAccountRemoved(id: AccountId): void {
    this.#list.delete(id);
  }

  /** The answer may be older than an event that has come meanwhile. */
  #adopt(account: Account): Account {
    if (this.#list.get(account.id) === undefined) this.#list.set(account);
    this.chosenId = account.id;
    return account;
  }
}
