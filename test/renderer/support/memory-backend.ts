/**
 * Owns: the contract answered from memory, for looking at views and for tests of the window's code.
 * Called by: scripted-backend (over a WebSocket), renderer tests (directly, as a transport). Calls: valibot.
 */
import * as v from 'valibot';
import type { Account } from '../../../shared/domain/account.ts';
import type { Contact, Conversation, Marks, Session } from '../../../shared/domain/conversation.ts';
import type { Group, GroupPerson } from '../../../shared/domain/group.ts';
import type { ConversationId, MessageId, SessionId } from '../../../shared/domain/ids.ts';
import type { HistoryJob, HistoryLockStatus, HistoryStatus } from '../../../shared/domain/history.ts';
import type { Ladder } from '../../../shared/domain/ladder.ts';
import { noUpdate, type Update } from '../../../shared/domain/update.ts';
import type { Opening } from '../../../shared/domain/opening.ts';
import type { Reading } from '../../../shared/domain/reading.ts';
import type { Message, MessageState } from '../../../shared/domain/message.ts';
import type { PresenceOutputs } from '../../../shared/ipc/presence-calls.ts';
import type { Transfer } from '../../../shared/domain/transfer.ts';
import {
  callInputs,
  type AppInfo,
  type CallName,
  type CheckedInput,
  type EventData,
  type EventName,
  type ImServerStatus,
} from '../../../shared/ipc/contract.ts';
import type { EventEnvelope } from '../../../shared/ipc/envelope.ts';
import type { ErrorCode } from '../../../shared/ipc/error-codes.ts';
import type { ShownPolicy } from '../../../shared/policy.ts';
import type { Settings } from '../../../shared/settings.ts';
import { changeHandlers, quoteOf } from './memory-changes.ts';
import { sentFile } from './sent-file.ts';
import { groupHandlers, groupMarks } from './memory-groups.ts';
import { browseHandlers, jobHandlers, keepHandlers, noteHandlers } from './memory-browse.ts';
import { openingHandlers } from './memory-opening.ts';
import { withoutFloods } from './memory-floods.ts';
import { Refusal } from './memory-refusal.ts';
import { presenceHandlers } from './memory-presence.ts';

export interface World {
  info: AppInfo;
  accounts: Account[];
  contacts: Contact[];
  conversations: Conversation[];
  messages: Message[];
  sessions: Session[];
  groups?: Group[];
  ladder: Ladder;
  imServer: ImServerStatus;
  history: HistoryStatus;
  job?: HistoryJob | null;
  drafts?: Record<ConversationId, string>;
  marks?: Record<ConversationId, Marks>;
  settings: Settings;
  presence?: PresenceOutputs['presence.list'];
  policy?: ShownPolicy;
  link?: string | null;
  /** What stands before everything else. Absent: it is open. */
  opening?: Opening;
  update?: Update;
  /** How the key of the history is protected. Absent: by file permissions. */
  lock?: HistoryLockStatus;
  /** What a window reads that only reads. */
  reading?: Reading;
  /** Conversations of two whose other side types. */
  composing: ConversationId[];
}

export type MemoryAnswer = { ok: true; value: unknown } | { ok: false; code: ErrorCode; message: string };

type Handlers = { [Name in CallName]: (input: CheckedInput<Name>) => unknown };

export class MemoryBackend {
  readonly world: World;
  readonly calls: { readonly call: string; readonly input: unknown }[] = [];
  /** Answers by call name that come instead of the usual ones. */
  readonly refusals = new Map<string, { code: ErrorCode; message: string }>();
  /** While set, answers wait for it. */
  hold: Promise<void> | null = null;
  /** What comes of signing in. */
  signIn: Account['connection'] = { status: 'online' };
  /** Names of files that were handed in, by id. */
  readonly handedIn = new Map<string, string>();
  readonly #listeners = new Set<(event: EventEnvelope) => void>();
  readonly #handlers: Handlers;
  #seq = 0;
  #nextId = 1;

  constructor(world: World) {
    this.world = world;
    this.#handlers = this.#buildHandlers();
  }

