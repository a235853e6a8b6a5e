/**
 * Owns: from a URI to the hops that serve it, in the order in which they are tried (RFC 3263 §4.1, §4.2).
 * Called by: next-hops.ts, dialog-requests.ts. Calls: dns-client.ts, dns-cache.ts, srv-order.ts, node:dns (hosts file).
 */
import { lookup } from 'node:dns/promises';
import { monotonicMs, type Clock } from '../../base/clock.ts';
import { SIP_NETWORK_LIMITS } from '../../base/limits.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import { addressOfHost, isNumericHost, type SipUri } from '../uri.ts';
import { DnsCache } from './dns-cache.ts';
import { DnsClient, type DnsData, type DnsReply, type DnsType } from './dns-client.ts';
import type { Soon } from './soon.ts';
import { orderSrv } from './srv-order.ts';
import { interleave } from './stream-dialer.ts';
import type { Hop, TransportName } from './transport.ts';
import { Unreachable } from './unreachable.ts';

/** What NAPTR calls our transports (RFC 3263 §4.1). */
const SERVICES: Readonly<Partial<Record<string, TransportName>>> = {
  'SIP+D2U': 'udp',
  'SIP+D2T': 'tcp',
  'SIPS+D2T': 'tls',
};
const SRV_PREFIX: Readonly<Record<TransportName, string>> = {
  udp: '_sip._udp.',
  tcp: '_sip._tcp.',
  tls: '_sips._tcp.',
};
/** Without NAPTR any transport may be chosen that has SRV records (RFC 3263 §4.1): UDP as everybody does. */
const SRV_ORDER: readonly TransportName[] = ['udp', 'tcp', 'tls'];

/** 5060, over TLS 5061 (RFC 3261 §19.1.2). */
export function defaultPortOf(transport: TransportName): number {
  return transport === 'tls' ? 5_061 : 5_060;
}

/**
 * The transport that a URI names, `undefined` when it leaves the choice to DNS.
 * @throws ProtocolError 416 for `tel`, `SIP_TRANSPORT` for a transport that we do not have.
 */
function namedTransport(uri: SipUri): TransportName | undefined {
  if (uri.scheme === 'tel') throw new ProtocolError('SIP_URI_SCHEME', 416, 'no transport for tel:');
  const name = uri.params.get('transport')?.toLowerCase();
  if (name === undefined || name === '') return undefined;
  if (name !== 'udp' && name !== 'tcp' && name !== 'tls') {
    throw new ProtocolError('SIP_TRANSPORT', 503, `no transport ${name}`);
  }
  if (uri.scheme === 'sip') return name;
  // RFC 3261 §26.2.2: sips means TLS on the hop; over UDP there is none.
  if (name === 'udp') throw new ProtocolError('SIP_TRANSPORT', 503, 'sips: over UDP');
  return 'tls';
}

/** A name that is never asked of DNS: of this machine, or of its hosts file. */
function isLocalName(name: string): boolean {
  return (
    !name.includes('.') || name === 'localhost' || name.endsWith('.localhost') || name.endsWith('.local')
  );
}

/** Look-ups with a memory. */
export class Resolver implements Disposable {
  readonly #dns: DnsClient;
  readonly #cache: DnsCache;
  readonly #clock: Clock;
  readonly #random: () => number;
  /** No DNS server answered; until then nobody has to wait for them again. */
  #silentUntilMs = 0;
  readonly #reaches: (transport: TransportName, address: string) => boolean;

  constructor(options: {
    readonly clock: Clock;
    /** Can a message leave that way? Hops that cannot be used are left out. */
    readonly reaches: (transport: TransportName, address: string) => boolean;
    /** DNS servers, `address` or `address:port`; those of the machine unless given. */
    readonly servers?: readonly string[];
    readonly random?: () => number;
  }) {
    const { clock, servers } = options;
    this.#dns = new DnsClient({ clock, ...(servers === undefined ? {} : { servers }) });
    this.#clock = clock;
    this.#cache = new DnsCache(clock);
    this.#random = options.random ?? Math.random;
    this.#reaches = options.reaches;
  }

