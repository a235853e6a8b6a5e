/**
 * Owns: the MSRP relay of the server (RFC 4976): its listener, its connections, who is cut off.
 * Called by: imserver.ts. Calls: msrp/listener.ts, msrp/dialer.ts, relay-link.ts, relay-admission.ts.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import { Lifetime } from '../base/lifetime.ts';
import { MSRP_LIMITS, RELAY_LIMITS, type MsrpLimits, type RelayLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { MSRP_NETWORK_LIMITS } from '../base/msrp-network-limits.ts';
import type { WireTap } from '../base/wire-tap.ts';
import { MsrpConnection } from '../msrp/connection.ts';
import { dialMsrpPeer } from '../msrp/dialer.ts';
import { MsrpListener } from '../msrp/listener.ts';
import { MsrpSessionError } from '../msrp/session-error.ts';
import { MsrpTls } from '../msrp/tls-context.ts';
import type { MsrpIdentity } from '../msrp/tls-identity.ts';
import type { MsrpUri } from '../msrp/uri.ts';
import { isAnyAddress, isInnerAddress } from './inner-address.ts';
import type { PasswordCheck } from './password-check.ts';
import { RelayAdmission } from './relay-admission.ts';
import { RelayLink, type RelayHost, type RelayStats } from './relay-link.ts';
import { RelayPlaces, type RelayPlace } from './relay-place.ts';
import type { Users } from './users.ts';

export interface MsrpRelayOptions {
  readonly passwords: PasswordCheck;
  readonly users: Users;
  readonly log: Log;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** What stands in the paths that it gives away; default: the address at which a client has come. */
  readonly name?: string | undefined;
  /** Whether clients may come without TLS as well. */
  readonly plain: boolean;
  /** What it shows; without one it makes its own. */
  readonly identity?: MsrpIdentity | undefined;
  /** Authorities as PEM text that are trusted for further relays, beside those of the system. */
  readonly ca?: readonly string[];
  readonly clock?: Clock;
  readonly tap?: WireTap | undefined;
  readonly limits?: Partial<RelayLimits>;
  readonly msrpLimits?: Partial<MsrpLimits>;
}

/** A running relay. */
export class MsrpRelay implements RelayHost, AsyncDisposable {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: RelayLimits;
  readonly msrpLimits: MsrpLimits;
  readonly places: RelayPlaces;
  readonly admission: RelayAdmission;
  readonly stats: RelayStats = { relayBytes: 0, messages: 0, refused: 0, failureReports: 0 };
  queuedBytes = 0;
  #options: MsrpRelayOptions;
  #listener: MsrpListener | undefined;
  readonly #tls: MsrpTls;
  readonly #lifetime = new Lifetime();
  readonly #links = new Set<RelayLink>();
  #sweeper: Timer | undefined;
  #port = 0;
  /** No new places are given away. */
  draining = false;

  private constructor(options: MsrpRelayOptions) {
    this.#options = options;
    this.clock = options.clock ?? systemClock;
    this.log = options.log;
    this.limits = { ...RELAY_LIMITS, ...options.limits };
    const { maxChunkBytes, maxConnections, maxConnectionsPerAddress } = this.limits;
    this.msrpLimits = {
      ...MSRP_LIMITS,
      maxChunkBytes,
      maxConnections,
      maxConnectionsPerAddress,
      ...options.msrpLimits,
    };
    this.#tls = new MsrpTls(options.ca, options.identity);
    this.places = new RelayPlaces(this.limits, this.clock);
    this.admission = new RelayAdmission({
      passwords: options.passwords,
      places: this.places,
      limits: this.limits,
      log: this.log,
      addressFor: (link) => this.#addressFor(link),
      isDraining: () => this.draining,
      receiveExpired: (place) => this.#cut(place, 'expired'),
    });
  }

  /** Listens. Rejects with the system's error. */
  static async start(options: MsrpRelayOptions): Promise<MsrpRelay> {
    const relay = new MsrpRelay(options);
    try {
      await relay.#listen();
      return relay;
    } catch (error) {
      await relay[Symbol.asyncDispose]();
      throw error;
    }
  }

  get port(): number {
    return this.#port;
  }

  /** As one writes it into settings, on its own computer. */
  get uris(): readonly string[] {
    const { name, host, plain } = this.#options;
    const place = `${bracketed(name ?? host)}:${this.#port}`;
    return [`msrps://${place}`, ...(plain ? [`msrp://${place}`] : [])];
  }

  /** What devices are told at their registration. */
  async announcement(): Promise<string> {
    const { name, host } = this.#options;
    const { fingerprint } = await this.#tls.identity();
    return `msrps://${bracketed(name ?? host)}:${this.#port};tcp fingerprint="${fingerprint}"`;
  }

  get connectionCount(): number {
    return this.#links.size;
  }