  async invoke(call: string, input: unknown): Promise<MemoryAnswer> {
    this.calls.push({ call, input });
    const refusal = this.refusals.get(call);
    let answer: MemoryAnswer;
    try {
      if (refusal !== undefined) throw new Refusal(refusal.code, refusal.message);
      if (!(call in callInputs)) throw new Refusal('unknown-call', `There is no call ${call}.`);
      const checked = v.safeParse(callInputs[call as CallName], input);
      if (!checked.success) throw new Refusal('invalid-input', checked.issues[0].message);
      const handler = this.#handlers[call as CallName] as (input: unknown) => unknown;
      answer = { ok: true, value: handler(checked.output) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      answer = { ok: false, code: error.code, message: error.message };
    }
    await this.hold;
    // Who types is told of conversations that are known.
    if (call === 'conversation.list') setTimeout(() => this.#publishComposing());
    return answer;
  }

  subscribe(listener: (event: EventEnvelope) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #publishComposing(): void {
    for (const id of this.world.composing) this.publishComposing(id);
  }

  /** The other side types; in a group these people do. */
  publishComposing(conversationId: ConversationId, people?: readonly GroupPerson[]): void {
    const peers = this.world.conversations
      .filter(({ id }) => id === conversationId)
      .map(({ peerAddress, peerName }) => ({ address: peerAddress, name: peerName }));
    this.publish('composing.changed', { conversationId, people: [...(people ?? peers)] });
  }

  publish<Name extends EventName>(event: Name, data: EventData<Name>): void {
    this.#seq += 1;
    const envelope = { seq: this.#seq, event, data } as EventEnvelope;
    for (const listener of this.#listeners) listener(envelope);
  }

  /** The next event has a gap before it. */
  skipEvent(): void {
    this.#seq += 1;
  }

  /** Stores a message and tells of it. */
  addMessage(
    conversationId: ConversationId,
    message: Pick<Message, 'direction' | 'text' | 'state' | 'file' | 'group' | 'reply'>,
    sentAtMs = Date.now(),
  ): Message {
    const stored: Message = {
      id: `added-${this.#nextId++}` as MessageId,
      conversationId,
      position: Math.max(0, ...this.world.messages.slice(-1).map(({ position }) => position)) + 1,
      sentAtMs,
      failure: null,
      ...message,
    };
    this.world.messages.push(stored);
    this.publish('message.added', { message: stored });
    const { unreadCount } = this.#conversation(conversationId);
    this.#changeConversation(conversationId, {
      lastActivityMs: sentAtMs,
      lastMessage: { ...stored },
      unreadCount: unreadCount + (message.direction === 'in' ? 1 : 0),
    });
    return stored;
  }

  changeMessage(id: MessageId, state: MessageState): Message {
    return this.#changeMessage(id, (message) => ({ ...message, state, failure: null }));
  }

  #changeMessage(id: MessageId, to: (message: Message) => Message): Message {
    const place = this.world.messages.findIndex((message) => message.id === id);
    const message = to(this.world.messages[place]!);
    this.world.messages[place] = message;
    this.publish('message.changed', { message });
    return message;
  }

  /** The file of a message has moved on. */
  changeFile(id: MessageId, change: Partial<Transfer>): Transfer {
    const place = this.world.messages.findIndex((message) => message.id === id);
    const message = this.world.messages[place];
    if (message?.file === undefined) throw new Refusal('not-found', 'There is no such file.');
    const transfer = { ...message.file, ...change };
    this.world.messages[place] = { ...message, file: transfer };
    this.publish('transfer.changed', { conversationId: message.conversationId, messageId: id, transfer });
    return transfer;
  }

  #conversation(id: ConversationId): Conversation {
    const conversation = this.world.conversations.find((each) => each.id === id);
    if (conversation === undefined) throw new Refusal('not-found', 'There is no such conversation.');
    return conversation;
  }

  #changeConversation(id: ConversationId, change: Partial<Conversation>): Conversation {
    const conversation = { ...this.#conversation(id), ...change };
    this.world.conversations = this.world.conversations.map((each) => (each.id === id ? conversation : each));
    this.publish('conversation.changed', { conversation });
    return conversation;
  }

