/**
 * Owns: who is in a room, as its members are told of it: whole at first, then what has changed (RFC 4575).
 * Called by: sip/agent/notifier.ts, rooms.ts with each change. Calls: sip/conference-info.ts.
 */
import {
  buildConferenceInfo,
  CONFERENCE_EVENT,
  CONFERENCE_INFO_TYPE,
  type ConferenceUser,
} from '../../sip/conference-info.ts';
import type { NotifierSubscription } from '../../sip/agent/notifier-subscription.ts';
import type { EventPackage, IncomingSubscribe, SubscribeVerdict } from '../../sip/agent/notifier.ts';
import type { RoomNews, Rooms } from './rooms.ts';
import type { Room } from './room.ts';

/** Several people who come at once are told together. */
const MIN_INTERVAL_MS = 500;
/** Members who have gone, as long as somebody may not have heard of it; who is further behind is told everything. */
const MAX_GONE = 256;

/** One room in the eyes of those who watch it. */
interface Watched {
  readonly room: Room;
  readonly subscriptions: Set<NotifierSubscription>;
  /** Grows with each change. */
  revision: number;
  readonly title: { text: string; revision: number };
  /** When each member last changed. */
  readonly changed: Map<string, number>;
  /** Who is no member any more, since which revision; `forgotten`: older ones are not known. */
  readonly gone: Map<string, number>;
  forgotten: number;
}

export interface ConferenceEventsOptions {
  readonly rooms: Rooms;
  readonly domain: string;
  readonly roomOf: (uri: string) => Room | undefined;
}

/** The conference event package. */
export class ConferenceEvents implements EventPackage, Disposable {
  readonly event = CONFERENCE_EVENT;
  readonly contentType = CONFERENCE_INFO_TYPE;
  readonly minIntervalMs = MIN_INTERVAL_MS;
  readonly #options: ConferenceEventsOptions;
  readonly #watched = new Map<Room, Watched>();
  /** What each subscription was told last, as a revision. */
  readonly #told = new Map<NotifierSubscription, number>();
  readonly #release: () => void;

  constructor(options: ConferenceEventsOptions) {
    this.#options = options;
    this.#release = options.rooms.onChange((news) => {
      this.#receiveChange(news);
    });
  }

  /** Members only: nobody else learns who is there. */
  receiveSubscribe({ subscriber, resource }: IncomingSubscribe): Promise<SubscribeVerdict> {
    const room = this.#options.roomOf(resource);
    if (room === undefined) return Promise.resolve({ kind: 'refused', status: 404 });
    const kind = room.members.has(subscriber) ? 'active' : 'refused';
    return Promise.resolve(kind === 'active' ? { kind } : { kind, status: 403 });
  }

  receiveStart(subscription: NotifierSubscription): void {
    const room = this.#options.roomOf(subscription.resource);
    if (room === undefined || !room.members.has(subscription.subscriber)) {
      subscription.terminate('noresource');
      return;
    }
    const watched = this.#watched.get(room) ?? {
      room,
      subscriptions: new Set(),
      revision: 1,
      title: { text: room.title, revision: 1 },
      changed: new Map(),
      gone: new Map(),
      forgotten: 0,
    };
    this.#watched.set(room, watched);
    watched.subscriptions.add(subscription);
  }

  receiveEnd(subscription: NotifierSubscription): void {
    this.#told.delete(subscription);
    for (const [room, { subscriptions }] of this.#watched) {
      if (subscriptions.delete(subscription) && subscriptions.size === 0) this.#watched.delete(room);
    }
  }

  stateFor(subscription: NotifierSubscription): string | undefined {
    if (subscription.state !== 'active') return undefined;
    const room = this.#options.roomOf(subscription.resource);
    const watched = room && this.#watched.get(room);
    if (watched === undefined) return undefined;
    const before = this.#told.get(subscription);
    this.#told.set(subscription, watched.revision);
    // A first one, an answer to a refresh, or somebody who is too far behind: everything (RFC 4575 §4.4).
    const isWhole = before === undefined || before === watched.revision || before < watched.forgotten;
    return isWhole
      ? this.#whole(watched, subscription.version)
      : this.#changes(watched, subscription.version, before);
  }

  [Symbol.dispose](): void {
    this.#release();
  }

  #receiveChange({ room, users, over }: RoomNews): void {
    const watched = this.#watched.get(room);
    if (watched === undefined) return;
    if (over) {
      for (const subscription of [...watched.subscriptions]) subscription.terminate('noresource');
      return;
    }
    watched.revision += 1;
    if (room.title !== watched.title.text)
      Object.assign(watched.title, { text: room.title, revision: watched.revision });
    for (const user of users) {
      if (room.members.has(user)) {
        watched.changed.set(user, watched.revision);
        watched.gone.delete(user);
        continue;
      }
      watched.changed.delete(user);
      watched.gone.set(user, watched.revision);
      for (const [oldest, revision] of watched.gone) {
        if (watched.gone.size <= MAX_GONE) break;
        watched.gone.delete(oldest);
        watched.forgotten = revision;
      }
    }
    for (const subscription of [...watched.subscriptions]) {
      if (room.members.has(subscription.subscriber)) subscription.notify();
      else subscription.terminate('rejected');
    }
  }

  #whole({ room }: Watched, version: number): string {
    return buildConferenceInfo({
      entity: this.#uri(room.name),
      state: 'full',
      version,
      displayText: room.title,
      isOpen: room.named,
      users: [...room.members.keys()].map((user) => this.#user(room, user)),
    });
  }

  #changes({ room, title, changed, gone }: Watched, version: number, since: number): string {
    const users: ConferenceUser[] = [];
    for (const [user, revision] of changed) if (revision > since) users.push(this.#user(room, user));
    for (const [user, revision] of gone) {
      if (revision > since) users.push({ entity: this.#uri(user), state: 'deleted', roles: [] });
    }
    return buildConferenceInfo({
      entity: this.#uri(room.name),
      state: 'partial',
      version,
      displayText: title.revision > since ? room.title : undefined,
      users,
    });
  }

  #user(room: Room, user: string): ConferenceUser {
    const { role = 'member', state, nickname } = room.members.get(user) ?? {};
    return {
      entity: this.#uri(user),
      state: 'full',
      displayText: room.shownName(user),
      nickname,
      roles: [role],
      status: state === 'invited' ? 'pending' : room.isPresent(user) ? 'connected' : undefined,
    };
  }

  #uri(user: string): string {
    return `sip:${user}@${this.#options.domain}`;
  }
}
