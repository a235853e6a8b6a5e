/**
 * Owns: a store in a folder of its own, with one conversation. Called by: the tests of the store. Calls: store.ts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Store } from '../../main/store/store.ts';
import type { AccountId, ConversationId, MessageId } from '../../shared/domain/ids.ts';

/** A store and the folder that it lies in. */
export class StoreFixture implements AsyncDisposable {
  readonly store: Store;
  readonly folder: string;

  private constructor(store: Store, folder: string) {
    this.store = store;
    this.folder = folder;
  }

  static async open(): Promise<StoreFixture> {
    const folder = await mkdtemp(join(tmpdir(), 'parley-store-'));
    return new StoreFixture(await Store.open(join(folder, 'history.sqlite')), folder);
  }

  get path(): string {
    return join(this.folder, 'history.sqlite');
  }

  async conversation(id: string, peer = 'tom'): Promise<ConversationId> {
    const { conversation } = await this.store.call('openConversation', {
      id: id as ConversationId,
      accountId: 'account' as AccountId,
      peerAddress: `${peer}@example.org`,
      peerName: peer,
      standing: 'accepted',
      nowMs: 1,
    });
    return conversation.id;
  }

  async incoming(conversationId: ConversationId, text: string, wireId: string, displayReportWanted = false) {
    return this.store.insertMessage({
      id: `in-${wireId}` as MessageId,
      conversationId,
      direction: 'in',
      wireId,
      text,
      sentAtMs: 1,
      storedAtMs: 1,
      state: 'received',
      displayReportWanted,
    });
  }

  async outgoing(conversationId: ConversationId, text: string, id: string) {
    return this.store.insertMessage({
      id: id as MessageId,
      conversationId,
      direction: 'out',
      wireId: id,
      text,
      sentAtMs: 1,
      storedAtMs: 1,
      state: 'queued',
      displayReportWanted: false,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}
