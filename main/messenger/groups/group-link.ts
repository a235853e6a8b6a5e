/**
 * Owns: one group while the program runs: that we are in its room whenever we can be, who else is, and what becomes of us
 * there. Called by: account-link.ts, group-actions.ts, request-routing.ts. Calls: conversation-link.ts, room-inbox.ts,
 * room-requests.ts, sip/agent/subscription.ts.
 */
import type { Conversation, Session } from '../../../shared/domain/conversation.ts';
import type { Group, GroupMembership, GroupNotice } from '../../../shared/domain/group.ts';
import { systemClock, type Timer } from '../../base/clock.ts';
import type { MessengerLimits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import type { SipAgent } from '../../sip/agent/agent.ts';
import type { IncomingInvite } from '../../sip/agent/invite.ts';
import { Subscription, type SubscriptionRoute } from '../../sip/agent/subscription.ts';
import {
  CONFERENCE_EVENT,
  CONFERENCE_INFO_TYPE,
  parseConferenceInfo,
  type ConferenceInfo,
  type ConferenceUser,
} from '../../sip/conference-info.ts';
import type { StoredGroup, ToldMember } from '../../store/groups.ts';
import type { Store } from '../../store/store.ts';
import { toAddress, userOf } from '../../sip/address.ts';
import type { Chat } from '../chat.ts';
import { ConversationLink, type ConversationHost } from '../conversation-link.ts';
import type { Delivery } from '../delivery.ts';
import type { Feed } from '../feed.ts';
import type { FileCallContext } from '../file-call.ts';
import type { Inbox } from '../inbox.ts';
import type { NoFileWay } from '../transfer-record.ts';
import type { Transfers } from '../transfers.ts';
import { RoomInbox } from './room-inbox.ts';
import type { RoomRequests } from './room-requests.ts';

/** What a group needs of its account. */
export interface GroupHost extends Omit<
  ConversationHost,
  'inbox' | 'delivery' | 'sendOverServer' | 'sendChangeOverServer'
> {
  readonly inbox: Inbox;
  readonly delivery: Delivery;
  readonly store: Store;
  readonly feed: Feed;
  readonly agent: SipAgent;
  readonly log: Log;
  readonly limits: MessengerLimits;
  readonly address: string;
  readonly requests: RoomRequests;
  readonly online: boolean;
  /** URI of the address that makes rooms; undefined: the server has none. */
  readonly roomFactory: string | undefined;
  subscriptionRoute(): SubscriptionRoute | undefined;
  publishConversation(conversation: Conversation): void;
  readonly transfers: Pick<Transfers, 'told'>;
  receiveAdded(message: Parameters<ConversationHost['receiveMessageChange']>[0]): void;
}

/** RFC 7701 §8, and that we understand what the room itself says, and how it tells of files. */
const CHATROOM = [{ name: 'chatroom', value: 'nickname private-messages' }] as const;
const WRAPPED_TYPES = [CONFERENCE_INFO_TYPE, 'application/sdp', 'multipart/related', '*'] as const;

/** One group. */
export class GroupLink implements AsyncDisposable {
  /** Its conversation, as any other. */
  readonly talk: ConversationLink;
  readonly #host: GroupHost;
  readonly #inbox: RoomInbox;
  #group: StoredGroup;
  #retry: Timer | undefined;
  #retryMs: number;
  #subscription: Subscription | undefined;
  /** Of the last document; -1: none. */
  #version = -1;
  #disposed = false;
  /** Documents are applied one after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(host: GroupHost, conversation: Conversation, group: StoredGroup) {
    this.#host = host;
    this.#group = group;
    this.#retryMs = host.limits.retryFirstMs;
    this.#inbox = new RoomInbox({
      inbox: host.inbox,
      delivery: host.delivery,
      store: host.store,
      address: host.address,
      nameOf: (address) => this.#group.members.find((member) => member.address === address)?.name,
      receiveFile: (told, content, marks) => host.transfers.told.receiveFromRoom(told, content, marks),
      receiveAdded: (message) => {
        host.receiveAdded(message);
      },
    });
    this.talk = new ConversationLink(this.#conversationHost(), conversation);
  }

  /** What the store knows of it. */
  learn(group: StoredGroup): void {
    this.#group = group;
  }

  get group(): Group {
    const { conversationId, membership, isOpen, members } = this.#group;
    return { conversationId, membership, isOpen, members: [...members] };
  }

  get membership(): GroupMembership {
    return this.#group.membership;
  }

  /** We are signed in: into the room, if it is ours. Resolves when that has come about, or failed for now. */
  async join(): Promise<void> {
    this.#stopRetry();
    const { membership } = this.#group;
    if (this.#disposed || !this.#host.online) return;
    if (membership === 'creating' && !(await this.#create())) return;
    if (this.membership !== 'member' || this.talk.chat !== undefined) return;
    try {
      this.talk.startSession();
      await this.#settled();
    } catch (error) {
      this.#host.log.info('group.not-joined', { error });
      this.#joinLater();
    }
  }

  async #settled(): Promise<void> {
    await this.talk.chat?.settled;
  }

  /** How files go to the room and come from it; undefined: not now. */
  fileContext(): FileCallContext | NoFileWay | undefined {
    const { chat, conversation } = this.talk;
    const { membership } = this.#group;
    if (membership !== 'member' && membership !== 'creating') return 'left';
    if (chat?.isOpen !== true) return undefined;
    if (!chat.peerKeepsFiles) return 'no-files';
    const context = this.#host.chatContext(conversation);
    return context && { ...context, isRoom: true };
  }

  /** The room calls us: we were invited, or another device of ours belongs to it. */
  receiveInvite(invite: IncomingInvite, letIn: boolean): Promise<void> {
    return this.talk.receiveInvite(invite, letIn);
  }

  /** Who is to be invited as soon as the room is there; at once when it is. */
  async inviteLater(addresses: readonly string[]): Promise<void> {
    await this.#update({ pending: [...new Set([...this.#group.pending, ...addresses])] });
    await this.#invitePending();
  }

  /** Our user is no member any more, by his own will or another's. */
  async leave(membership: 'left' | 'removed' | 'ended', notice?: GroupNotice): Promise<void> {
    if (this.#group.membership === membership) return;
    await this.#update({ membership, pending: [] });
    this.#stopRetry();
    await this.#unsubscribe();
    const { conversation } = this.talk;
    if (notice !== undefined) {
      // One for each time that we were a member.
      const wireId = `${membership} ${systemClock.now()}`;
      await this.#inbox.keepOwnNotice(conversation, notice, wireId);
    }
    await this.talk.endSession();
  }

  /** We belong to it (again). */
  async enter(): Promise<void> {
    if (this.#group.membership !== 'member') await this.#update({ membership: 'member' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#stopRetry();
    this.#subscription?.drop();
    this.#subscription = undefined;
    await this.talk[Symbol.asyncDispose]();
  }

  #conversationHost(): ConversationHost {
    const host = this.#host;
    return {
      inbox: {
        receiveSessionMessage: (conversation, _chat, message, composing) =>
          this.#inbox.receive(conversation, message, composing),
      },
      delivery: {
        sendOverChat: (chat, message) => host.delivery.sendToRoom(chat, message),
        sendChangeOverChat: (chat, change) => host.delivery.sendChangeToRoom(chat, change),
        sendComposing: (chat, state) => host.delivery.sendComposing(chat, state),
        receiveReport: (report) => host.delivery.receiveReport(report),
      },
      chatContext: (conversation, called) => {
        const context = host.chatContext(conversation, called);
        // A room that is not there yet cannot be called.
        if (context === undefined || this.#group.membership === 'creating') return undefined;
        return { ...context, idleMs: 0, attributes: CHATROOM, acceptWrappedTypes: WRAPPED_TYPES };
      },
      unavailable: (peerName) => host.unavailable(peerName),
      createOutbox: (conversationId, delegate) => host.createOutbox(conversationId, delegate),
      createComposing: (conversation, send) => host.createComposing(conversation, send),
      // What is for a room waits here: the server keeps nothing that it has not taken as a room.
      sendOverServer: () => Promise.resolve({ status: 0, headers: null }),
      sendChangeOverServer: () => Promise.resolve({ status: 0, headers: null }),
      receiveSession: (chat) => {
        host.receiveSession(chat);
        void this.#receiveSession(chat).catch((error: unknown) => {
          host.log.error('group.session-failed', { error });
        });
      },
      receiveTakesChanges: () => undefined,
      receiveMessageChange: (message) => {
        host.receiveMessageChange(message);
      },
    };
  }

  async #receiveSession(chat: Chat): Promise<void> {
    const { session } = chat;
    if (session.state === 'open') {
      this.#retryMs = this.#host.limits.retryFirstMs;
      await this.enter();
      this.#subscribe();
      this.talk.send();
      await this.#invitePending();
    }
    if (session.state === 'ended' && this.talk.chat === undefined) await this.#receiveEnd(session);
  }

  async #receiveEnd({ end }: Session): Promise<void> {
    if (this.#group.membership !== 'member' || end?.code === 'shutdown') return;
    const nobody = { by: null, title: null };
    if (end?.code === 'forbidden') {
      const who = { address: this.#host.address, name: userOf(this.#host.address) };
      await this.leave('removed', { kind: 'removed', who, ...nobody });
    } else if (end?.code === 'unknown-peer') {
      await this.leave('ended', { kind: 'ended', who: null, ...nobody });
    } else this.#joinLater();
  }

  /** Asks the server for the room; true: it is there. One that is there already is ours: nobody else knows its address. */
  async #create(): Promise<boolean> {
    const { roomFactory, requests } = this.#host;
    const { conversation } = this.talk;
    if (roomFactory === undefined) return false;
    const status = await requests.create(roomFactory, conversation.peerAddress, conversation.peerName);
    if (status === 200 || status === 409) {
      await this.enter();
      return true;
    }
    if (status >= 400 && status < 500 && status !== 401 && status !== 407 && status !== 408) {
      await this.leave('ended', { kind: 'ended', by: null, who: null, title: null });
    } else this.#joinLater();
    return false;
  }

  async #invitePending(): Promise<void> {
    for (const address of this.#group.pending) {
      if (this.#group.membership !== 'member') return;
      const status = await this.#host.requests.invite(this.talk.conversation.peerAddress, address);
      if (status === 0 || status >= 500 || status === 408) return;
      if (status >= 300) this.#host.log.info('group.not-invited', { status });
      await this.#update({ pending: this.#group.pending.filter((one) => one !== address) });
    }
  }

  #joinLater(): void {
    if (this.#disposed) return;
    this.#stopRetry();
    this.#retry = systemClock.startTimer(this.#retryMs, () => void this.join());
    this.#retryMs = Math.min(this.#retryMs * 2, this.#host.limits.retryMaxMs);
  }

  #stopRetry(): void {
    this.#retry?.[Symbol.dispose]();
    this.#retry = undefined;
  }

  #subscribe(): void {
    this.#version = -1;
    if (this.#subscription !== undefined) {
      this.#subscription.start();
      return;
    }
    this.#subscription = new Subscription({
      agent: this.#host.agent,
      event: CONFERENCE_EVENT,
      accept: CONFERENCE_INFO_TYPE,
      resource: `sip:${this.talk.conversation.peerAddress}`,
      route: () => this.#host.subscriptionRoute(),
      receiveState: ({ contentType, body }) => {
        if (!contentType.toLowerCase().startsWith(CONFERENCE_INFO_TYPE)) return;
        this.#turn = this.#turn
          .then(() => this.#receiveState(body))
          .catch((error: unknown) => {
            this.#host.log.warn('group.state-not-applied', { error });
          });
      },
      log: this.#host.log,
    });
    this.#subscription.start();
  }

  async #unsubscribe(): Promise<void> {
    const subscription = this.#subscription;
    this.#subscription = undefined;
    await subscription?.[Symbol.asyncDispose]();
  }

  /** RFC 4575 §4.5: a partial state counts only right behind the one before; else everything is asked for anew. */
  async #receiveState(body: Buffer): Promise<void> {
    let info: ConferenceInfo;
    try {
      info = parseConferenceInfo(body);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return;
    }
    if (info.state === 'partial' && info.version !== this.#version + 1) {
      this.#subscribe();
      return;
    }
    this.#version = info.version;
    const { store } = this.#host;
    const { conversation } = this.talk;
    const conversationId = conversation.id;
    const members = info.users.filter(({ state }) => state !== 'deleted').flatMap(toMember);
    const removed = info.users
      .filter(({ state }) => state === 'deleted')
      .flatMap(({ entity }) => toAddress(entity) ?? []);
    const whole = info.state === 'full';
    const before = new Map(this.#group.members.map(({ address, name }) => [address, name]));
    const group = await store.call('updateGroupPeople', { conversationId, whole, members, removed });
    if (group !== null) this.#group = group;
    // What the list shows of him names him.
    if (this.#group.members.some(({ address, name }) => (before.get(address) ?? name) !== name)) {
      const renamed = await store.call('selectConversation', { id: conversationId });
      if (renamed !== null) this.#host.publishConversation(renamed);
    }
    for (const person of info.users.filter(isAbsent).flatMap(toMember)) this.talk.personGone(person);
    await this.#update({ title: info.displayText, isOpen: info.isOpen });
  }

  /** Written down, then told. */
  async #update(change: {
    membership?: GroupMembership | undefined;
    pending?: readonly string[];
    title?: string | undefined;
    isOpen?: boolean | undefined;
  }): Promise<void> {
    const { store, feed } = this.#host;
    const { conversation } = this.talk;
    const group = await store.call('updateGroup', { conversationId: conversation.id, ...change });
    if (group !== null) this.#group = group;
    if (change.title !== undefined && change.title !== conversation.peerName) {
      const renamed = await store.call('selectConversation', { id: conversation.id });
      if (renamed !== null) {
        this.talk.apply(renamed);
        this.#host.publishConversation(renamed);
      }
    }
    feed.publish('group.changed', { group: this.group });
  }
}

function isAbsent({ state, status }: ConferenceUser): boolean {
  return state === 'deleted' || status !== 'connected';
}

function toMember({ entity, displayText = '', nickname = '', roles, status }: ConferenceUser): ToldMember[] {
  const address = toAddress(entity);
  if (address === undefined) return [];
  return [
    {
      address,
      name: displayText || userOf(address),
      nickname,
      role: roles.includes('owner') ? 'owner' : 'member',
      state: status === 'pending' ? 'invited' : status === 'connected' ? 'here' : 'away',
    },
  ];
}
