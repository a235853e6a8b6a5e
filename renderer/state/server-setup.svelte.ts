/**
 * Owns: the second door: a server on this computer with its first two people, one of them our user.
 * Called by: welcome views. Calls: im-server, accounts, contacts.
 */
import type { Accounts } from './accounts.svelte.ts';
import type { Contacts } from './contacts.svelte.ts';
import type { Conversations } from './conversations.svelte.ts';
import type { ImServer } from './im-server.svelte.ts';
import { serverName } from './server-name.ts';

export interface Person {
  readonly user: string;
  readonly password: string;
  readonly displayName: string;
}

/** What the other person enters into *Sign in to a server*. */
export interface Invitation {
  readonly name: string;
  readonly address: string;
  readonly password: string;
  readonly servers: readonly string[];
}

export type SetupStep = 'idle' | 'starting' | 'addingUsers' | 'signingIn';

export class ServerSetup {
  readonly #imServer: ImServer;
  readonly #accounts: Accounts;
  readonly #contacts: Contacts;
  readonly #conversations: Conversations;
  readonly #added = new Set<string>();
  step = $state<SetupStep>('idle');
  problem = $state.raw<unknown>(null);
  invitation = $state.raw<Invitation | null>(null);

  constructor(imServer: ImServer, accounts: Accounts, contacts: Contacts, conversations: Conversations) {
    this.#imServer = imServer;
    this.#accounts = accounts;
    this.#contacts = contacts;
    this.#conversations = conversations;
  }

  /** May be called again after a problem: what has been done already is not done twice. */
  async run(you: Person, other: Person): Promise<void> {
    this.problem = null;
    try {
      this.step = 'starting';
      const { domain, sip } = await this.#imServer.start();
      this.step = 'addingUsers';
      await this.#addUser(you);
      await this.#addUser(other);
      this.step = 'signingIn';
      const account = await this.#accounts.add({
        address: `${you.user}@${domain}`,
        password: you.password,
        displayName: you.displayName,
        server: sip[0] ?? '',
      });
      const address = `${other.user}@${domain}`;
      const name = other.displayName === '' ? other.user : other.displayName;
      await this.#contacts.add({ accountId: account.id, address, displayName: name });
      await this.#conversations.openWith(account.id, address);
      this.invitation = { name, address, password: other.password, servers: sip.map(serverName) };
    } catch (error) {
      this.problem = error;
    } finally {
      this.step = 'idle';
    }
  }

  async #addUser(person: Person): Promise<void> {
    if (this.#added.has(person.user)) return;
    await this.#imServer.addUser(person);
    this.#added.add(person.user);
  }
}
