/**
 * Owns: the users of a server whose nodes share a database: all of them in memory, so that people sign in while it is gone.
 * Called by: imserver.ts, user-commands.ts. Calls: store/postgres/user-statements.ts.
 */
import type { StoredUser, UserStatements } from '../store/postgres/user-statements.ts';
import { checkNewUser, hashesOf } from './user-file.ts';
import type { User, Users } from './users.ts';

/** What other nodes change is there after `load`. */
export class UserTable implements Users {
  readonly #table: UserStatements;
  readonly #realm: string;
  #users: ReadonlyMap<string, StoredUser> = new Map();

  constructor(table: UserStatements, realm: string) {
    this.#table = table;
    this.#realm = realm;
  }

  /** Rejects with StoreError; then it goes on with what it knows. */
  async load(): Promise<void> {
    this.#users = new Map((await this.#table.selectUsers()).map((one) => [one.user, one]));
  }

  find(user: string): Promise<User | undefined> {
    return Promise.resolve(this.#users.get(user));
  }

  list(): Promise<ReadonlyMap<string, User>> {
    return Promise.resolve(this.#users);
  }

  async add(user: string, password: string, displayName = ''): Promise<void> {
    checkNewUser(user, this.#users.size);
    await this.#table.upsertUser({ user, displayName, ha1: hashesOf(user, this.#realm, password) });
    await this.load();
  }

  async setDisabled(user: string, disabled: boolean): Promise<boolean> {
    if (!this.#users.has(user)) return false;
    await this.#table.updateUserDisabled(user, disabled);
    await this.load();
    return true;
  }

  async remove(user: string): Promise<boolean> {
    if (!this.#users.has(user)) return false;
    await this.#table.deleteUser(user);
    await this.load();
    return true;
  }
}
