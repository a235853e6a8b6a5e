/**
 * Owns: one account while the program runs: its registration, its conversations, what they need of the network.
 * Called by: messenger.ts, commands.ts. Calls: sip/agent/registration.ts, conversation-link.ts.
 */
import type { Account, AccountStatus } from '../../shared/domain/account.ts';
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { AccountId, ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { SettingKey, Settings } from '../../shared/settings.ts';
import { setNewest } from '../base/bounded-map.ts';
import { systemClock } from '../base/clock.ts';
import type { MessengerLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { announcedRelay } from '../msrp/relay-servers.ts';
import type { RegistrationStatus, ServerWay } from '../sip/agent/registration-flow.ts';
import { COPIES_FEATURE } from '../sip/agent/copy-request.ts';
import { Registration } from '../sip/agent/registration.ts';
import type { SubscriptionRoute } from '../sip/agent/subscription.ts';
import type { GroupHost } from './groups/group-link.ts';
import { DigestClient } from '../sip/digest.ts';
import type { StoredAccount } from '../store/accounts.ts';
import type { WaitingChange } from '../store/message-changes.ts';
import type { Store } from '../store/store.ts';
import { mediaOf, type AccountMedia } from './account-media.ts';
import { AccountRelay } from './account-relay.ts';
import { toNameAddr, userOf } from '../sip/address.ts';
import { REASON_OF_STATUS, refusalInWords, shownAccount } from './account-status.ts';
import type { Chat, ChatContext } from './chat.ts';
import { chatEnd, type ChatEnd } from './chat-end.ts';
import type { MediaWays } from './chat-media.ts';
import { Composing } from './composing-state.ts';
import { ConversationLink, type ConversationHost } from './conversation-link.ts';
import { AccountGroups } from './groups/account-groups.ts';
import { RoomRequests } from './groups/room-requests.ts';
import { AccountCopies } from './devices/account-copies.ts';
import type { Delivery, KeptReport, SentMessage } from './delivery.ts';
import type { Feed } from './feed.ts';
import type { Inbox } from './inbox.ts';
import type { Network } from './network.ts';
import { Outbox } from './outbox.ts';
import type { Transfers } from './transfers.ts';
import { serverFlows, serverName, transportOfWay } from './server-ways.ts';

/** What an account needs of the messenger. */
export interface AccountHost {
  readonly store: Store;
  readonly feed: Feed;
  readonly network: Network;
  readonly inbox: Inbox;
  readonly delivery: Delivery;
  readonly transfers: Pick<Transfers, 'told' | 'untold'>;
  readonly log: Log;
  readonly limits: MessengerLimits;
  /** What this device calls itself toward others of its user. */
  readonly deviceName: string;
  settings(): Settings;
  openConversation(accountId: AccountId, peerAddress: string, theirName: string): Promise<Conversation>;
  setStanding(id: ConversationId, standing: 'accepted'): Promise<Conversation>;
  /** A policy has decided this setting. */
  isLocked(key: SettingKey): boolean;
  receiveSession(chat: Chat): void;
  receiveMessageChange(message: Message): void;
  /** A message, or a line that says what has happened, is on disk. */
  receiveAdded(message: Message): void;
}

/** The oldest are forgotten first. */
const MAX_ENCRYPTING = 10_000;

/** One account and its way to its server. */
export class AccountLink implements AsyncDisposable, ConversationHost {
  #stored: StoredAccount;
  readonly inbox: Inbox;
  readonly delivery: Delivery;
  readonly #host: AccountHost;
  readonly #digest: DigestClient;
  readonly #registration: Registration;
  readonly #relay: AccountRelay;
  /** People who have spoken TLS: nobody talks them out of it while the program runs. */
  readonly #encrypting = new Map<string, true>();
  readonly #conversations = new Map<ConversationId, ConversationLink>();
  readonly groups: AccountGroups;
  readonly copies: AccountCopies;
  readonly requests = new RoomRequests(() => this.pagerRoute());
  /** The groups have been read. */
  #groupsKnown: Promise<void> | undefined;
  #status: AccountStatus = { status: 'offline' };
  #remembered: string | undefined;
  /** Reports to the authors of messages that could not be sent; the oldest are given up first. */
  #keptReports: KeptReport[] = [];
  /** The server has answered a REGISTER, or nobody did. */
  readonly #answered = Promise.withResolvers<void>();

  constructor(host: AccountHost, stored: StoredAccount, password: string) {
    this.#stored = stored;
    this.inbox = host.inbox;
    this.delivery = host.delivery;
    this.#host = host;
    this.#remembered = stored.lastTransport;
    this.#digest = new DigestClient({ user: this.user, password });
    this.#relay = new AccountRelay({
      msrp: host.network.msrp,
      address: stored.address,
      user: this.user,
      password,
      written: () => mediaOf(this.#stored, host.settings(), (key) => host.isLocked(key)).relays,
      announced: () => {
        const { text, serverAddress = '' } = this.#registration.relay ?? {};
        return announcedRelay(text, serverAddress);
      },
      localHost: () => this.#registration.localHost ?? '127.0.0.1',
    });
    this.#registration = new Registration({
      agent: host.network.agent,
      address: stored.address,
      displayName: stored.displayName,
      contact: `<sip:${this.user}@localhost;ob>`,
      flows: serverFlows(stored),
      keepsAlive: !host.network.watchesFlows,
      digest: this.#digest,
      instanceId: stored.id,
      features: () => (host.settings()['privacy.tellOwnDevices'] ? COPIES_FEATURE : ''),
      onOtherDevices: (count) => {
        this.copies.receiveOthers(count);
      },
      limits: host.limits,
      log: host.log,
      onChange: (status) => {
        this.#receiveRegistration(status);
      },
    });
    this.groups = new AccountGroups(this.#groupHost(), stored.id);
    this.copies = new AccountCopies(host, stored, {
      route: () => this.pagerRoute(),
      ownContext: (id) => this.chatContext({ id, peerAddress: this.stored.address, peerName: '' }),
      receiveTakesChanges: (conversation) => {
        this.receiveTakesChanges(conversation, true);
      },
    });
  }

  get stored(): StoredAccount {
    return this.#stored;
  }

  get user(): string {
    return userOf(this.stored.address);
  }

  /** The account as the window shows it. */
  get account(): Account {
    const account = shownAccount(this.stored, this.#status);
    return this.roomFactory === undefined ? account : { ...account, hasGroups: true };
  }

  get agent(): Network['agent'] {
    return this.#host.network.agent;
  }

  get online(): boolean {
    return this.#status.status === 'online';
  }

  /**
   * Whether the server has answered yet. What it sends right after its answer may overtake that on another way: it is
   * waited for, for `serverAnswerMs`.
   */
  async knowsServer(): Promise<boolean> {
    if (this.#registration.knowsServer) return true;
    const late = Promise.withResolvers<void>();
    using _limit = systemClock.startTimer(this.#host.limits.serverAnswerMs, () => {
      late.resolve();
    });
    await Promise.race([this.#answered.promise, late.promise]);
    return this.#registration.knowsServer;
  }

  /** The account has chosen another way of messages: the next session takes it. */
  applyMedia(choice: AccountMedia): void {
    this.#stored = { ...this.#stored, ...choice };
  }

  /** Only our server may send us requests: not whoever finds our port. */
  isServer(address: string): boolean {
    return this.#registration.isServer(address);
  }

  start(): void {
    this.#groupsKnown ??= this.groups.load().catch((error: unknown) => {
      this.#host.log.error('groups.not-read', { error });
    });
    this.#registration.start();
  }

  /** A connection of the engine is gone: if it was ours, we register anew. */
  receiveFlowLost(flow: { remoteAddress: string; remotePort: number; reason: string }): void {
    this.#registration.receiveFlowLost(flow);
  }

  /** What this device says of itself has changed: the server hears of it at once. */
  announceAgain(): void {
    this.#registration.check();
  }

  receiveEngineLost(): void {
    this.#registration.receiveEngineLost('the SIP engine is not connected');
  }

  receiveNetworkChange(): void {
    this.#registration.receiveNetworkChange();
  }

  /** URI of the address that makes chat rooms; undefined: the server has none, or has not said so yet. */
  get roomFactory(): string | undefined {
    const { roomFactory } = this.#registration;
    return /<(sips?:[^>\s]+)>/i.exec(roomFactory ?? '')?.[1];
  }

  /** The link of a conversation, made when it is first needed. */
  link(conversation: Conversation): ConversationLink {
    if (conversation.kind === 'group') return this.groups.link(conversation).talk;
    const known = this.#conversations.get(conversation.id);
    if (known !== undefined) {
      known.apply(conversation);
      return known;
    }
    const link = new ConversationLink(this, conversation);
    this.#conversations.set(conversation.id, link);
    return link;
  }

  linkOf(id: ConversationId): ConversationLink | undefined {
    return this.#conversations.get(id) ?? this.groups.find(id)?.talk;
  }

  links(): Iterable<ConversationLink> {
    return this.#conversations.values();
  }

  chatContext(
    conversation: Pick<Conversation, 'id' | 'peerAddress' | 'peerName'>,
    called?: 'called',
  ): Omit<ChatContext, 'delegate'> | undefined {
    const advertisedHost = this.#registration.localHost;
    // A lost connection to the server is no reason to refuse whom it calls for by another one.
    const ready = this.online || (called !== undefined && this.#status.status === 'connecting');
    if (!ready || advertisedHost === undefined) return undefined;
    const { network, log, limits } = this.#host;
    return {
      agent: network.agent,
      msrp: network.msrp,
      log,
      limits,
      conversationId: conversation.id,
      address: this.stored.address,
      displayName: this.stored.displayName,
      peerAddress: conversation.peerAddress,
      peerName: conversation.peerName,
      contact: this.#registration.contact,
      way: this.#registration.way,
      digest: this.#digest,
      advertisedHost,
      media: this.#waysTo(conversation.peerAddress),
      idleMs: this.#host.settings()['sessions.idleMinutes'] * 60_000,
    };
  }

  #waysTo(peerAddress: string): MediaWays {
    const settings = this.#host.settings();
    return {
      policy: {
        encryption: settings['messages.encryption'],
        path: mediaOf(this.#stored, settings, (key) => this.#host.isLocked(key)).way,
        cema: settings['messages.cema'],
      },
      relay: () => this.#relay.bind(),
      peerEncrypts: this.#encrypting.has(peerAddress),
      receiveEncrypted: () => {
        setNewest(this.#encrypting, peerAddress, true, MAX_ENCRYPTING);
      },
    };
  }

  unavailable(peerName: string): ChatEnd {
    return chatEnd(this.#status.status === 'refused' ? 'not-signed-in' : 'server-unreachable', peerName);
  }

  createOutbox(
    conversationId: ConversationId,
    delegate: ConstructorParameters<typeof Outbox>[0]['delegate'],
  ): Outbox {
    const { store, log, limits } = this.#host;
    return new Outbox({
      ...{ conversationId, delegate, store, limits, log: log.with({ conversationId }) },
      untoldFile: () => this.#host.transfers.untold(conversationId),
    });
  }

  createComposing(conversation: Conversation, send: (state: 'active' | 'idle') => void): Composing {
    return new Composing({
      send,
      enabled: () => this.#host.settings()['privacy.sendComposing'],
      onTheirs: (people) => {
        this.#host.feed.publish('composing.changed', { conversationId: conversation.id, people });
      },
    });
  }

  async sendOverServer(conversation: Conversation, message: Message): Promise<SentMessage> {
    return this.#watchSent(await this.delivery.sendOverServer(this, conversation, message));
  }

  async sendChangeOverServer(conversation: Conversation, change: WaitingChange): Promise<SentMessage> {
    return this.#watchSent(await this.delivery.sendChangeOverServer(this, conversation, change));
  }

  /** How it went says something about the server. */
  #watchSent(sent: SentMessage): SentMessage {
    const { status } = sent;
    if (status === 401 || status === 407) this.#registration.receiveRefusal(status, 'Unauthorized');
    else if (status === 0 || status === 408 || status === 503) this.#registration.check();
    return sent;
  }

  receiveSession(chat: Chat): void {
    const code = chat.session.end?.code;
    // The same password again and again would lock the account at some servers.
    if (code === 'not-signed-in') this.#registration.receiveRefusal(401, 'Unauthorized');
    else if (code === 'server-unreachable') this.#registration.check();
    this.#host.receiveSession(chat);
  }

  /** It goes out when the account is signed in again. */
  keepReport(report: KeptReport): void {
    this.#keptReports.push(report);
    if (this.#keptReports.length > this.#host.limits.maxKeptReports) this.#keptReports.shift();
  }

  /** The other side follows changes of messages, or does not. */
  receiveTakesChanges({ id }: Conversation, takes: boolean): void {
    const { store, log } = this.#host;
    store.call('updateTakesChanges', { conversationId: id, takes }).then(
      (conversation) => {
        if (conversation === null) return;
        this.linkOf(id)?.apply(conversation);
        this.#host.feed.publish('conversation.changed', { conversation });
      },
      (error: unknown) => {
        log.error('conversation.not-updated', { error });
      },
    );
  }

  receiveMessageChange(message: Message): void {
    this.#host.receiveMessageChange(message);
  }

  /** How a request outside of a session goes to `peerAddress`. Undefined while offline. */
  pagerRoute(): { agent: Network['agent']; way: ServerWay; digest: DigestClient; from: string } | undefined {
    if (!this.online) return undefined;
    const { address, displayName } = this.stored;
    return {
      agent: this.#host.network.agent,
      way: this.#registration.way,
      digest: this.#digest,
      from: toNameAddr(address, displayName),
    };
  }

  /** How a subscription or a publication goes to the server. Undefined while offline. */
  subscriptionRoute(): SubscriptionRoute | undefined {
    const route = this.pagerRoute();
    if (route === undefined) return undefined;
    const { from, way, digest } = route;
    return { from, way, digest, contact: this.#registration.contact };
  }

  #groupHost(): GroupHost {
    const host = this.#host;
    const account = (): this => this;
    return {
      inbox: host.inbox,
      delivery: host.delivery,
      store: host.store,
      feed: host.feed,
      transfers: host.transfers,
      agent: host.network.agent,
      log: host.log,
      limits: host.limits,
      address: this.stored.address,
      requests: this.requests,
      get online() {
        return account().online;
      },
      get roomFactory() {
        return account().roomFactory;
      },
      chatContext: (conversation, called) => this.chatContext(conversation, called),
      unavailable: (peerName) => this.unavailable(peerName),
      createOutbox: (conversationId, delegate) => this.createOutbox(conversationId, delegate),
      createComposing: (conversation, send) => this.createComposing(conversation, send),
      receiveSession: (chat) => {
        this.receiveSession(chat);
      },
      // A room takes all of them; what its members make of them is theirs.
      receiveTakesChanges: () => undefined,
      receiveMessageChange: (message) => {
        this.receiveMessageChange(message);
      },
      subscriptionRoute: () => this.subscriptionRoute(),
      publishConversation: (conversation) => {
        host.feed.publish('conversation.changed', { conversation });
      },
      receiveAdded: (message) => {
        host.receiveAdded(message);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const links = [...this.#conversations.values()];
    this.#conversations.clear();
    this.copies[Symbol.dispose]();
    await Promise.all(links.map((link) => link[Symbol.asyncDispose]()));
    await this.groups[Symbol.asyncDispose]();
    await this.#relay[Symbol.asyncDispose]();
    await this.#registration[Symbol.asyncDispose]();
  }

  #receiveRegistration(status: RegistrationStatus): void {
    const server = serverName(this.stored);
    if (status.status !== 'registering') this.#answered.resolve();
    switch (status.status) {
      case 'stopped':
        this.#change({ status: 'offline' });
        return;
      case 'registering':
        // A further attempt after a failed one: why it failed stays to be read.
        if (this.#status.status !== 'connecting') this.#change({ status: 'connecting' });
        return;
      case 'registered':
        this.#change({ status: 'online' });
        this.#rememberTransport();
        void this.#sendQueued();
        void this.#groupsKnown?.then(() => this.groups.joinAll());
        void this.delivery.sendKeptReports(this, this.#keptReports.splice(0));
        return;
      case 'unreachable':
        this.#change({
          status: 'connecting',
          code: 'unreachable',
          reason: `The server ${server} cannot be reached. Parley tries again by itself. (${status.reason})`,
        });
        return;
      case 'refused':
        this.#change({
          status: 'refused',
          code: REASON_OF_STATUS[status.code] ?? 'refused',
          reason:
            status.code === 0
              ? `The server ${server} does not prove who it is: ${status.reason}. Parley does not go there without encryption instead; it tries again by itself. Ask whoever runs it to put its certificate right.`
              : refusalInWords(status.code, status.reason, this.stored.address),
        });
    }
  }

  /** What worked is tried first by the next run. */
  #rememberTransport(): void {
    const transport = transportOfWay(this.#registration.way);
    if (this.#remembered === transport) return;
    this.#remembered = transport;
    const { store, log } = this.#host;
    store.call('updateAccountTransport', { id: this.stored.id, transport }).catch((error: unknown) => {
      log.warn('account.transport-not-stored', { error });
    });
  }

  #change(status: AccountStatus): void {
    this.#status = status;
    this.#host.feed.publish('account.changed', { account: this.account });
  }

  /** What waits on disk goes out now. */
  async #sendQueued(): Promise<void> {
    const ids = await this.#host.store.call('selectConversationsWithQueued', null);
    for (const id of ids) {
      const conversation = await this.#host.store.call('selectConversation', { id });
      if (conversation?.accountId === this.stored.id) this.link(conversation).send();
    }
  }
}
