/**
 * Owns: who is there, what our user is for others, whom he has let see him and whom he has blocked.
 * Called by: app, views of people, settings. Calls: the client.
 */
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { AccountId } from '../../shared/domain/ids.ts';
import type {
  AccountPresence,
  ContactRule,
  OwnPresence,
  PresenceState,
  SeenPresence,
} from '../../shared/domain/presence.ts';
import type { Client } from '../api/client.ts';
import { KeyedList } from './keyed-list.svelte.ts';

const NO_RULE: ContactRule = { presence: 'ask', blocked: false };
/** So often the program is told that our user does something. */
const ACTIVE_MS = 20_000;
const ACTS = ['pointerdown', 'pointermove', 'keydown', 'wheel'] as const;

function keyOf(accountId: AccountId, address: string): string {
  return `${accountId} ${address}`;
}

export class Presence {
  readonly #client: Client;
  readonly #seen = new KeyedList<string, SeenPresence>(({ accountId, address }) => keyOf(accountId, address));
  readonly #accounts = new KeyedList<AccountId, AccountPresence>(({ accountId }) => accountId);
  own = $state.raw<OwnPresence>({ show: 'available', isIdle: false });
  /** What the last decision was refused with. */
  problem = $state.raw<unknown>(null);
  readonly #writes: () => boolean;
  #toldMs = 0;

  /** `writes`: false in a window that only reads. */
  constructor(client: Client, writes: () => boolean) {
    this.#client = client;
    this.#writes = writes;
  }

  async load(): Promise<void> {
    const list = this.#client.call('presence.list', {});
    await this.#seen.load(async () => (await list).seen);
    await this.#accounts.load(async () => (await list).accounts);
    this.own = (await list).own;
  }

  /** Tells the program when our user does something here. */
  start(): () => void {
    const act = (): void => {
      const nowMs = performance.now();
      if (!this.#writes()) return;
      if (this.#toldMs > 0 && nowMs - this.#toldMs < ACTIVE_MS) return;
      this.#toldMs = nowMs;
      this.#client.call('presence.active', {}).catch(() => undefined);
    };
    for (const name of ACTS) window.addEventListener(name, act, { passive: true, capture: true });
    return () => {
      for (const name of ACTS) window.removeEventListener(name, act, { capture: true });
    };
  }

  account(id: AccountId | undefined): AccountPresence | undefined {
    return id === undefined ? undefined : this.#accounts.get(id);
  }

  /** Of the person of a conversation; undefined: we do not know. */
  of({ kind, accountId, peerAddress }: Conversation): PresenceState | undefined {
    return kind === 'group' ? undefined : this.ofPerson(accountId, peerAddress);
  }

  /** Undefined: we do not know. */
  ofPerson(accountId: AccountId, address: string): PresenceState | undefined {
    return this.#seen.get(keyOf(accountId, address))?.state ?? undefined;
  }

  rule(accountId: AccountId, address: string): ContactRule {
    return this.#accounts.get(accountId)?.rules.find((rule) => rule.address === address) ?? NO_RULE;
  }

  isBlocked({ kind, accountId, peerAddress }: Conversation): boolean {
    return kind !== 'group' && this.rule(accountId, peerAddress).blocked;
  }

  /** True: it holds. What stood in the way is in `problem`. */
  async decide(accountId: AccountId, address: string, change: Partial<ContactRule>): Promise<boolean> {
    this.problem = null;
    try {
      await this.#client.call('rule.set', { accountId, address, ...change });
      return true;
    } catch (error) {
      this.problem = error;
      return false;
    }
  }

  applyPresenceChanged(seen: SeenPresence): void {
    if (seen.state === null) this.#seen.delete(keyOf(seen.accountId, seen.address));
    else this.#seen.set(seen);
  }

  applyAccountPresence(presence: AccountPresence): void {
    this.#accounts.set(presence);
  }

  applyOwnPresence(own: OwnPresence): void {
    this.own = own;
  }

  applyAccountRemoved(id: AccountId): void {
    this.#accounts.delete(id);
  }
}