  #changeSession(id: SessionId, change: Partial<Session>): Session {
    const present = this.world.sessions.find((each) => each.id === id);
    if (present === undefined) throw new Refusal('not-found', 'There is no such session.');
    const session = { ...present, ...change };
    this.world.sessions = this.world.sessions.map((each) => (each.id === id ? session : each));
    this.publish('session.changed', { session });
    return session;
  }

  #answerSession(id: SessionId, accept: boolean): Session {
    return this.#changeSession(
      id,
      accept
        ? { state: 'open', openedMs: Date.now() }
        : { state: 'ended', endedMs: Date.now(), end: { code: 'declined', message: 'You declined.' } },
    );
  }

  #addAccount(account: Account): Account {
    this.world.accounts.push(account);
    this.publish('account.changed', { account });
    return account;
  }

  #page(input: CheckedInput<'message.list'>): unknown {
    const { before, after, around, limit } = input;
    const { messages: all, floods } = withoutFloods(this.world, input);
    const firstAfter = (position: number): number => {
      const place = all.findIndex((message) => message.position > position);
      return place < 0 ? all.length : place;
    };
    let start = all.length - limit;
    if (before !== undefined) start = firstAfter(before - 1) - limit;
    if (after !== undefined) start = firstAfter(after);
    if (around !== undefined) start = firstAfter(around) - Math.ceil(limit / 2);
    const end = before === undefined ? start + limit : firstAfter(before - 1);
    const first = Math.max(0, start);
    return { messages: all.slice(first, end), hasBefore: first > 0, hasAfter: end < all.length, floods };
  }

  #search({ text, conversationId, limit }: CheckedInput<'search.query'>): unknown {
    const wanted = text.toLowerCase();
    const hits = this.world.messages
      .filter((message) => conversationId === undefined || message.conversationId === conversationId)
      .filter((message) => message.text.toLowerCase().includes(wanted))
      .reverse()
      .slice(0, limit)
      .map((message) => {
        const at = message.text.toLowerCase().indexOf(wanted);
        const { text: whole } = message;
        return {
          message,
          conversation: this.#conversation(message.conversationId),
          snippet: [whole.slice(0, at), whole.slice(at, at + wanted.length), whole.slice(at + wanted.length)],
        };
      });
    return { hits, tookMs: 1 };
  }

  #buildHandlers(): Handlers {
    const { world } = this;
    return {
      ...changeHandlers(this, (id, to) => this.#changeMessage(id, to)),
      ...groupHandlers({
        world,
        publishGroup: (group) => this.publish('group.changed', { group }),
        addConversation: (conversation) => {
          world.conversations.push(conversation);
          this.publish('conversation.changed', { conversation });
          return conversation;
        },
        renameConversation: (id, peerName) => void this.#changeConversation(id, { peerName }),
      }),
      ...presenceHandlers({
        world,
        publishAccount: (account) => this.publish('presence.account', account),
      }),
      'app.info': () => world.info,
      'app.restart': () => {
        if (!world.info.canRestart) throw new Refusal('not-allowed', 'End Parley and start it again.');
        return null;
      },
      'update.status': () => world.update ?? noUpdate,
      'update.check': () => world.update ?? noUpdate,
      'update.restart': () => {
        if (world.sessions.some(({ state }) => state === 'open'))
          throw new Refusal('busy', 'A session is open.');
        return null;
      },
      ...openingHandlers(world, (event, data) => this.publish(event, data)),
      'account.list': () => world.accounts,
      'account.add': ({ address, displayName, server, ...own }) =>
        this.#addAccount({
          id: `account-${address}` as Account['id'],
          address,
          displayName,
          server,
          kind: server.includes('127.0.0.1') ? 'embedded' : 'server',
          mediaPath: own.mediaPath ?? 'settings',
          relays: own.relays ?? [],
          connection: this.signIn,
        }),
      'account.diagnose': () => ({
        steps: [
          { step: 'name', outcome: 'ok', detail: 'example.com: _sips._tcp → im.example.com:5061.' },
          { step: 'address', outcome: 'ok', detail: '192.0.2.10' },
          { step: 'connect', outcome: 'ok', detail: 'TLS to 192.0.2.10, port 5061, from 192.0.2.77.' },
          {
            step: 'tls',
            outcome: 'failed',
            detail: 'the certificate of 192.0.2.10:5061 expired on 2026-10-01.',
          },
          { step: 'challenge', outcome: 'skipped', detail: 'Not tested: an earlier step failed.' },
          { step: 'registration', outcome: 'skipped', detail: 'Not tested: an earlier step failed.' },
          { step: 'messages-in', outcome: 'skipped', detail: 'Not tested: an earlier step failed.' },
          { step: 'messages-out', outcome: 'skipped', detail: 'Not tested: an earlier step failed.' },
        ],
      }),
      'account.update': ({ accountId, ...choice }) => {
        const known = world.accounts.find(({ id }) => id === accountId);
        if (known === undefined) throw new Refusal('not-found', 'There is no such account.');
        const account: Account = { ...known, ...choice };
        world.accounts = world.accounts.map((each) => (each.id === accountId ? account : each));
        this.publish('account.changed', { account });
        return account;
      },
      'account.signIn': ({ accountId }) => {
        const known = world.accounts.find(({ id }) => id === accountId);
        if (known === undefined) throw new Refusal('not-found', 'There is no such account.');
        const account: Account = { ...known, connection: this.signIn };
        world.accounts = world.accounts.map((each) => (each.id === accountId ? account : each));
        this.publish('account.changed', { account });
        return account;
      },
      'account.remove': ({ accountId }) => {
        world.accounts = world.accounts.filter(({ id }) => id !== accountId);
        this.publish('account.removed', { accountId });
        return null;
      },
      'contact.list': () => world.contacts,
      'contact.add': ({ accountId, address, displayName }) => {
        const contact = { accountId, address, displayName };
        world.contacts = [...world.contacts.filter((each) => each.address !== address), contact];
        this.publish('contact.changed', { contact });
        const known = world.conversations.find((each) => each.peerAddress === address);
        if (known !== undefined && displayName !== '') {
          this.#changeConversation(known.id, { peerName: displayName });
        }
        return contact;
      },
      'conversation.list': () => world.conversations,
      'conversation.open': ({ accountId, address }) => {
        const present = world.conversations.find(({ peerAddress }) => peerAddress === address);
        if (present !== undefined) return present;
        const contact = world.contacts.find((each) => each.address === address);
        const conversation: Conversation = {
          id: `conversation-${address}` as ConversationId,
          accountId,
          peerAddress: address,
          peerName: contact?.displayName ?? address,
          standing: 'accepted',
          unreadCount: 0,
          readPosition: 0,
          lastActivityMs: Date.now(),
          lastMessage: null,
        };
        world.conversations.push(conversation);
        this.publish('conversation.changed', { conversation });
        return conversation;
      },
      'conversation.markRead': ({ conversationId, position = world.messages.at(-1)?.position ?? 0 }) =>
        this.#changeConversation(conversationId, {
          readPosition: position,
          unreadCount: world.messages.filter(
            (message) =>
              message.conversationId === conversationId &&
              message.direction === 'in' &&
              message.position > position,
          ).length,
        }),
      'conversation.setComposing': () => null,
      'conversation.answer': ({ conversationId, accept }) => {
        for (const session of world.sessions) {
          if (session.conversationId === conversationId && session.state === 'asked') {
            this.#answerSession(session.id, accept);
          }
        }
        return this.#changeConversation(conversationId, { standing: accept ? 'accepted' : 'declined' });
      },
      'message.list': (input) => this.#page(input),
      'message.send': ({ conversationId, text, to, replyTo }) => {
        const group = groupMarks(this.#conversation(conversationId), to);
        const answered = world.messages.find(({ id }) => id === replyTo);
        const reply = answered === undefined ? {} : { reply: quoteOf(answered) };
        const message = { direction: 'out', text, state: 'queued', ...group, ...reply } as const;
        return this.addMessage(conversationId, message);
      },
      'message.retry': ({ messageId }) => this.changeMessage(messageId, 'queued'),
      'message.save': () => null,
      'transfer.send': ({ conversationId, fileId, preview = null }) => {
        const file = { ...sentFile, name: this.handedIn.get(fileId) ?? '', preview };
        const group = groupMarks(this.#conversation(conversationId));
        const message = { direction: 'out', text: file.name, state: 'queued', file, ...group } as const;
        return this.addMessage(conversationId, message);
      },
      'transfer.accept': ({ messageId }) => this.changeFile(messageId, { state: 'transferring' }),
      'transfer.decline': ({ messageId }) => this.changeFile(messageId, { state: 'declined' }),
      'transfer.pause': ({ messageId }) => this.changeFile(messageId, { state: 'paused' }),
      'transfer.resume': ({ messageId }) =>
        this.changeFile(messageId, { state: 'transferring', failure: null }),
      'transfer.cancel': ({ messageId }) => this.changeFile(messageId, { state: 'cancelled' }),
      'transfer.open': () => null,
      'transfer.reveal': () => null,
      'transfer.save': () => null,
      'session.start': ({ conversationId }) => {
        const session: Session = {
          id: `session-${this.#nextId++}` as SessionId,
          conversationId,
          direction: 'outgoing',
          state: 'inviting',
          mediaPath: 'direct',
          encrypted: false,
          startedMs: Date.now(),
          openedMs: null,
          endedMs: null,
          end: null,
        };
        world.sessions.push(session);
        this.publish('session.changed', { session });
        return session;
      },
      'session.answer': ({ sessionId, accept }) => this.#answerSession(sessionId, accept),
      'session.end': ({ sessionId }) =>
        this.#changeSession(sessionId, {
          state: 'ended',
          endedMs: Date.now(),
          end: { code: 'ended-by-us', message: 'You ended the session.' },
        }),
      'session.list': () => world.sessions,
      'session.ladder': () => world.ladder,
      'app.diagnostics': () => ({ name: 'parley-report.zip', base64: btoa('report') }),
      'session.save': ({ format }) => ({ name: `parley-session.${format}`, base64: btoa(format) }),
      'search.query': (input) => this.#search(input),
      ...browseHandlers(world),
      ...keepHandlers(world, (conversationId, positions) =>
        this.publish('messages.deleted', { conversationId, positions }),
      ),
      ...noteHandlers(world, (conversationId, marks) =>
        this.publish('marks.changed', { conversationId, marks }),
      ),
      ...jobHandlers(world, (job) => this.publish('job.changed', { job })),
      'history.status': () => world.history,
      'history.backUp': () => {
        const name = `history-made-${world.history.backups.length}.sqlite`;
        const made = { name, madeAtMs: Date.now(), bytes: 1_000 };
        return (world.history = { ...world.history, backups: [made, ...world.history.backups] });
      },
      'history.restore': ({ name }) => (world.history = { ...world.history, restoring: name }),
      'history.dismissNotice': () => (world.history = { ...world.history, notice: null }),
      'imserver.status': () => world.imServer,
      'imserver.start': ({ domain }) => {
        const sip = ['sip:192.0.2.10:5060;transport=tcp'];
        return (world.imServer = { ...world.imServer, running: true, domain, sip });
      },
      'imserver.stop': () => (world.imServer = { ...world.imServer, running: false, sip: [] }),
      'imserver.addUser': ({ user, displayName }) => {
        if (world.imServer.users.some((each) => each.user === user)) {
          throw new Refusal('already-exists', `There is a ${user} already.`);
        }
        const users = [...world.imServer.users, { user, displayName, online: false }];
        return (world.imServer = { ...world.imServer, users });
      },
      'demo.start': () =>
        this.#addAccount({
          id: 'account-demo' as Account['id'],
          address: 'you@demo.invalid',
          displayName: 'You',
          server: 'sip:127.0.0.1:5060',
          kind: 'demo',
          connection: { status: 'online' },
        }),
      'settings.get': () => world.settings,
      'policy.get': () => world.policy ?? { rules: [], faults: [] },
      'link.take': () => world.link ?? null,
      'settings.set': ({ key, value }) => {
        world.settings = { ...world.settings, [key]: value };
        this.publish('settings.changed', { settings: world.settings });
        return world.settings;
      },
    };
  }
}
