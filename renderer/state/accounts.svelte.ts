/** Owns: the accounts and which one is shown. Called by: app, shell, welcome, settings. Calls: the client. */
import type { Account } from '../../shared/domain/account.ts';
import type { AccountId } from '../../shared/domain/ids.ts';
import type { ConnectionReport } from '../../shared/domain/connection-report.ts';
import type { CallInput } from '../../shared/ipc/contract.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { Client } from '../api/client.ts';
import { KeyedList } from './keyed-list.svelte.ts';

export class Accounts {
  readonly #client: Client;
  readonly #list = new KeyedList<AccountId, Account>((account) => account.id);
  readonly #watchers = new Set<() => void>();
  chosenId = $state<AccountId | null>(null);
  readonly all = $derived(this.#list.all);
  /** The account whose conversations are shown. */
  readonly current = $derived(this.all.find(({ id }) => id === this.chosenId) ?? this.all[0]);

  constructor(client: Client) {
    this.#client = client;
  }

  async load(): Promise<void> {
    await this.#list.load(() => this.#client.call('account.list', {}));
    this.#tellWatchers();
  }

  /** It is an address of our user. */
  isOurs(address: string): boolean {
    return this.all.some((account) => account.address === address);
  }

  get(id: AccountId): Account | undefined {
    return this.#list.get(id);
  }

  async add(input: CallInput<'account.add'>): Promise<Account> {
    return this.#adopt(await this.#client.call('account.add', input));
  }

  /** What an account chooses for itself instead of the settings; the change comes back as an event. */
  async update(id: AccountId, choice: Omit<CallInput<'account.update'>, 'accountId'>): Promise<void> {
    await this.#client.call('account.update', { accountId: id, ...choice });
  }

  /** Tests the way to a server, step by step. */
  diagnose(input: CallInput<'account.diagnose'>): Promise<ConnectionReport> {
    return this.#client.call('account.diagnose', input);
  }

  /** Once more for an account that is here already; with another password where one is given. */
  async signIn(id: AccountId, password?: string): Promise<Account> {
    await this.#client.call('account.signIn', {
      accountId: id,
      ...(password === undefined ? {} : { password }),
    });
    return this.outcome(id);
  }

  /** Resolves when the first attempt to sign in is over: the account is online, refused, or its server is not there. */
  outcome(id: AccountId): Promise<Account> {
    const { promise, resolve, reject } = Promise.withResolvers<Account>();
    const watch = (): void => {
      const account = this.#list.get(id);
      if (account !== undefined && isUnderWay(account)) return;
      this.#watchers.delete(watch);
      if (account === undefined) reject(new CallError('not-found', ''));
      else resolve(account);
    };
    this.#watchers.add(watch);
    watch();
    return promise;
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
    this.#tellWatchers();
  }

  applyAccountRemoved(id: AccountId): void {
    this.#list.delete(id);
    this.#tellWatchers();
  }

  #tellWatchers(): void {
    for (const watch of [...this.#watchers]) watch();
  }

  /** The answer may be older than an event that has come meanwhile. */
  #adopt(account: Account): Account {
    if (this.#list.get(account.id) === undefined) this.#list.set(account);
    this.chosenId = account.id;
    return account;
  }
}

function isUnderWay({ connection }: Account): boolean {
  return (
    connection.status === 'offline' || (connection.status === 'connecting' && connection.code === undefined)
  );
}
