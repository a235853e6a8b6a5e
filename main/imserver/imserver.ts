/**
 * Owns: one IM Server: builds its parts, starts and stops them.
 * Called by: main.ts (alone), hosts (embedded). Calls: registrar.ts, b2bua.ts, deferred-messages.ts, sip/embedded-agent.ts.
 */
import { mkdir } from 'node:fs/promises';
import { systemClock, type Clock } from '../base/clock.ts';
import { EVENT_LIMITS, type EventLimits } from '../base/event-limits.ts';
import { Lifetime } from '../base/lifetime.ts';
import type { CopyLimits } from '../base/copy-limits.ts';
import type { KeptFileLimits } from '../base/file-limits.ts';
import { IMSERVER_LIMITS, type ImServerLimits, type RelayLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { PresenceLimits } from '../base/presence-limits.ts';
import type { WireTap } from '../base/wire-tap.ts';
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import { openServerAgent, type ServerAgent } from './server-agent.ts';
import type { SipAgent } from '../sip/agent/agent.ts';
import { hostOfAddress } from '../sip/uri.ts';
import { StoreError } from '../store/database.ts';
import type { StoreNews } from '../store/server-store.ts';
import type { RoomLimits } from '../base/room-limits.ts';
import { ChatRooms } from './rooms/chat-rooms.ts';
import { B2bua } from './b2bua.ts';
import { ContactRulesBook } from './contact-rules-book.ts';
import { Credentials } from './credentials.ts';
import { DeferredMessages } from './deferred-messages.ts';
import { ExpiredMessages } from './expired-messages.ts';
import { DeviceCopies } from './device-copies.ts';
import { openStorage, type ImServerStore } from './imserver-store.ts';
import { FileDesk } from './file-desk.ts';
import { KeptFiles } from './kept-files.ts';
import type { MsrpRelay } from './msrp-relay.ts';
import { OrphanedSubscriptions } from './orphaned-subscriptions.ts';
import { PresenceServer } from './presence-server.ts';
import { Registrar } from './registrar.ts';
import { readIdentity, startRelay } from './relay-start.ts';
import { ServerMetrics } from './metrics.ts';
import { compareConfigs, type ReloadOutcome } from './imserver-reload.ts';
import type { PasswordCheck } from './password-check.ts';
import { TalkPolicy } from './talk-policy.ts';
import { ConfigError, readCertificate, type ServerConfig } from './server-config.ts';
import type { Users } from './users.ts';

export interface ImServerOptions {
  readonly config: ServerConfig;
  readonly log: Log;
  readonly tap?: WireTap;
  /** A user has come, or has signed off. */
  readonly receivePresence?: () => void;
  /** Replaces single ceilings and timers of `IMSERVER_LIMITS`. */
  readonly limits?: Partial<ImServerLimits>;
  readonly relayLimits?: Partial<RelayLimits>;
  readonly roomLimits?: Partial<RoomLimits>;
  readonly presenceLimits?: Partial<PresenceLimits>;
  readonly copyLimits?: Partial<CopyLimits>;
  readonly fileLimits?: Partial<KeptFileLimits>;
  readonly eventLimits?: Partial<EventLimits>;
  /** DNS servers, `address:port`; those of the machine unless given. */
  readonly dnsServers?: readonly string[];
  /** Time of registrations, nonces and messages that wait; sockets have the system's. */
  readonly clock?: Clock;
}

interface Parts {
  readonly users: Users;
  readonly passwords: PasswordCheck;
  readonly registrar: Registrar;
  readonly b2bua: B2bua;
  readonly presence: PresenceServer;
  readonly relay: MsrpRelay | undefined;
  readonly rooms: ChatRooms | undefined;
  readonly metrics: ServerMetrics;
  readonly store: ImServerStore;
  readonly network: ServerAgent;
  readonly announcement: { text: string | undefined };
  /** The configuration as it counts now. */
  readonly live: { config: ServerConfig };
}

/** A running IM Server. */
export class ImServer implements AsyncDisposable {
  readonly domain: string;
  readonly users: Users;
  readonly passwords: PasswordCheck;
  readonly registrar: Registrar;
  readonly metrics: ServerMetrics;
  /** Undefined when the configuration has none. */
  readonly relay: MsrpRelay | undefined;
  /** Undefined when the configuration has none. */
  readonly rooms: ChatRooms | undefined;
  readonly #port: number;
  readonly #tlsPort: number | undefined;
  readonly #parts: Parts;
  readonly #lifetime: Lifetime;

  private constructor(
    config: ServerConfig,
    ports: { port: number; tlsPort: number | undefined },
    parts: Parts,
    lifetime: Lifetime,
  ) {
    this.domain = config.domain;
    this.users = parts.users;
    this.passwords = parts.passwords;
    this.registrar = parts.registrar;
    this.metrics = parts.metrics;
    this.relay = parts.relay;
    this.rooms = parts.rooms;
    this.#parts = parts;
    this.#port = ports.port;
    this.#tlsPort = ports.tlsPort;
    this.#lifetime = lifetime;
  }

  /** Opens and listens. Rejects when the port is taken or the data folder cannot be used. */
  static async start(options: ImServerOptions): Promise<ImServer> {
    const { config, log } = options;
    const limits = { ...IMSERVER_LIMITS, ...options.limits };
    const clocked = options.clock ? { clock: options.clock } : {};
    const timing = { limits, ...clocked };
    const lifetime = new Lifetime();
    try {
      await mkdir(config.data, { recursive: true, mode: 0o700 });
      const { store, users, renewUsers } = await openStorage(config, log);
      lifetime.own(store);
      const live = { config };
      const credentials = new Credentials({
        users,
        realm: config.domain,
        algorithms: config.digest,
        secret: store.secret,
        fronts: () => live.config.trustedFronts,
        ...timing,
      });
      const { passwords } = credentials;
      const certificate = config.tls ? await readCertificate(config.tls) : undefined;
      const relay = await startRelay({ ...options, certificate, passwords, users });
      if (relay !== undefined) lifetime.own(relay);
      const announcement = { text: await relay?.announcement() };
      const registrar = new Registrar({
        credentials,
        relay: () => announcement.text,
        roomFactory: () => (config.rooms.enabled && config.rooms.create ? rooms?.factory : undefined),
        store,
        log,
        ...timing,
        receiveDevice: (user, contact) => copies.receiveDevice(user, contact),
        receivePresent: (user) => {
          deferred.receivePresent(user);
          copies.receivePresent(user);
          rooms?.calls.receivePresent(user);
        },
        receiveGone: (contact) => {
          b2bua.receiveGone(contact);
          rooms?.receiveGone(contact);
        },
        receiveLeft: (source, user) => {
          presence.receiveLeft(source, user);
        },
        receiveChange: (user) => {
          presence.receiveChange(user);
          options.receivePresence?.();
        },
        receiveDevices: (user) => {
          presence.receiveDevices(user);
        },
        // Its own node calls it into its rooms; what waits may have been stored here a moment ago.
        receiveElsewhere: (user) => {
          deferred.receivePresent(user);
          copies.receivePresent(user);
        },
      });
      lifetime.own(registrar);
      const network = await openServerAgent(
        { config, certificate, log, tap: options.tap, dnsServers: options.dnsServers },
        lifetime,
      );
      const { agent, port, tlsPort } = network;
      const metrics = new ServerMetrics();
      const { domain } = config;
      const rules = new ContactRulesBook({ store, log, ...(options.clock ? { clock: options.clock } : {}) });
      const policy = new TalkPolicy({
        ...{ domain, credentials },
        domains: () => live.config.policy.domains,
        addressesOf: (name) => network.addressesOf(name),
      });
      const shared = { agent, credentials, registrar, users, rules, policy, domain, metrics, log, ...timing };
      const waysTo = (user: string) => registrar.waysTo(user);
      const copies: DeviceCopies = lifetime.own(
        new DeviceCopies({
          ...{ agent, store, domain, log, waysTo },
          limits: options.copyLimits,
          ...clocked,
        }),
      );
      const deferred = lifetime.own(new DeferredMessages({ ...shared, store, copies, files: () => files }));
      lifetime.own(new ExpiredMessages({ ...shared, store, sendReport: (report) => deferred.pass(report) }));
      const b2bua = lifetime.own(new B2bua({ ...shared, deferred, files: () => files }));
      const presence = lifetime.own(
        new PresenceServer({
          ...shared,
          store,
          ...(options.presenceLimits ? { presenceLimits: options.presenceLimits } : {}),
          ...(options.eventLimits ? { eventLimits: options.eventLimits } : {}),
          permission: () => live.config.presence.permission,
        }),
      );
      const addressToward = (remote: string) => network.addressToward(remote);
      const desk = mayKeepFiles(config)
        ? lifetime.own(
            await FileDesk.open({
              config,
              store,
              log,
              addressToward,
              limits: options.fileLimits,
              ...clocked,
            }),
          )
        : undefined;
      const rooms: ChatRooms | undefined = config.rooms.enabled
        ? lifetime.own(
            await ChatRooms.open({
              ...{ agent, config, credentials, registrar, rules, users, store, desk, log, addressToward },
              limits: options.roomLimits,
              tap: options.tap,
              ...clocked,
            }),
          )
        : undefined;
      const files: KeptFiles | undefined =
        desk &&
        (await KeptFiles.open({
          ...{ agent, config, store, desk, log },
          receiveKept: (user) => {
            if (registrar.isOnline(user)) deferred.receivePresent(user);
          },
          sendReport: (report) => void deferred.pass(report),
          deviceCount: (user) => registrar.waysTo(user).length,
        }));
      if (store.shared !== undefined) {
        const limits = { ...EVENT_LIMITS, ...options.eventLimits };
        lifetime.own(
          new OrphanedSubscriptions({ ...{ agent, log, limits, ...clocked }, things: store.shared.things }),
        );
      }
      if (rooms !== undefined) presence.notifier.add(rooms.events);
      const parts = {
        ...{ users, passwords, registrar, b2bua, presence, relay, rooms, metrics },
        ...{ store, network, announcement, live },
      };
      const server = new ImServer(config, { port, tlsPort }, parts, lifetime);
      lifetime.defer(
        store.onNews((news) => {
          server.#receiveNews(news, renewUsers, log);
        }),
      );
      await registrar.load();
      await presence.load();
      const focusOf = async ({ message }: AgentServerRequest) => {
        await rooms?.seek(message.uri);
        return rooms?.focus.owns(message.uri) === true ? rooms.focus : undefined;
      };
      serve(
        agent,
        { metrics, presence, focusOf },
        {
          REGISTER: (request) => registrar.receiveRegister(request),
          SUBSCRIBE: async (request) => {
            await rooms?.seek(request.message.uri);
            await presence.notifier.receiveSubscribe(request);
          },
          PUBLISH: (request) => presence.publish.receivePublish(request),
          INVITE: async (request) =>
            (await focusOf(request))?.receiveInvite(request) ?? b2bua.receiveInvite(request),
          MESSAGE: async (request) =>
            (await focusOf(request))?.receiveMessage(request) ?? deferred.receiveMessage(request),
          REFER: async (request) => (await focusOf(request))?.receiveRefer(request) ?? refuseRefer(request),
        },
      );
      agent.releaseRequests();
      // Whoever was there before a restart need not say so again.
      for (const user of registrar.usersOnline()) {
        deferred.receivePresent(user);
        copies.receivePresent(user);
        rooms?.calls.receivePresent(user);
      }
      log.info('imserver.started', { domain, host: config.host, port, relayPort: relay?.port });
      server.#sweepRegularly(options.clock ?? systemClock, limits.userSweepMs, log);
      return server;
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  get port(): number {
    return this.#port;
  }

  /** Undefined when no certificate is configured. */
  get tlsPort(): number | undefined {
    return this.#tlsPort;
  }

  get sessionCount(): number {
    return this.#parts.b2bua.sessionCount;
  }

  /** SIP URIs of the server, as its own computer would write them. */
  get sip(): readonly string[] {
    const host = hostOfAddress(this.#parts.live.config.host);
    return [
      `sip:${host}:${this.#port};transport=udp`,
      `sip:${host}:${this.#port};transport=tcp`,
      ...(this.#tlsPort === undefined ? [] : [`sip:${host}:${this.#tlsPort};transport=tls`]),
    ];
  }

  /** The relay as one writes it into settings; empty without one. */
  get relays(): readonly string[] {
    const { relay } = this;
    return relay === undefined ? [] : relay.uris;
  }

  /** What there is now, oldest first. */
  sessions(): ReturnType<B2bua['sessions']> {
    return this.#parts.b2bua.sessions();
  }

  /** Whether other nodes use the same store. */
  get isShared(): boolean {
    return this.#parts.store.isShared;
  }

  /** Messages that wait for their recipients. Rejects with StoreError. */
  deferredCount(): Promise<number> {
    return this.#parts.store.call('countDeferred', undefined);
  }

  /** Presence as others see it, subscriptions and publications. */
  get presence(): PresenceServer {
    return this.#parts.presence;
  }

  /** No new sessions and no new places at the relay; what there is goes on. */
  get draining(): boolean {
    return this.#parts.b2bua.draining;
  }

  set draining(draining: boolean) {
    this.#parts.b2bua.draining = draining;
    if (this.relay !== undefined) this.relay.draining = draining;
    if (this.rooms !== undefined) this.rooms.draining = draining;
  }

  /** Whoever was removed or disabled is signed off, his sessions end, his places at the relay are taken. */
  async sweepUsers(): Promise<void> {
    const known = await this.users.list();
    for (const user of this.registrar.usersOnline()) {
      if (known.get(user)?.disabled !== false) await this.registrar.forget(user);
    }
    await this.relay?.sweep();
    await this.rooms?.sweepUsers(known);
  }

  /** Takes up what can change while people are connected. Rejects with ConfigError; then nothing has changed. */
  async reload(config: ServerConfig): Promise<ReloadOutcome> {
    const before = this.#parts.live.config;
    const outcome = compareConfigs(before, config);
    const certificate = config.tls && before.tls ? await readCertificate(config.tls) : undefined;
    const identity = await readIdentity(config, certificate);
    const { name, plain, cert, key } = config.relay;
    try {
      if (certificate !== undefined) this.#parts.network.renewTls(certificate);
      await this.relay?.renew({ name, plain, identity });
    } catch (error) {
      throw new ConfigError(`tls: ${(error as Error).message}`);
    }
    this.passwords.renew(config.digest);
    this.#parts.announcement.text = await this.relay?.announcement();
    this.#parts.live.config = {
      ...before,
      digest: config.digest,
      log: config.log,
      presence: config.presence,
      policy: config.policy,
      trustedFronts: config.trustedFronts,
      relay: { ...before.relay, name, plain, cert, key },
      ...(config.tls && before.tls ? { tls: { ...config.tls, port: before.tls.port } } : {}),
    };
    return outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }

  /** Another node has changed something. */
  #receiveNews(news: StoreNews, renewUsers: () => Promise<void>, log: Log): void {
    const { kind } = news;
    if (kind === 'bindings') this.registrar.receiveNews(news.user);
    else if (kind === 'everything') this.registrar.receiveNews();
    if (kind === 'users' || kind === 'everything') {
      renewUsers()
        .then(() => this.sweepUsers())
        .catch((error: unknown) => log.warn('imserver.users.not-renewed', { error }));
    }
    this.#parts.presence.receiveNews(news);
    this.rooms?.receiveNews(news);
  }

  #sweepRegularly(clock: Clock, everyMs: number, log: Log): void {
    const sweep = (): void => {
      this.sweepUsers()
        .catch((error: unknown) => log.error('imserver.sweep.failed', { error }))
        .finally(() => {
          if (!this.#lifetime.ended) timer = clock.startTimer(everyMs, sweep);
        });
    };
    let timer = clock.startTimer(everyMs, sweep);
    this.#lifetime.defer(() => timer[Symbol.dispose]());
  }
}

const ALLOWED = 'INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER, MESSAGE, SUBSCRIBE, PUBLISH, REFER';

type Handler = (request: AgentServerRequest) => Promise<void>;

function serve(
  agent: SipAgent,
  {
    metrics,
    presence,
    focusOf,
  }: Pick<Parts, 'metrics' | 'presence'> & {
    readonly focusOf: (request: AgentServerRequest) => Promise<ChatRooms['focus'] | undefined>;
  },
  handlers: Readonly<Record<string, Handler>>,
): void {
  for (const [method, handler] of Object.entries(handlers)) {
    agent.handle(method, async (request) => {
      const began = performance.now();
      try {
        await handler(request);
      } catch (error) {
        // What cannot be stored is not accepted: whoever has it keeps it, and comes again.
        if (!(error instanceof StoreError) || request.answered) throw error;
        const later = { 'Retry-After': String(IMSERVER_LIMITS.storeRetryAfterS) };
        await request.respond(503, { reason: 'It cannot be stored now', headers: later });
      } finally {
        metrics.observeRequest(method, (performance.now() - began) / 1_000);
      }
    });
  }
  agent.handle('OPTIONS', async (request) => {
    const focus = await focusOf(request);
    if (focus !== undefined) return focus.receiveOptions(request);
    await request.respond(200, {
      headers: {
        Allow: ALLOWED,
        Accept: 'application/sdp',
        'Allow-Events': presence.notifier.events.join(', '),
      },
    });
  });
}

/** A file that one node keeps has to be there for the others. */
function mayKeepFiles({ files, storage }: ServerConfig): boolean {
  return files.enabled && (storage.engine === 'sqlite' || files.folder !== undefined);
}

/** Nobody else is referred anywhere. */
async function refuseRefer(request: AgentServerRequest): Promise<void> {
  await request.respond(405, { headers: { Allow: ALLOWED } });
}