  /**
   * The hops of a URI, at least one. A numeric host gives them at once. Rejects with {@link Unreachable} when the name
   * leads nowhere.
   * @throws ProtocolError for a scheme or transport that cannot be
   */
  resolve(uri: SipUri): Soon<readonly Hop[]> {
    const named = namedTransport(uri);
    const secure = uri.scheme === 'sips';
    const maddr = uri.params.get('maddr') ?? '';
    const host = maddr === '' ? uri.host : maddr;
    if (uri.port === 0) throw new ProtocolError('SIP_TRANSPORT', 503, 'port 0');
    if (isNumericHost(host) || host.includes(':')) {
      const transport = named ?? (secure ? 'tls' : 'udp');
      const address = addressOfHost(host);
      return [
        { transport, addresses: [address], port: uri.port ?? defaultPortOf(transport), domain: address },
      ];
    }
    return this.#resolveName(host.toLowerCase().replace(/\.$/, ''), named, secure, uri.port);
  }

  /** Forgets everything: the network has changed. */
  forget(): void {
    this.#cache.clear();
    this.#silentUntilMs = 0;
  }

  /** Ends what is under way. */
  [Symbol.dispose](): void {
    this.#dns[Symbol.dispose]();
  }

  async #resolveName(
    name: string,
    named: TransportName | undefined,
    secure: boolean,
    port: number | undefined,
  ): Promise<readonly Hop[]> {
    const fallback = named ?? (secure ? 'tls' : 'udp');
    let hops: readonly Hop[] = [];
    // RFC 3263 §4.1, §4.2: a port or a local name leaves nothing to NAPTR and SRV.
    if (port === undefined && !isLocalName(name)) {
      hops =
        named === undefined
          ? await this.#byNaptr(name, secure)
          : await this.#bySrv(SRV_PREFIX[named] + name, named, name);
    }
    if (hops.length === 0) {
      const addresses = await this.#addressesOf(name, fallback);
      hops = [{ transport: fallback, addresses, port: port ?? defaultPortOf(fallback), domain: name }];
    }
    return hops.slice(0, SIP_NETWORK_LIMITS.maxTargets);
  }

  async #byNaptr(name: string, secure: boolean): Promise<readonly Hop[]> {
    const records = await this.#recordsOf(name, 'NAPTR');
    const usable = records
      .map((record) => ({ ...record, transport: SERVICES[record.services.toUpperCase()] }))
      .filter(
        ({ flags, regexp, transport }) =>
          flags.toLowerCase() === 's' && regexp === '' && transport !== undefined,
      )
      .filter(({ transport }) => (secure ? transport === 'tls' : true))
      .sort((a, b) => a.order - b.order || a.preference - b.preference);
    if (usable.length > 0) {
      return this.#collect(
        usable.map(({ replacement, transport = 'udp' }) => [replacement, transport] as const),
        name,
      );
    }
    const transports = SRV_ORDER.filter((transport) => !secure || transport === 'tls');
    return this.#collect(
      transports.map((transport) => [SRV_PREFIX[transport] + name, transport] as const),
      name,
    );
  }

  /** The hops behind several SRV names, in their order. Rejects only when one of them says no and none says yes. */
  async #collect(
    services: readonly (readonly [string, TransportName])[],
    name: string,
  ): Promise<readonly Hop[]> {
    const possible = services.filter(
      ([, transport]) => this.#reaches(transport, '0.0.0.0') || this.#reaches(transport, '::'),
    );
    const found = await Promise.allSettled(
      possible.map(async ([srvName, transport]) => this.#bySrv(srvName, transport, name)),
    );
    const hops = found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    const refused = found.find((one) => one.status === 'rejected');
    if (hops.length === 0 && refused !== undefined) throw refused.reason;
    return hops;
  }

  /** The hops behind SRV records. An SRV record with the target `.` says that there is no such service (RFC 2782). */
  async #bySrv(srvName: string, transport: TransportName, domain: string): Promise<readonly Hop[]> {
    const records = await this.#recordsOf(srvName, 'SRV');
    const ordered = orderSrv(records, this.#random).slice(0, SIP_NETWORK_LIMITS.maxTargets);
    const targets = ordered.filter(({ target, port }) => target !== '.' && target !== '' && port !== 0);
    if (records.length > 0 && targets.length === 0) {
      throw new Unreachable('name', `${domain} says that it has no SIP over ${transport.toUpperCase()}`);
    }
    const hops = await Promise.all(
      targets.map(async ({ target, port }) => ({
        transport,
        addresses: await this.#addressesOf(target.toLowerCase(), transport).catch(() => []),
        port,
        domain,
      })),
    );
    const usable = hops.filter(({ addresses }) => addresses.length > 0);
    if (records.length > 0 && usable.length === 0) {
      throw new Unreachable('name', `the servers that ${domain} names have no address that can be used`);
    }
    return usable;
  }

  /** IPv6 and IPv4 in turn, those that this engine has sockets for. Rejects when there is none. */
  async #addressesOf(name: string, transport: TransportName): Promise<readonly string[]> {
    if (isNumericHost(name)) return [name];
    const local = isLocalName(name);
    const [six, four] = local
      ? [[], []]
      : await Promise.all([this.#recordsOf(name, 'AAAA'), this.#recordsOf(name, 'A')]);
    let addresses: readonly string[] = [...six, ...four];
    if (addresses.length === 0) addresses = await this.#byHostsFile(name);
    if (addresses.length === 0) {
      const silent = !local && monotonicMs(this.#clock) < this.#silentUntilMs;
      throw new Unreachable(
        'name',
        silent ? `no DNS server says where ${name} is` : `name ${name} not found`,
      );
    }
    const usable = interleave(addresses.filter((address) => this.#reaches(transport, address)));
    if (usable.length === 0)
      throw new ProtocolError('SIP_TRANSPORT', 503, `no ${transport} socket for ${name}`);
    return usable;
  }

  /** The records of a name; none when DNS does not answer: the hosts file may know it yet. */
  async #recordsOf<T extends DnsType>(name: string, type: T): Promise<readonly DnsData[T][]> {
    // RFC 6761 §6.4: nobody has to ask about names under invalid.
    if (name === 'invalid' || name.endsWith('.invalid')) return [];
    if (monotonicMs(this.#clock) < this.#silentUntilMs) return [];
    try {
      const reply = await this.#cache.get(`${type} ${name}`, () => this.#dns.query(name, type), keepFor);
      return reply.records;
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      this.#silentUntilMs = monotonicMs(this.#clock) + SIP_NETWORK_LIMITS.dnsSilenceMs;
      return [];
    }
  }

  async #byHostsFile(name: string): Promise<readonly string[]> {
    if (name.endsWith('.invalid')) return [];
    const ask = async (): Promise<readonly string[]> => {
      try {
        return (await lookup(name, { all: true, order: 'verbatim' })).map(({ address }) => address);
      } catch {
        return [];
      }
    };
    return this.#cache.get(`hosts ${name}`, ask, () => SIP_NETWORK_LIMITS.hostsFileMs);
  }
}

function keepFor({ records, ttlMs }: DnsReply<DnsType>): number {
  const { dnsMinTtlMs, dnsMaxTtlMs, dnsMaxNegativeMs } = SIP_NETWORK_LIMITS;
  return Math.max(dnsMinTtlMs, Math.min(ttlMs, records.length > 0 ? dnsMaxTtlMs : dnsMaxNegativeMs));
}
