/**
 * Owns: the chat rooms of one server: builds their parts, listens for their messages, ends them with the server.
 * Called by: imserver.ts. Calls: everything in this folder, msrp/endpoint.ts.
 */
import { systemClock, type Clock } from '../../base/clock.ts';
import { Lifetime } from '../../base/lifetime.ts';
import { MSRP_LIMITS } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { FACTORY_NAME } from '../../base/room-names.ts';
import { ROOM_LIMITS, type RoomLimits } from '../../base/room-limits.ts';
import type { WireTap } from '../../base/wire-tap.ts';
import { MsrpEndpoint } from '../../msrp/endpoint.ts';
import type { SipAgent } from '../../sip/agent/agent.ts';
import type { ContactRulesBook } from '../contact-rules-book.ts';
import type { Credentials } from '../credentials.ts';
import type { FileDesk } from '../file-desk.ts';
import type { ImServerStore } from '../imserver-store.ts';
import { isInnerAddress } from '../inner-address.ts';
import type { Registrar } from '../registrar.ts';
import type { ServerConfig } from '../server-config.ts';
import type { StoreNews } from '../../store/server-store.ts';
import type { Users } from '../users.ts';
import { ConferenceEvents } from './conference-events.ts';
import { ConferenceFocus } from './conference-focus.ts';
import { MsrpSwitch } from './msrp-switch.ts';
import { RoomAdmission } from './room-admission.ts';
import { RoomCalls } from './room-calls.ts';
import { RoomFiles } from './room-files.ts';
import { RoomMedia } from './room-media.ts';
import { RoomPresence } from './room-presence.ts';
import { RoomMetrics } from './room-metrics.ts';
import type { ParticipantHost, RoomParticipant } from './room-participant.ts';
import type { Room } from './room.ts';
import { Rooms } from './rooms.ts';

export interface ChatRoomsOptions {
  readonly agent: SipAgent;
  readonly config: ServerConfig;
  readonly credentials: Credentials;
  readonly registrar: Registrar;
  readonly rules: ContactRulesBook;
  readonly users: Users;
  readonly store: ImServerStore;
  /** Undefined: the server keeps no files. */
  readonly desk: FileDesk | undefined;
  readonly log: Log;
  readonly addressToward: (remote: string) => Promise<string>;
  readonly clock?: Clock;
  readonly tap?: WireTap | undefined;
  /** Replaces single ceilings and timers of `ROOM_LIMITS`. */
  readonly limits?: Partial<RoomLimits> | undefined;
}

/** One line of `imserver rooms`. */
export interface RoomOverview {
  readonly room: string;
  readonly title: string;
  readonly named: boolean;
  readonly owner: string | null;
  readonly members: number;
  readonly invited: number;
  /** Devices that are there. */
  readonly devices: number;
  readonly messages: number;
}

/** All rooms of a server, and the switch that their messages go through. */
export class ChatRooms implements AsyncDisposable {
  readonly rooms: Rooms;
  readonly focus: ConferenceFocus;
  readonly calls: RoomCalls;
  readonly events: ConferenceEvents;
  readonly metrics = new RoomMetrics();
  readonly #elsewhere: RoomPresence | undefined;
  readonly #files: RoomFiles | undefined;
  readonly #options: ChatRoomsOptions;
  readonly #endpoint: MsrpEndpoint;
  readonly #lifetime: Lifetime;

