/**
 * Owns: one IM Server: builds its parts, starts and stops them.
 * Called by: main.ts (alone), hosts (embedded). Calls: registrar.ts, b2bua.ts, deferred-messages.ts, sip/embedded-agent.ts.
 */
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Lifetime } from '../base/lifetime.ts';
import { IMSERVER_LIMITS, type ImServerLimits, type RelayLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { WireTap } from '../base/wire-tap.ts';
import { openEmbeddedAgent } from '../sip/embedded-agent.ts';
import type { SipAgent } from '../sip/agent/agent.ts';
import { hostOfAddress } from '../sip/uri.ts';
import { StoreThread } from '../store/store-thread.ts';
import type { ImServerProcedures } from '../store/imserver-tables.ts';
import { B2bua } from './b2bua.ts';
import { Credentials } from './credentials.ts';
import { DeferredMessages } from './deferred-messages.ts';
import type { MsrpRelay } from './msrp-relay.ts';
import { Registrar } from './registrar.ts';
import { startRelay } from './relay-start.ts';
import { readCertificate, type ServerConfig } from './server-config.ts';
import { UserFile } from './user-file.ts';

export interface ImServerOptions {
  readonly config: ServerConfig;
  readonly log: Log;
  readonly tap?: WireTap;
  /** A user has come, or has signed off. */
  readonly receivePresence?: () => void;
  /** Replaces single ceilings and timers of `IMSERVER_LIMITS`. */
  readonly limits?: Partial<ImServerLimits>;
  readonly relayLimits?: Partial<RelayLimits>;
  /** Time of registrations, nonces and messages that wait; sockets have the system's. */
  readonly clock?: Clock;
}

/** A running IM Server. */
export class ImServer implements AsyncDisposable {
  readonly domain: string;
  readonly users: UserFile;
  readonly registrar: Registrar;
  /** Undefined when the configuration has none. */
  readonly relay: MsrpRelay | undefined;
  readonly #host: string;
  readonly #port: number;
  readonly #tlsPort: number | undefined;
  readonly #b2bua: B2bua;
  readonly #lifetime: Lifetime;

  private constructor(
    config: ServerConfig,
    ports: { port: number; tlsPort: number | undefined },
    parts: { users: UserFile; registrar: Registrar; b2bua: B2bua; relay: MsrpRelay | undefined },
    lifetime: Lifetime,
  ) {
    this.domain = config.domain;
    this.users = parts.users;
    this.registrar = parts.registrar;
    this.relay = parts.relay;
    this.#b2bua = parts.b2bua;
    this.#host = config.host;
    this.#port = ports.port;
    this.#tlsPort = ports.tlsPort;
    this.#lifetime = lifetime;
  }

  /** Opens and listens. Rejects when the port is taken or the data folder cannot be used. */
  static async start(options: ImServerOptions): Promise<ImServer> {
    const { config, log } = options;
    const limits = { ...IMSERVER_LIMITS, ...options.limits };
    const timing = { limits, ...(options.clock ? { clock: options.clock } : {}) };
    const lifetime = new Lifetime();
    try {
      await mkdir(config.data, { recursive: true, mode: 0o700 });
      const store = lifetime.own(
        await StoreThread.open<ImServerProcedures>(
          { kind: 'imserver', path: join(config.data, 'imserver.sqlite') },
          log,
        ),
      );
      const users = new UserFile(config.data, config.domain);
      const credentials = new Credentials({
        users,
        realm: config.domain,
        algorithms: config.digest,
        ...timing,
      });
      const certificate = config.tls ? await readCertificate(config.tls) : undefined;
      const relay = await startRelay({ ...options, certificate, passwords: credentials.passwords, users });
      if (relay !== undefined) lifetime.own(relay.relay);
      const registrar = new Registrar({
        credentials,
        relay: relay?.announcement,
        store,
        log,
        ...timing,
        receivePresent: (user) => {
          deferred.receivePresent(user);
        },
        receiveGone: (contact) => {
          b2bua.receiveGone(contact);
        },
        receiveChange: () => {
          options.receivePresence?.();
        },
      });
      await registrar.load();
      const { agent, port, tlsPort } = await openEmbeddedAgent(
        {
          runFolder: runFolderOf(config.data),
          host: config.host,
          port: config.port,
          log,
          ...(config.tls && certificate ? { tls: certificate, tlsPort: config.tls.port } : {}),
          ...(options.tap ? { tap: options.tap } : {}),
        },
        lifetime,
      );
      const shared = { agent, credentials, registrar, users, domain: config.domain, log, ...timing };
      const deferred = lifetime.own(new DeferredMessages({ ...shared, store }));
      const b2bua = lifetime.own(new B2bua({ ...shared, deferred }));
      serve(agent, registrar, b2bua, deferred);
      // Whoever was there before a restart need not say so again.
      for (const user of registrar.usersOnline()) deferred.receivePresent(user);
      log.info('imserver.started', { domain: config.domain, host: config.host, port });
      return new ImServer(
        config,
        { port, tlsPort },
        { users, registrar, b2bua, relay: relay?.relay },
        lifetime,
      );
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
    return this.#b2bua.sessionCount;
  }

  /** SIP URIs of the server, as its own computer would write them. */
  get sip(): readonly string[] {
    const host = hostOfAddress(this.#host);
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }
}

function serve(agent: SipAgent, registrar: Registrar, b2bua: B2bua, deferred: DeferredMessages): void {
  agent.handle('REGISTER', (request) => registrar.receiveRegister(request));
  agent.handle('INVITE', (request) => b2bua.receiveInvite(request));
  agent.handle('MESSAGE', (request) => deferred.receiveMessage(request));
  agent.handle('OPTIONS', async (request) => {
    await request.respond(200, {
      headers: { Allow: 'INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER, MESSAGE', Accept: 'application/sdp' },
    });
  });
}

/** A Unix socket's path has to fit into 104 bytes on every system. */
function runFolderOf(data: string): string {
  const inside = join(data, 'run');
  if (inside.length <= 70) return inside;
  return join(process.env['XDG_RUNTIME_DIR'] ?? tmpdir(), `parley-${randomBytes(4).toString('hex')}`);
}
