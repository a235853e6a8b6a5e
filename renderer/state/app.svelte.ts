/**
 * Owns: the parts of the window's state, how events reach them, and the reading of everything anew.
 * Called by: main.ts; every view, by context. Calls: the client and each part.
 */
import type { AppInfo } from '../../shared/ipc/contract.ts';
import { countUnread } from '../../shared/domain/conversation.ts';
import type { ConversationId, SessionId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import { isMentioned, ownNames } from '../../shared/mentions.ts';
import type { Client } from '../api/client.ts';
import { Locale } from '../i18n/locale.svelte.ts';
import { Accounts } from './accounts.svelte.ts';
import { Announcer } from './announcer.svelte.ts';
import { Arrivals } from './arrivals.ts';
import { Attention } from './attention.svelte.ts';
import { Calendar } from './calendar.svelte.ts';
import { Contacts } from './contacts.svelte.ts';
import { Conversations } from './conversations.svelte.ts';
import { Details } from './details.svelte.ts';
import { Drafts } from './drafts.svelte.ts';
import { Groups } from './groups.svelte.ts';
import { History } from './history.svelte.ts';
import { HistoryJobState } from './history-job.svelte.ts';
import { ImServer } from './im-server.svelte.ts';
import { Inspector } from './inspector.svelte.ts';
import { LockState } from './lock.svelte.ts';
import { Link } from './link.svelte.ts';
import { MarksState } from './marks.svelte.ts';
import { MessageChanges } from './message-changes.svelte.ts';
import { Notices } from './notices.svelte.ts';
import { OpeningState } from './opening.svelte.ts';
import { ReadingState } from './reading.svelte.ts';
import { Selection } from './selection.svelte.ts';
import { Forwarding } from './forwarding.svelte.ts';
import { PictureViewer } from './picture-viewer.svelte.ts';
import { Presence } from './presence.svelte.ts';
import { RecentEmoji } from './recent-emoji.svelte.ts';
import { searchRows } from './search-rows.ts';
import { Search } from './search.svelte.ts';
import { Sessions } from './sessions.svelte.ts';
import { SettingsState } from './settings.svelte.ts';
import { Shell } from './shell.svelte.ts';
import { Thread } from './thread.svelte.ts';
import { Transfers } from './transfers.svelte.ts';
import { UpdatesState } from './updates.svelte.ts';

export class AppState {
  readonly client: Client;
  readonly locale = new Locale();
  readonly link = new Link();
  readonly attention = new Attention();
  readonly announcer = new Announcer();
  readonly shell = new Shell();
  readonly opening: OpeningState;
  readonly reading: ReadingState;
  readonly lock: LockState;
  readonly accounts: Accounts;
  readonly drafts: Drafts;
  readonly marks: MarksState;
  readonly contacts: Contacts;
  readonly conversations: Conversations;
  readonly groups: Groups;
  readonly presence: Presence;
  readonly sessions: Sessions;
  readonly thread: Thread;
  readonly changes: MessageChanges;
  readonly transfers: Transfers;
  readonly pictures: PictureViewer;
  readonly selection = new Selection();
  readonly forwarding: Forwarding;
  readonly search: Search;
  readonly inspector: Inspector;
  readonly details: Details;
  readonly calendar: Calendar;
  readonly settings: SettingsState;
  readonly recentEmoji: RecentEmoji;
  readonly imServer: ImServer;
  readonly history: History;
  readonly historyJob: HistoryJobState;
  readonly notices: Notices;
  readonly updates: UpdatesState;

  info = $state.raw<AppInfo | null>(null);
  /** What the title counts as unread: nothing of muted conversations. */
  readonly unreadCount = $derived.by(() =>
    this.conversations.sorted.reduce((sum, each) => sum + countUnread(each, this.marks.get(each.id)), 0),
  );
  /** What the search shows, in its order. */
  readonly searchRows = $derived.by(() => searchRows(this));
  /** False in a window that only reads: nothing can be changed or sent in it. */
  readonly writes = $derived.by(() => this.reading.status === null);
  /** False until the first reading is done: nothing can be shown before. */
  ready = $state(false);
  /** The program ends and starts again: nothing is done in the window meanwhile. */
  restarting = $state(false);
  /** Asked for before there was anything to show. */
  #wanted: ConversationId | null = null;
  #reading = false;
  readonly #arrivals = new Arrivals(this.announcer);
  readonly #reload: () => void;
  #readAgain = false;

  /** `reload`: loads the page anew. */
  constructor(client: Client, reload: () => void = () => undefined) {
    this.client = client;
    this.#reload = reload;
    this.opening = new OpeningState(client);
    this.reading = new ReadingState(client);
    this.lock = new LockState(client);
    this.accounts = new Accounts(client);
    this.drafts = new Drafts(client);
    this.marks = new MarksState(client);
    this.contacts = new Contacts(client);
    this.conversations = new Conversations(client);
    this.groups = new Groups(client);
    this.presence = new Presence(client, () => this.writes);
    this.sessions = new Sessions(client);
    this.thread = new Thread(client);
    this.changes = new MessageChanges(client, this.thread);
    this.transfers = new Transfers(client);
    this.pictures = new PictureViewer(client);
    this.forwarding = new Forwarding(client, this.transfers);
    this.search = new Search(client);
    this.inspector = new Inspector(client);
    this.details = new Details(client, () => this.writes);
    this.calendar = new Calendar(client);
    this.settings = new SettingsState(client, this.locale);
    this.recentEmoji = new RecentEmoji(this.settings);
    this.imServer = new ImServer(client);
    this.history = new History(client);
    this.historyJob = new HistoryJobState(client);
    this.updates = new UpdatesState(client);
    this.notices = new Notices(this.locale, (id) => void this.#showWanted(id));
  }

  /** Connects; the state is read as soon as the link is up. The returned function disconnects. */
  start(): () => void {
    const { client } = this;
    const stops = [
      this.attention.start(),
      () => this.#arrivals.stop(),
      this.presence.start(),
      client.onLink((state) => {
        this.link.applyState(state);
        // What is there now is another program, perhaps over another history: nothing of before holds.
        if (state === 'up' && this.restarting) this.#reload();
      }),
      client.onResync(() => void this.resynchronise()),
      client.on('opening.changed', ({ opening }) => {
        this.opening.applyOpeningChanged(opening);
        if (opening.state === 'open') void this.resynchronise();
      }),
      client.on('lock.changed', ({ lock }) => this.lock.applyLockChanged(lock)),
      client.on('reading.changed', ({ reading }) => this.reading.applyReadingChanged(reading)),
      client.on('message.added', ({ message }) => this.applyMessageAdded(message)),
      client.on('message.changed', ({ message }) => {
        this.thread.applyMessageChanged(message);
        this.selection.applyMessageChanged(message);
        this.inspector.applyActivity(message.conversationId);
      }),
      client.on('transfer.changed', ({ conversationId, messageId, transfer }) => {
        this.thread.applyTransferChanged(messageId, transfer);
        this.transfers.applyTransferChanged(messageId, transfer);
        this.pictures.applyTransferChanged(conversationId, messageId, transfer);
      }),
      client.on('conversation.changed', ({ conversation }) => {
        this.conversations.applyConversationChanged(conversation);
        if (conversation.unreadCount === 0) this.notices.withdraw(conversation.id);
      }),
      client.on('group.changed', ({ group }) => {
        const isRenamed = this.groups.applyGroupChanged(group);
        if (isRenamed && this.thread.conversationId === group.conversationId)
          void this.thread.resynchronise();
      }),
      client.on('messages.deleted', ({ conversationId, positions }) => {
        this.thread.applyMessagesDeleted(conversationId, positions);
        this.pictures.applyMessagesDeleted(conversationId, positions);
        this.selection.applyMessagesDeleted(conversationId, positions);
        this.details.applyActivity(conversationId);
      }),
      client.on('marks.changed', ({ conversationId, marks }) =>
        this.marks.applyMarksChanged(conversationId, marks),
      ),
      client.on('session.changed', ({ session }) => {
        this.sessions.applySessionChanged(session);
        this.inspector.applyActivity(session.conversationId);
      }),
      client.on('account.changed', ({ account }) => this.accounts.applyAccountChanged(account)),
      client.on('account.removed', ({ accountId }) => {
        this.accounts.applyAccountRemoved(accountId);
        this.presence.applyAccountRemoved(accountId);
      }),
      client.on('presence.changed', (seen) => this.presence.applyPresenceChanged(seen)),
      client.on('presence.account', (account) => this.presence.applyAccountPresence(account)),
      client.on('presence.own', (own) => this.presence.applyOwnPresence(own)),
      client.on('contact.changed', ({ contact }) => {
        this.contacts.applyContactChanged(contact);
        // What somebody has said in a group carries his name.
        if (this.conversations.open?.kind === 'group') void this.thread.resynchronise();
      }),
      client.on('composing.changed', ({ conversationId, people }) =>
        this.conversations.applyComposingChanged(conversationId, people),
      ),
      client.on('settings.changed', ({ settings }) => this.settings.applySettingsChanged(settings)),
      client.on('policy.changed', ({ policy }) => this.settings.applyPolicyChanged(policy)),
      client.on('conversation.shown', ({ conversationId }) => void this.#showWanted(conversationId)),
      client.on('link.opened', () => void this.#takeLink()),
      client.on('update.changed', ({ update }) => this.updates.applyUpdateChanged(update)),
      client.on('imserver.changed', () => void this.imServer.load()),
      client.on('history.changed', ({ status }) => this.history.applyHistoryChanged(status)),
      client.on('job.changed', ({ job }) => {
        this.historyJob.applyJobChanged(job);
        // What was taken in is nowhere in the window yet.
        if (job?.kind === 'import' && job.state !== 'running') void this.resynchronise();
      }),
      client.start(),
    ];
    return () => {
      for (const stop of stops.reverse()) stop();
    };
  }

  /** Ends the program and starts it again. @throws {CallError} */
  async restart(): Promise<void> {
    this.drafts.flush();
    this.restarting = true;
    try {
      await this.client.call('app.restart', {});
    } catch (error) {
      // The program may have been quicker than its answer.
      if (error instanceof CallError && error.code === 'closed') return;
      this.restarting = false;
      throw error;
    }
  }

  /** Reads lists and the open thread anew: after each connect and when an event was missed. */
  async resynchronise(): Promise<void> {
    if (this.#reading) {
      this.#readAgain = true;
      return;
    }
    this.#reading = true;
    try {
      await this.opening.load();
      if (this.opening.status?.state !== 'open') return;
      // What was asked for until now is in what is read now.
      this.#readAgain = false;
      await this.#readEverything();
      if (!this.ready) {
        this.shell.welcome = this.info?.firstRun === true;
        this.ready = true;
        if (this.#wanted !== null) await this.#showWanted(this.#wanted);
      }
    } catch {
      // The link went down in the middle; the next connect reads again.
    } finally {
      this.#reading = false;
    }
    if (this.#readAgain) {
      this.#readAgain = false;
      await this.resynchronise();
    }
  }

  /** As our user may be named in a group. */
  #ownNames(id: ConversationId): string[] {
    return ownNames(this.groups.get(id)?.members ?? [], (address) => this.accounts.isOurs(address));
  }

  applyMessageAdded(message: Message): void {
    const attentive = this.attention.active;
    this.thread.applyMessageAdded(message, attentive);
    this.inspector.applyActivity(message.conversationId);
    this.details.applyActivity(message.conversationId);
    this.pictures.applyMessageAdded(message);
    if (message.direction === 'out' && message.conversationId === this.conversations.openId)
      this.marks.applyOpened(message.conversationId);
    // What has happened in a group is to be read there, and called out nowhere.
    if (message.direction === 'out' || (message.group?.notice ?? null) !== null) return;
    this.conversations.applyMessageFrom(message);
    this.marks.applyNews(message.conversationId);
    const conversation = this.conversations.get(message.conversationId);
    if (conversation === undefined || conversation.standing !== 'accepted') return;
    if (this.marks.get(conversation.id).muted && !isMentioned(message.text, this.#ownNames(conversation.id)))
      return;
    const { values } = this.settings;
    const said = this.groups.asWeRead(conversation.id, message.text);
    if (!attentive && values !== null && this.info?.host === 'browser')
      this.notices.show(values, conversation, { ...message, text: said });
    const name = conversation.peerName;
    const author = message.group?.person?.name;
    const text =
      author === undefined
        ? this.locale.t('thread.arrived', { name, text: said })
        : this.locale.t('group.arrived', { name: author, group: name, text: said });
    this.#arrivals.receive(
      message,
      this.thread.conversationId === message.conversationId
        ? text
        : this.locale.t('thread.arrivedElsewhere', { name }),
      (count) => this.locale.t('thread.more', { count, name: author ?? name }),
    );
  }

  /** Shows a conversation where the user left off. */
  async openConversation(id: ConversationId): Promise<void> {
    const conversation = this.conversations.get(id);
    if (conversation === undefined) return;
    this.#turnTo(id);
    if (this.thread.conversationId !== id) await this.thread.open(conversation);
  }

  /** Shows one message in its context and flashes it. */
  async showMessage(message: Message): Promise<void> {
    this.#turnTo(message.conversationId);
    await this.thread.show(message, this.conversations.get(message.conversationId)?.readPosition ?? 0);
  }

  /** The first unread message of the open conversation, else the next one with some or marked so, else the "New" line. */
  async showUnread(): Promise<void> {
    const { open, openId, sorted } = this.conversations;
    const hasSome = open?.standing === 'accepted' && open.unreadCount > 0;
    const next = sorted.find((each) => each.id !== openId && this.marks.hasUnread(each));
    if (next !== undefined && !hasSome) await this.openConversation(next.id);
    else if (open !== undefined) {
      if (this.writes) this.marks.applyOpened(open.id);
      await this.thread.jumpToUnread();
    }
  }

  /** The calendar of the open conversation, at the day that is on the screen. */
  async openCalendar(): Promise<void> {
    const { conversations, thread } = this;
    if (conversations.open === undefined) return;
    await this.calendar.open(conversations.open.id, thread.topSentAtMs());
  }

  /** One pane at a time stands beside the thread. */
  toggleDetails(): void {
    this.inspector.close();
    this.details.toggle(this.conversations.openId);
  }

  /** Beside the thread it is chosen to whom these go. */
  forward(messages: readonly Message[]): void {
    this.forwarding.begin(messages);
    this.search.clear();
    this.shell.showSide('forward');
  }

  /** Back to where it was begun. */
  endForward(): void {
    this.forwarding.end();
    this.shell.showSide();
    if (this.conversations.openId !== null) this.shell.showMain('thread');
  }

  showMessageDetails(message: Message): void {
    this.inspector.close();
    void this.details.showMessage(message);
  }

  /** The ladder of a session, as long as it is kept. */
  showSessionOf(id: SessionId | null): void {
    const session = id === null ? undefined : this.sessions.get(id);
    if (session === undefined) return;
    this.details.close();
    this.inspector.shown = true;
    this.inspector.follow(session);
  }

  toggleInspector(): void {
    this.details.close();
    const { openId } = this.conversations;
    this.inspector.toggle(openId === null ? undefined : this.sessions.latest(openId));
  }

  /** The third door: the demo workspace, with the conversation with Tom open. */
  async enterDemo(): Promise<void> {
    const account = await this.accounts.startDemo();
    await Promise.all([this.conversations.load(), this.contacts.load()]);
    const contact = this.contacts.all.find(({ accountId }) => accountId === account.id);
    const [present] = this.conversations.ofAccount(account.id);
    const conversation =
      present ?? (contact && (await this.conversations.openWith(account.id, contact.address)));
    this.shell.welcome = false;
    if (conversation !== undefined) await this.openConversation(conversation.id);
  }

  #turnTo(id: ConversationId): void {
    this.conversations.openId = id;
    if (this.writes) this.marks.applyOpened(id);
    if (!this.selection.isIn(id)) this.selection.end();
    this.shell.showMain('thread');
    this.calendar.close();
    this.inspector.follow(this.sessions.latest(id));
    this.details.follow(id);
  }

  /** The user has asked for it outside of the window. */
  async #showWanted(id: ConversationId): Promise<void> {
    this.#wanted = this.ready ? null : id;
    if (!this.ready) return;
    this.shell.welcome = false;
    await this.openConversation(id);
  }

  /** A link that the system has handed to the program: its address is put into the form, nothing else happens. */
  async #takeLink(): Promise<void> {
    const address = await this.client.call('link.take', {}).catch(() => null);
    if (address !== null) this.shell.showNew(address);
  }

  async #readEverything(): Promise<void> {
    await this.reading.load();
    const parts = [
      this.settings.load(),
      this.accounts.load(),
      this.contacts.load(),
      this.conversations.load(),
      this.groups.load(),
      this.presence.load(),
      this.drafts.load(),
      this.marks.load(),
      this.sessions.load(),
      this.imServer.load(),
      this.history.load(),
      this.historyJob.load(),
      this.lock.load(),
      this.updates.load(),
      this.thread.resynchronise(),
    ];
    const [info] = await Promise.all([this.client.call('app.info', {}), ...parts.map(allowMissing)]);
    this.info = info;
    if (this.writes) void this.#takeLink();
  }
}

/** What a window does not have that only reads stays empty. */
async function allowMissing(part: Promise<void>): Promise<void> {
  try {
    await part;
  } catch (error) {
    if (!(error instanceof CallError && error.code === 'read-only')) throw error;
  }
}
