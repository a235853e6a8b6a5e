/** Owns: the contacts. Called by: app, new conversation, search. Calls: the client. */
import type { Contact } from '../../shared/domain/conversation.ts';
import type { CallInput } from '../../shared/ipc/contract.ts';
import type { Client } from '../api/client.ts';
import { KeyedList } from './keyed-list.svelte.ts';

export class Contacts {
  readonly #client: Client;
  readonly #list = new KeyedList<string, Contact>(({ accountId, address }) => `${accountId} ${address}`);
  readonly all = $derived(this.#list.all);

  constructor(client: Client) {
    this.#client = client;
  }

  load(): Promise<void> {
    return this.#list.load(() => this.#client.call('contact.list', {}));
  }

  async add(input: CallInput<'contact.add'>): Promise<Contact> {
    const contact = await this.#client.call('contact.add', input);
    this.applyContactChanged(contact);
    return contact;
  }

  applyContactChanged(contact: Contact): void {
    this.#list.set(contact);
  }
}
