/**
 * Owns: one profile's messenger: store, feed, network, accounts.
 * Called by: the hosts, commands.ts. Calls: account-link.ts, request-routing.ts, inbox.ts, delivery.ts, store, network.ts.
 */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Account } from '../../shared/domain/account.ts';
import type { Conversation, Session } from '../../shared/domain/conversation.ts';
import type { AccountId, ConversationId, SessionId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { Policy, ShownPolicy } from '../../shared/policy.ts';
import type { SettingKey, Settings } from '../../shared/settings.ts';
import type { ConnectionReport } from '../../shared/domain/connection-report.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import { Lifetime } from '../base/lifetime.ts';
import { MESSENGER_LIMITS, type MessengerLimits, type MsrpLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { WireTap } from '../base/wire-tap.ts';
import { Store } from '../store/store.ts';
import type { StoredAccount } from '../store/accounts.ts';
import { runFolderOf } from '../sip/embedded-agent.ts';
import type { AccountMedia } from './account-media.ts';
import { AccountLink, type AccountHost } from './account-link.ts';
import { shownAccount } from './account-status.ts';
import type { Chat } from './chat.ts';
import { testConnection } from './connection-test.ts';
import { Delivery } from './delivery.ts';
import { Feed } from './feed.ts';
import { openHistoryKey } from './history/history-key.ts';
import { HistoryLock } from './history-lock.ts';
import { HistoryKeeper } from './history-keeper.ts';
import { Inbox } from './inbox.ts';
import { LadderRecorder } from './ladder-recorder.ts';
import { Network } from './network.ts';
import { NetworkKeeper } from './network-keeper.ts';
import { historyOf } from './profile.ts';
import { Opening, type PassphraseSource } from './opening.ts';
import { nameOfPeer } from './peer-name.ts';
import { RequestRouting } from './request-routing.ts';
import { Retention } from './retention.ts';
import type { SecretBox } from './secrets.ts';
import { SessionBook } from './session-book.ts';
import { SettingBook } from './setting-book.ts';
import { createTransfers } from './messenger-transfers.ts';
import { PresenceBook } from './presence/presence-book.ts';
import type { Transfers } from './transfers.ts';
import { bindAddressFor, type ServerPlace } from './server-ways.ts';

export interface MessengerOptions {
  /** Folder of this profile; made when it is missing. */
  readonly profile: string;
  readonly secrets: SecretBox;
  readonly log: Log;
  /** A further observer of the wire. */
  readonly tap?: WireTap;
  /** What a rollout has decided. */
  readonly policy?: Policy;
  /** Replaces single ceilings and timers of `MESSENGER_LIMITS`. */
  readonly limits?: Partial<MessengerLimits>;
  /** Replaces single ceilings and timers of `MSRP_LIMITS`. */
  readonly msrpLimits?: Partial<MsrpLimits>;
  /** Authorities that are trusted beside those of the system, as PEM text. */
  readonly ca?: readonly string[];
  /** Who is asked for the passphrase of the history instead of the window. */
  readonly passphrase?: PassphraseSource;
  /** What this device calls itself toward others of its user. Default: the name of the computer. */
  readonly deviceName?: string;
  /** False: accounts sign in when {@link Messenger.startAccounts} says so. Default: at once. */
  readonly startsAccounts?: boolean;
  /** Where a window hears of the opening before there is a messenger. Default: nobody does. */
  readonly door?: { readonly feed: Feed; readonly opening: Opening };
}

/** The messenger of one profile. */
export class Messenger implements AsyncDisposable {
  readonly profile: string;
  readonly store: Store;
  readonly feed: Feed;
  readonly opening: Opening;
  readonly log: Log;
  readonly ladder = new LadderRecorder();
  readonly delivery: Delivery;
  readonly inbox: Inbox;
  readonly transfers: Transfers;
  readonly history: HistoryKeeper;
  readonly lock: HistoryLock;
  readonly retention: Retention;
  readonly presence: PresenceBook;
  readonly limits: MessengerLimits;
  readonly #options: MessengerOptions;
  readonly #routing: RequestRouting;
  readonly #lifetime = new Lifetime();
  readonly #accounts = new Map<AccountId, AccountLink>();
  readonly #sessions = new SessionBook();
  readonly #settingBook = new SettingBook();
  readonly #keeper: NetworkKeeper;
  /** Changes of the network are made one after the other. */
  #networkTurn: Promise<void> = Promise.resolve();

  private constructor(options: MessengerOptions, store: Store, key: Uint8Array) {
    this.profile = options.profile;
    this.#options = options;
    this.store = store;
    this.feed = options.door?.feed ?? new Feed();
    this.opening = options.door?.opening ?? new Opening({ feed: this.feed });
    this.log = options.log;
    this.limits = { ...MESSENGER_LIMITS, ...options.limits };
    this.#routing = new RequestRouting(this);
    this.#keeper = this.#createKeeper();
    this.delivery = new Delivery({
      store,
      log: options.log,
      limits: this.limits,
      receiveChange: (message) => this.#publishMessage(message),
      receiveFileDeclined: (messageId) => this.transfers.receiveDeclined(messageId),
    });
    this.transfers = createTransfers(this, {
      receiveMessageChange: (message) => this.#publishMessage(message),
      receiveAdded: (message) => this.#publishAdded(message),
    });
    this.presence = new PresenceBook({
      ...{ store, feed: this.feed, log: options.log, limits: this.limits },
      settings: () => this.settings,
      accounts: () => this.accounts(),
    });
    this.history = new HistoryKeeper({
      store,
      path: historyOf(options.profile),
      profile: options.profile,
      log: options.log,
      settings: () => this.settings,
      receiveChange: (status) => this.feed.publish('history.changed', { status }),
    });
    this.lock = new HistoryLock({
      ...{ profile: options.profile, key, secrets: options.secrets },
      isRequired: () => this.settings['history.requirePassphrase'],
      receiveChange: (lock) => this.feed.publish('lock.changed', { lock }),
    });
    this.retention = new Retention({
      ...{ store, feed: this.feed, log: options.log },
      settings: () => this.settings,
      publishConversation: (id) => this.publishConversation(id),
    });
    this.inbox = new Inbox({
      store,
      delivery: this.delivery,
      log: options.log,
      limits: this.limits,
      filesFolder: join(options.profile, 'files'),
      receiveAdded: (message) => this.#publishAdded(message),
      receiveChanged: (message) => this.#publishMessage(message),
      isOnHold: () => this.settings['history.hold'],
      sendDelivered: (conversation, chat, messageId) => {
        const account = this.#accounts.get(conversation.accountId);
        if (account === undefined) return;
        const report = { messageId, kind: 'delivery', status: 'delivered' } as const;
        void this.delivery.sendNotification(account, chat, conversation.peerAddress, report);
      },
    });
  }

  /** Opens the profile; accounts sign in in the background. Rejects with StoreError. */
  static async open(options: MessengerOptions): Promise<Messenger> {
    await mkdir(options.profile, { recursive: true, mode: 0o700 });
    const source = options.passphrase ?? options.door?.opening;
    const key = await openHistoryKey(options.profile, options.secrets, { source });
    const store = await Store.open(historyOf(options.profile), {
      ...{ key, log: options.log },
      receiveProgress: (task, done, total) => options.door?.opening.receiveProgress(task, done, total),
    });
    const messenger = new Messenger(options, store, key);
    messenger.#lifetime.own(store);
    messenger.#lifetime.own(messenger.history);
    messenger.#lifetime.own(messenger.retention);
    try {
      await store.call('endOrphanedSessions', { nowMs: Date.now() });
      await messenger.transfers.open();
      messenger.#settingBook.load(await store.call('selectSettings', null), options.log);
      if (options.policy !== undefined) messenger.#settingBook.applyPolicy(options.policy);
      await messenger.presence.open();
      messenger.#sessions.load(await store.call('selectLastSessions', null));
      messenger.history.start();
      messenger.retention.start();
      if (options.startsAccounts !== false) void messenger.startAccounts();
      return messenger;
    } catch (error) {
      await messenger[Symbol.asyncDispose]();
      throw error;
    }
  }

  get settings(): Settings {
    return this.#settingBook.values;
  }

  get policy(): ShownPolicy {
    return this.#settingBook.policy;
  }

  accounts(): AccountLink[] {
    return [...this.#accounts.values()];
  }

  /** An account as it lies on disk. Rejects with CallError when it does not exist. */
  async storedAccount(id: AccountId): Promise<StoredAccount> {
    const stored = (await this.store.call('selectAccounts', null)).find((account) => account.id === id);
    if (stored === undefined) throw new CallError('not-found', 'This account does not exist any more.');
    return stored;
  }

  /** An account as the window shows it, whether it runs or cannot. */
  shown(stored: StoredAccount): Account {
    const running = this.#accounts.get(stored.id);
    if (running !== undefined) return running.account;
    const reason = this.#keeper.problem;
    return shownAccount(stored, {
      status: 'connecting',
      ...(reason === undefined ? {} : { code: 'unreachable', reason }),
    });
  }

  /** Rejects with CallError when it does not run. */
  account(id: AccountId): AccountLink {
    const account = this.#accounts.get(id);
    if (account === undefined) throw new CallError('not-found', 'This account does not exist any more.');
    return account;
  }

  /** Sessions that are not over, and the last ended one of each conversation. */
  sessions(): Session[] {
    return this.#sessions.all();
  }

  /** Sessions that are not over. */
  openSessions(): Session[] {
    return this.#sessions.open();
  }

  chat(id: SessionId): Chat | undefined {
    return this.#sessions.chat(id);
  }

  /** The conversation with its link to its account; rejects with CallError. */
  async conversation(
    id: ConversationId,
  ): Promise<{ conversation: Conversation; account: AccountLink | undefined }> {
    const conversation = await this.store.call('selectConversation', { id });
    if (conversation === null) throw new CallError('not-found', 'This conversation does not exist any more.');
    return { conversation, account: this.#accounts.get(conversation.accountId) };
  }

  /** Finds or makes the conversation with a person. Our own opening makes it `accepted`. */
  async openConversation(accountId: AccountId, peerAddress: string, theirName = ''): Promise<Conversation> {
    const contact = await this.store.call('selectContact', { accountId, address: peerAddress });
    const ours = theirName === '';
    const { conversation, created } = await this.store.call('openConversation', {
      id: randomUUID() as ConversationId,
      accountId,
      peerAddress,
      peerName: nameOfPeer(contact, theirName, peerAddress),
      standing: ours || contact !== null ? 'accepted' : 'asked',
      nowMs: Date.now(),
    });
    if (created) this.feed.publish('conversation.changed', { conversation });
    if (!ours || conversation.standing === 'accepted') return conversation;
    return this.setStanding(conversation.id, 'accepted');
  }

  async setStanding(id: ConversationId, standing: Conversation['standing']): Promise<Conversation> {
    const conversation = await this.store.call('updateStanding', { id, standing });
    if (conversation === null) throw new CallError('not-found', 'This conversation does not exist any more.');
    this.#accounts.get(conversation.accountId)?.link(conversation);
    this.feed.publish('conversation.changed', { conversation });
    return conversation;
  }

  async publishConversation(id: ConversationId): Promise<void> {
    const conversation = await this.store.call('selectConversation', { id }).catch(() => null);
    if (conversation === null) return;
    this.#accounts.get(conversation.accountId)?.linkOf(id)?.apply(conversation);
    this.feed.publish('conversation.changed', { conversation });
  }

  /** Checks, stores and applies one setting. Rejects with CallError. */
  async setSetting(key: SettingKey, value: unknown): Promise<Settings> {
    const checked = this.#settingBook.check(key, value);
    await this.store.call('upsertSetting', { key, value: JSON.stringify(checked) });
    this.#settingBook.apply(key, checked);
    await this.#receiveSettings([key]);
    return this.settings;
  }

  /** Another policy holds from now on. */
  async applyPolicy(policy: Policy): Promise<void> {
    const changed = this.#settingBook.applyPolicy(policy);
    this.feed.publish('policy.changed', { policy: this.policy });
    if (changed.length > 0) await this.#receiveSettings(changed);
  }

  async #receiveSettings(keys: readonly SettingKey[]): Promise<void> {
    this.feed.publish('settings.changed', { settings: this.settings });
    if (keys.some((key) => key.startsWith('history.'))) this.retention.receiveChange();
    if (keys.includes('privacy.tellOwnDevices'))
      this.accounts().forEach((account) => account.announceAgain());
    if (keys.some((key) => key.startsWith('network.')))
      await this.startNetwork(await this.store.call('selectAccounts', null));
  }

  /** Adds an account to disk and starts it. */
  async addAccount(account: StoredAccount): Promise<Account> {
    const waiting = await this.store.call('insertAccount', { ...account, createdMs: Date.now() });
    await this.startNetwork(await this.store.call('selectAccounts', null));
    for (const id of waiting) await this.publishConversation(id);
    return this.shown(account);
  }

  async removeAccount(id: AccountId): Promise<void> {
    await this.storedAccount(id);
    const account = this.#accounts.get(id);
    this.#accounts.delete(id);
    await account?.[Symbol.asyncDispose]();
    const left = await this.store.call('deleteAccount', { id });
    this.feed.publish('account.removed', { accountId: id });
    for (const one of left) await this.publishConversation(one);
  }

  /** The server of an account has moved: it registers there at once. */
  async moveAccount(id: AccountId, server: string): Promise<void> {
    await this.store.call('updateAccountServer', { id, server });
    await this.#restartAccount(id);
  }

  /** An account registers at once, with another password where one is given. Rejects with CallError. */
  async signInAgain(id: AccountId, password?: string): Promise<Account> {
    const { secrets } = this.#options;
    await this.storedAccount(id);
    if (password !== undefined) {
      const secret = secrets.protect(password);
      await this.store.call('updateAccountSecret', { id, secret, secretBackend: secrets.backend });
    }
    await this.#restartAccount(id);
    return this.shown(await this.storedAccount(id));
  }

  async #restartAccount(id: AccountId): Promise<void> {
    const running = this.#accounts.get(id);
    this.#accounts.delete(id);
    await running?.[Symbol.asyncDispose]();
    await this.startNetwork(await this.store.call('selectAccounts', null));
  }

  /** Opens the network if need be (anew when it has to be bound elsewhere) and starts the accounts that are not. */
  startNetwork(accounts: readonly StoredAccount[]): Promise<void> {
    const turn = this.#networkTurn.then(() => this.#startNetwork(accounts));
    this.#networkTurn = turn.catch(() => undefined);
    return turn;
  }

  /** All accounts sign in, each as often as it takes. Never rejects. */
  async startAccounts(): Promise<void> {
    const turn = this.#networkTurn.then(async () => {
      if (this.#lifetime.ended) return;
      await this.#startNetwork(await this.store.call('selectAccounts', null));
    });
    this.#networkTurn = turn.catch((error: unknown) => {
      this.log.error('network.failed', { error });
    });
    await this.#networkTurn;
  }

  /** Tests the way to a server, over sockets of its own: what runs is left alone. Never rejects. */
  reportConnection(place: ServerPlace & AccountMedia, password: string): Promise<ConnectionReport> {
    const { ca = [] } = this.#options;
    const options = { profile: this.profile, ca, settings: this.#settingBook, log: this.log };
    return testConnection(options, place, password);
  }

  /** This computer has another network, or has woken up: everything registers anew, from where it is now. */
  receiveNetworkChange(): void {
    const { network } = this.#keeper;
    if (network === undefined) {
      void this.startAccounts();
      return;
    }
    network.receiveNetworkChange();
    for (const account of this.#accounts.values()) account.receiveNetworkChange();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#networkTurn;
    await this.presence[Symbol.asyncDispose]();
    await this.transfers[Symbol.asyncDispose]();
    await this.#keeper[Symbol.asyncDispose]();
    await this.#lifetime[Symbol.asyncDispose]();
  }

  async #startNetwork(accounts: readonly StoredAccount[]): Promise<void> {
    if (this.#lifetime.ended || accounts.length === 0) return;
    const { msrpLimits, ca, tap } = this.#options;
    await this.#keeper.open({
      runFolder: runFolderOf(this.profile),
      engine: this.settings['network.engine'],
      bindAddress: this.settings['network.bindAddress'] || bindAddressFor(accounts),
      tap: (record) => {
        this.ladder.tap(record);
        tap?.(record);
      },
      log: this.log,
      ...(ca ? { ca } : {}),
      ...(msrpLimits ? { msrpLimits } : {}),
    });
    const { network } = this.#keeper;
    // As they are now: one may have been changed or removed while the network was being opened.
    for (const account of await this.store.call('selectAccounts', null)) {
      if (network === undefined) this.feed.publish('account.changed', { account: this.shown(account) });
      else if (!this.#accounts.has(account.id)) this.#startAccount(network, account);
    }
  }

  #startAccount(network: Network, account: StoredAccount): void {
    const link = new AccountLink(this.#accountHost(network), account, this.passwordOf(account));
    this.#accounts.set(account.id, link);
    link.start();
  }

  /** Accounts leave a network that is about to be closed. */
  async #stopAccounts(): Promise<void> {
    const accounts = [...this.#accounts.values()];
    this.#accounts.clear();
    await Promise.all(accounts.map((account) => account[Symbol.asyncDispose]()));
  }

  #createKeeper(): NetworkKeeper {
    return new NetworkKeeper({
      limits: this.limits,
      log: this.log,
      receiveOpened: (network) => {
        this.#routing.serve(network.agent);
        network.onFlowLost((flow) => this.accounts().forEach((account) => account.receiveFlowLost(flow)));
        network.agent.onConnectionLost(() => {
          for (const account of this.#accounts.values()) account.receiveEngineLost();
        });
        network.agent.onConnected(() => {
          for (const account of this.#accounts.values()) account.start();
        });
      },
      receiveClosing: () => this.#stopAccounts(),
      receiveRetry: () => {
        void this.startAccounts();
      },
    });
  }

  /** The password of an account; empty when it cannot be read any more. */
  passwordOf(account: StoredAccount): string {
    try {
      return this.#options.secrets.reveal(account.secret);
    } catch (error) {
      this.log.error('account.secret-unreadable', { backend: account.secretBackend, error });
      return '';
    }
  }

  #accountHost(network: Network): AccountHost {
    const { store, feed, inbox, delivery, transfers, log, limits } = this;
    return {
      ...{ store, feed, network, inbox, delivery, transfers, log, limits },
      deviceName: this.#options.deviceName ?? hostname(),
      settings: () => this.settings,
      openConversation: (...person) => this.openConversation(...person),
      setStanding: (...standing) => this.setStanding(...standing),
      isLocked: (key) => this.#settingBook.isLocked(key),
      receiveSession: (chat) => this.#receiveSession(chat),
      receiveMessageChange: (message) => this.#publishMessage(message),
      receiveAdded: (message) => this.#publishAdded(message),
    };
  }

  #publishAdded(message: Message): void {
    this.feed.publish('message.added', { message });
    void this.publishConversation(message.conversationId);
  }

  #publishMessage(message: Message): void {
    this.feed.publish('message.changed', { message });
    void this.publishConversation(message.conversationId);
  }

  #receiveSession(chat: Chat): void {
    const { session } = chat;
    this.#sessions.receiveSession(chat);
    this.feed.publish('session.changed', { session });
    this.store.call('upsertSession', session).catch((error: unknown) => {
      this.log.error('session.not-stored', { error });
    });
  }
}
