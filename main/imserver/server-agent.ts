/**
 * Owns: the SIP stack of the server: its own engine inside this process, or a drachtio server that runs elsewhere.
 * Called by: imserver.ts. Calls: sip/embedded-agent.ts, sip/agent.
 */
import { systemClock } from '../base/clock.ts';
import type { Lifetime } from '../base/lifetime.ts';
import type { Log } from '../base/log.ts';
import type { WireTap } from '../base/wire-tap.ts';
import { SipAgent } from '../sip/agent/agent.ts';
import { openEmbeddedAgent, runFolderOf } from '../sip/embedded-agent.ts';
import { LocalAddresses } from '../sip/engine/local-addresses.ts';
import { Resolver } from '../sip/engine/resolver.ts';
import { parseSipUri } from '../sip/uri.ts';
import { ConfigError, type ServerConfig } from './server-config.ts';

/** What the server has to do with SIP. */
export interface ServerAgent {
  /** Requests wait for its `releaseRequests`. */
  readonly agent: SipAgent;
  readonly port: number;
  /** Undefined: SIP is not spoken over TLS. */
  readonly tlsPort: number | undefined;
  /** The address of this computer that somebody at `remote` sees. */
  addressToward(remote: string): Promise<string>;
  /** New certificates, where they are ours to show. @throws Error when certificate and key do not fit */
  renewTls(tls: { cert: string; key: string }): void;
  /** The addresses that serve a domain over TLS (RFC 3263). Rejects when they cannot be found out. */
  addressesOf(domain: string): Promise<readonly string[]>;
}

export interface ServerAgentOptions {
  readonly config: ServerConfig;
  readonly certificate:
    { readonly cert: string; readonly key: string; readonly ca?: readonly string[] } | undefined;
  /** DNS servers, `address:port`; those of the machine unless given. */
  readonly dnsServers?: readonly string[] | undefined;
  readonly log: Log;
  readonly tap: WireTap | undefined;
}

/** How long a drachtio server may take to let us in when we start. */
const CONNECT_MS = 5_000;

/** Opens it, owned by `lifetime`. Rejects when an address cannot be bound, and with ConfigError when no drachtio server lets us in. */
export async function openServerAgent(options: ServerAgentOptions, lifetime: Lifetime): Promise<ServerAgent> {
  const { config, certificate, log, tap, dnsServers } = options;
  const dns = dnsServers === undefined ? {} : { dnsServers };
  const resolver = lifetime.own(
    new Resolver({
      clock: systemClock,
      reaches: () => true,
      ...(dnsServers === undefined ? {} : { servers: dnsServers }),
    }),
  );
  const addressesOf = async (domain: string): Promise<readonly string[]> =>
    (await resolver.resolve(parseSipUri(`sip:${domain};transport=tls`))).flatMap(
      ({ addresses }) => addresses,
    );
  if (config.drachtio !== undefined) {
    return { ...(await openOnDrachtio(config, config.drachtio, log, lifetime)), addressesOf };
  }
  const { agent, port, tlsPort, network } = await openEmbeddedAgent(
    {
      runFolder: runFolderOf(config.data),
      host: config.host,
      port: config.port,
      log,
      holdsRequests: true,
      ...(config.tls && certificate ? { tls: certificate, tlsPort: config.tls.port } : {}),
      ...(tap ? { tap } : {}),
      ...dns,
    },
    lifetime,
  );
  return {
    addressesOf,
    agent,
    port,
    tlsPort,
    addressToward: (remote) => network.addressToward(remote),
    renewTls: (tls) => network.renewTls(tls),
  };
}

async function openOnDrachtio(
  { host }: ServerConfig,
  drachtio: NonNullable<ServerConfig['drachtio']>,
  log: Log,
  lifetime: Lifetime,
): Promise<Omit<ServerAgent, 'addressesOf'>> {
  const place = `${drachtio.host}:${drachtio.port}`;
  const agent = lifetime.own(
    new SipAgent({ link: { kind: 'connect', ...drachtio }, log, holdsRequests: true }),
  );
  const late = Promise.withResolvers<never>();
  using _limit = systemClock.startTimer(CONNECT_MS, () => {
    late.reject(new ConfigError(`drachtio: the drachtio server at ${place} does not answer`));
  });
  await Promise.race([
    agent.open().catch((error: unknown) => {
      throw new ConfigError(`drachtio: ${place}: ${error instanceof Error ? error.message : String(error)}`);
    }),
    late.promise,
  ]);
  const addresses = lifetime.own(new LocalAddresses());
  const portOf = (...transports: string[]) => {
    const [found] = agent.hostports.filter((one) => transports.some((name) => one.startsWith(`${name}/`)));
    return found === undefined ? undefined : Number(found.slice(found.lastIndexOf(':') + 1));
  };
  return {
    agent,
    port: portOf('tcp', 'udp') ?? 0,
    tlsPort: portOf('tls'),
    addressToward: async (remote) => addresses.toward(remote, host),
    // It has its own.
    renewTls: () => undefined,
  };
}