  /** Ways of sessions, one for each direction. */
  get streamCount(): number {
    let count = 0;
    for (const link of this.#links) for (const _ of link.streams) count++;
    return count;
  }

  /** Another name, certificate or rule, for whoever comes from now on. Rejects when certificate and key do not fit. */
  async renew(change: Pick<MsrpRelayOptions, 'name' | 'plain' | 'identity'>): Promise<void> {
    this.#options = { ...this.#options, ...change };
    if (change.identity !== undefined) this.#tls.renew(change.identity);
    await this.#listener?.renewTls();
  }

  /** A user is not one any more: his connections are cut. */
  forget(user: string): void {
    for (const place of this.places.ofUser(user)) this.#cut(place, 'forgotten');
  }

  /** Who has been removed or disabled is cut off; what nobody has used for long is forgotten. */
  async sweep(): Promise<void> {
    const known = await this.#options.users.list();
    for (const user of this.places.users()) if (known.get(user)?.disabled !== false) this.forget(user);
    const since = this.clock.monotonicUs() - this.limits.streamIdleMs * 1_000;
    for (const link of this.#links) {
      for (const stream of [...link.streams]) if (!stream.isUsedSince(since)) stream.end(481);
    }
    for (const user of this.places.users()) {
      for (const place of this.places.ofUser(user)) await this.#closeIdleHops(place);
    }
  }

  receiveLinkEnd(link: RelayLink): void {
    this.#links.delete(link);
    for (const place of [...link.places]) this.places.remove(place);
  }

  openNextHop(place: RelayPlace, path: readonly MsrpUri[]): Promise<RelayLink> {
    const [uri] = path;
    if (uri === undefined) return Promise.reject(new MsrpSessionError('MSRP_UNSUPPORTED_URI', 'no next hop'));
    // A further relay has to prove who it is; who a person is, his SDP says, which the relay does not see.
    const isRelay = path.length > 1;
    const key = `${uri.scheme} ${uri.host} ${uri.port ?? ''} ${isRelay}`;
    const known = place.nextHops.get(key);
    if (known !== undefined) return known;
    if (place.nextHops.size >= this.limits.maxNextHopsPerPlace) {
      return Promise.reject(new MsrpSessionError('MSRP_TOO_MANY_HOPS', 'too many next hops'));
    }
    const hop = this.#dial(uri, isRelay);
    place.nextHops.set(key, hop);
    const forget = () => {
      if (place.nextHops.get(key) === hop) place.nextHops.delete(key);
    };
    hop.then((link) => void link.connection.closed.then(forget), forget);
    return hop;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sweeper?.[Symbol.dispose]();
    await this.#lifetime[Symbol.asyncDispose]();
  }

  async #listen(): Promise<void> {
    const { maxHandshakes, maxHandshakesPerAddress } = this.limits;
    const listener = this.#lifetime.own(
      new MsrpListener({
        clock: this.clock,
        limits: { ...MSRP_NETWORK_LIMITS, ...this.msrpLimits, maxHandshakes, maxHandshakesPerAddress },
        tls: () => this.#tls.listening(),
        receiveSocket: (socket) => {
          if (this.#lifetime.ended || (!this.#options.plain && !isSecure(socket))) socket.destroy();
          else this.#open(socket, true);
        },
      }),
    );
    this.#listener = listener;
    this.#lifetime.defer(() => this.#closeLinks());
    const { port } = await listener.listen({ host: this.#options.host, port: this.#options.port });
    this.#port = port;
    this.#sweepLater();
  }

  async #closeLinks(): Promise<void> {
    this.places[Symbol.dispose]();
    await Promise.all([...this.#links].map((link) => link.connection[Symbol.asyncDispose]()));
  }

  #open(socket: Socket | TLSSocket, inbound: boolean): RelayLink {
    const link = new RelayLink(this);
    const connection = new MsrpConnection(socket, {
      receiver: link,
      clock: this.clock,
      limits: this.msrpLimits,
      tap: this.#options.tap,
      inbound,
      security: isSecure(socket) ? { certificate: undefined } : undefined,
    });
    link.attach(connection);
    this.#links.add(link);
    return link;
  }

  async #dial(uri: MsrpUri, isRelay: boolean): Promise<RelayLink> {
    // Users shall not look around behind the walls that the server stands behind.
    const { host } = this.#options;
    const isOpen = isInnerAddress(host) && !isAnyAddress(host);
    if (!isOpen && isInnerAddress(uri.host))
      throw new MsrpSessionError('MSRP_FORBIDDEN_HOP', `${uri.host} is not to be reached`);
    const tls =
      uri.scheme === 'msrp'
        ? undefined
        : isRelay
          ? { context: this.#tls.authorities(), trust: { kind: 'authority' } as const }
          : {
              context: await this.#tls.direct(),
              trust: { kind: 'fingerprint', announced: [] } as const,
            };
    const socket = await dialMsrpPeer(uri, {
      clock: this.clock,
      timeoutMs: this.msrpLimits.connectTimeoutMs,
      preferredLocalHost: '',
      signal: this.#lifetime.signal,
      ...(tls === undefined ? {} : { tls }),
    });
    if (!isOpen && isInnerAddress(socket.remoteAddress ?? '')) {
      socket.destroy();
      throw new MsrpSessionError('MSRP_FORBIDDEN_HOP', `${uri.host} is not to be reached`);
    }
    return this.#open(socket, false);
  }

  #addressFor(link: RelayLink): { scheme: 'msrp' | 'msrps'; host: string; port: number } {
    const { connection } = link;
    const local = connection.local.slice(0, connection.local.lastIndexOf(':'));
    return {
      scheme: connection.security === undefined ? 'msrp' : 'msrps',
      host: this.#options.name ?? local.replace(/^::ffff:/, ''),
      port: this.#port,
    };
  }

  #cut(place: RelayPlace, why: 'expired' | 'forgotten'): void {
    this.log.info('relay.place.ended', { user: place.user, why });
    this.places.remove(place);
    if (place.link.places.size === 0) place.link.close();
  }

  async #closeIdleHops(place: RelayPlace): Promise<void> {
    for (const hop of [...place.nextHops.values()]) {
      const link = await hop.catch(() => undefined);
      if (link?.isIdle === true) link.close();
    }
  }

  #sweepLater(): void {
    this.#sweeper = this.clock.startTimer(this.limits.sweepMs, () => {
      this.sweep()
        .catch((error: unknown) => this.log.error('relay.sweep.failed', { error }))
        .finally(() => {
          if (!this.#lifetime.ended) this.#sweepLater();
        });
    });
  }
}

function isSecure(socket: Socket | TLSSocket): boolean {
  return 'encrypted' in socket;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