  private constructor(options: ChatRoomsOptions, endpoint: MsrpEndpoint, lifetime: Lifetime) {
    const { agent, config, credentials, registrar, store, users, log } = options;
    const { domain } = config;
    this.#options = options;
    this.#endpoint = endpoint;
    this.#lifetime = lifetime;
    const clock = options.clock ?? systemClock;
    const limits = limitsOf(config, options.limits);
    const host = config.rooms.host ?? config.host;
    this.rooms = lifetime.own(new Rooms({ store, users, domain, log, clock, limits }));
    const { rooms, metrics } = this;
    const { shared } = store;
    this.#elsewhere = shared && new RoomPresence({ shared, rooms, log });
    if (shared !== undefined) {
      lifetime.defer(
        shared.things.onOrphans((things) => {
          this.#elsewhere?.receiveOrphans(things);
        }),
      );
    }
    const { maxMessageBytes } = limits;
    const media = new RoomMedia({
      endpoint,
      host,
      name: config.rooms.name,
      plain: config.rooms.plain,
      maxMessageBytes,
      keepsFiles: options.desk !== undefined,
      addressToward: options.addressToward,
    });
    const userOfUri = (uri: string) => credentials.userOfUri(uri);
    const isBlocked = (user: string, by: string) => options.rules.isBlocked(user, `${by}@${domain}`);
    const relay = new MsrpSwitch({ store, domain, limits, metrics, log, clock, userOfUri, isBlocked });
    const participants: ParticipantHost = {
      ...{ endpoint, limits, clock, log, maxMessageBytes },
      receiveMessage: (participant, message) => relay.receive(participant, message),
      receiveNickname: (participant, nickname) => this.#receiveNickname(participant, nickname, clock),
      receivePlace: ({ room, user, device }, position) => {
        rooms.places.receive({ room: room.key, user, device }, position);
      },
      receiveDelivered: () => {
        metrics.deliveries++;
      },
      receiveLeft: ({ room, user }) => {
        if (room.participants.size === 0) room.history.rest();
        this.#elsewhere?.receiveChange(room, user);
        if (room.members.has(user)) rooms.tellPresence(room, user);
      },
    };
    const parts = { agent, rooms, media, host: participants, metrics, log };
    const receiveEntered = (room: Room, user: string, isFirst: boolean): void => {
      this.#elsewhere?.receiveChange(room, user);
      if (isFirst) this.calls.receiveMember(room, user);
    };
    const admission = new RoomAdmission({
      ...parts,
      receiveEntered,
      devicesOf: (user) => registrar.devicesOf(user),
    });
    this.calls = lifetime.own(
      new RoomCalls({
        ...parts,
        ...{ admission, store, domain, isBlocked },
        isInner: isInnerAddress(config.host),
        waysTo: (user) => registrar.waysTo(user),
      }),
    );
    const { calls } = this;
    const { desk } = options;
    const devicesOf = (user: string) => registrar.devicesOf(user);
    this.#files =
      desk && lifetime.own(new RoomFiles({ desk, config, store, rooms, metrics, log, devicesOf }));
    this.focus = new ConferenceFocus({
      ...{ agent, credentials, rooms, admission, calls, files: this.#files },
      usersCreate: config.rooms.create,
    });
    this.events = lifetime.own(
      new ConferenceEvents({ rooms, domain, roomOf: (uri) => this.focus.roomOf(uri) }),
    );
    lifetime.defer(() => this.#endAll());
  }

  /** Listens and reads what there is. Rejects with the system's error, or StoreError. */
  static async open(options: ChatRoomsOptions): Promise<ChatRooms> {
    const { config, log, clock, tap } = options;
    const limits = limitsOf(config, options.limits);
    const lifetime = new Lifetime();
    try {
      const endpoint = lifetime.own(
        new MsrpEndpoint({
          log,
          limits: endpointLimits(limits),
          ...(clock ? { clock } : {}),
          ...(tap ? { tap } : {}),
        }),
      );
      await endpoint.listen({ host: config.rooms.host ?? config.host, port: config.rooms.port });
      const rooms = new ChatRooms(options, endpoint, lifetime);
      await rooms.rooms.load();
      await rooms.#elsewhere?.look();
      await rooms.#files?.load();
      return rooms;
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Whoever calls it gets a room; devices hear of it with their registration. */
  get factory(): string {
    return `sip:${FACTORY_NAME}@${this.#options.config.domain}`;
  }

  get port(): number {
    return this.#endpoint.port;
  }

  get participantCount(): number {
    let count = 0;
    for (const room of this.rooms.all()) count += room.participants.size;
    return count;
  }

  get draining(): boolean {
    return this.focus.draining;
  }

  set draining(draining: boolean) {
    this.focus.draining = draining;
  }

  /** What there is now. Rejects with StoreError. */
  async overview(): Promise<RoomOverview[]> {
    const counted = await this.#options.store.call('countRoomMessages', null);
    const messages = new Map(counted.map((one) => [one.room, one.messages]));
    return [...this.rooms.all()].map((room) => ({
      room: `${room.name}@${this.#options.config.domain}`,
      title: room.title,
      named: room.named,
      owner: [...room.members.values()].find(({ role }) => role === 'owner')?.user ?? null,
      members: room.countOf('joined'),
      invited: room.countOf('invited'),
      devices: room.participants.size,
      messages: messages.get(room.key) ?? 0,
    }));
  }

  /** Another node has changed something. */
  receiveNews(news: StoreNews): void {
    this.rooms.receiveNews(news);
    this.#elsewhere?.receiveNews(news);
  }

  /** A room that another node has made a moment ago may be asked for here before the news of it. Rejects with StoreError. */
  async seek(uri: string): Promise<void> {
    const { credentials, store, users } = this.#options;
    const name = credentials.userOfUri(uri);
    if (!store.isShared || name === undefined || this.focus.owns(uri)) return;
    if ((await users.find(name)) !== undefined) return;
    const key = await store.call('selectRoomKey', { name });
    if (key !== null) await this.rooms.renew(key);
  }

  /** A device is not there any more: its places in rooms are free. */
  receiveGone(contact: string): void {
    for (const room of this.rooms.all()) {
      for (const participant of room.participants) {
        if (participant.contact === contact) void participant.end('lost');
      }
    }
  }

  /** Who is no user any more leaves his rooms; who is disabled is put out of them. */
  async sweepUsers(known: ReadonlyMap<string, { readonly disabled: boolean }>): Promise<void> {
    const gone = new Set<string>();
    for (const room of this.rooms.all()) {
      for (const user of room.members.keys()) {
        const one = known.get(user);
        if (one === undefined) gone.add(user);
        if (one?.disabled !== true) continue;
        for (const participant of room.participants)
          if (participant.user === user) void participant.end('cut');
      }
    }
    for (const user of gone) await this.rooms.forget(user);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }

  async #receiveNickname(participant: RoomParticipant, nickname: string, clock: Clock): Promise<number> {
    const { nicknameTimes, room, user } = participant;
    const nowMs = clock.now();
    while ((nicknameTimes[0] ?? nowMs) < nowMs - 60_000) nicknameTimes.shift();
    if (nicknameTimes.length >= this.rooms.limits.nicknamesPerMinute) return 403;
    nicknameTimes.push(nowMs);
    return this.rooms.setNickname(room, user, nickname);
  }

  async #endAll(): Promise<void> {
    const all = [...this.rooms.all()].flatMap(({ participants }) => [...participants]);
    await Promise.all(all.map((participant) => participant.end()));
  }
}

function limitsOf({ rooms }: ServerConfig, replaced: Partial<RoomLimits> = {}): RoomLimits {
  return {
    ...ROOM_LIMITS,
    maxRoomsPerUser: rooms.perUser,
    maxMembers: rooms.members,
    maxNameChars: rooms.nameLength,
    maxNicknameChars: rooms.nicknameLength,
    maxMessageBytes: rooms.messageBytes,
    maxKeptMessages: rooms.historyMessages,
    keptDays: rooms.historyDays,
    ...replaced,
  };
}

function endpointLimits(limits: RoomLimits): Partial<typeof MSRP_LIMITS> {
  const { maxUnsettledMessages, maxUnsettledBytes, maxOpenMessages, maxOpenBytes } = limits;
  const { maxConnections, maxConnectionsPerAddress } = limits;
  return {
    ...{ maxUnsettledMessages, maxUnsettledBytes, maxOpenMessages, maxOpenBytes },
    ...{ maxConnections, maxConnectionsPerAddress },
  } as Partial<typeof MSRP_LIMITS>;
}
