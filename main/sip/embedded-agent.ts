/**
 * Owns: a user agent on an engine of its own, inside this process; the two meet on a socket in a private folder.
 * Called by: messenger/network.ts, imserver/imserver.ts. Calls: sip/engine, sip/agent.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { Lifetime } from '../base/lifetime.ts';
import { silentLog, type Log } from '../base/log.ts';
import type { WireTap } from '../base/wire-tap.ts';
import { SipAgent } from './agent/agent.ts';
import { SipEngine } from './engine/engine.ts';
import { LocalAddresses } from './engine/local-addresses.ts';
import type { LostFlow } from './engine/keep-alive.ts';
import type { SipTlsOptions } from './engine/tls-identity.ts';

export interface EmbeddedAgentOptions {
  /** Where the folder of the control socket is made, and removed at the end. Made as well when it is missing. */
  readonly runFolder: string;
  readonly host: string;
  /** UDP and TCP port; 0: one that is free on both. */
  readonly port: number;
  readonly tap?: WireTap;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Listens for TLS as well, on this port (0: a free one); needs a certificate in `tls`. */
  readonly tlsPort?: number;
  /** Requests wait for `agent.releaseRequests()`: those who answer them are made after the agent. */
  readonly holdsRequests?: boolean;
  /** Certificates and trust for SIP over TLS; without it servers that the system trusts can be reached. */
  readonly tls?: SipTlsOptions;
  /** DNS servers, `address` or `address:port`; those of the machine unless given. */
  readonly dnsServers?: readonly string[];
}

/** What the application has to do with the network beside requests and responses. */
export interface EmbeddedNetwork {
  /**
   * Tells when a flow is gone over which the agent had registered: its peer closed it, or no longer answers
   * keep-alives. `reason` is one plain sentence. Returns the unsubscribe.
   */
  onFlowLost(listener: (flow: LostFlow) => void): () => void;
  /** The machine has another network or has woken up: old ways are forgotten, dead ones closed, others asked. */
  receiveNetworkChange(): void;
  /** The address of this computer that somebody at `remote` sees. */
  addressToward(remote: string): Promise<string>;
  /** New certificates: for connections from now on. @throws Error when certificate and key do not fit */
  renewTls(tls: SipTlsOptions): void;
}

/** A Unix socket's path has to fit into 104 bytes on every system; the folder and the name in it take 22. */
const MAX_RUN_FOLDER_CHARS = 70;

/** Where the folder of a program's control socket is made: in its data, or where paths are short enough. */
export function runFolderOf(data: string): string {
  const inside = join(data, 'run');
  if (inside.length <= MAX_RUN_FOLDER_CHARS) return inside;
  return process.env['XDG_RUNTIME_DIR'] ?? tmpdir();
}

/**
 * Path of the control socket: a named pipe on Windows, elsewhere a Unix socket (whose path has a short limit) in a folder
 * that only we can enter, and that goes with `lifetime`.
 */
async function openControlPlace(runFolder: string, lifetime: Lifetime): Promise<string> {
  const name = `parley-${randomBytes(6).toString('hex')}`;
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name}`;
  const folder = join(runFolder, name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 's');
}

/**
 * Opens both, owned by `lifetime`. Resolves when requests can be sent. Rejects when the address cannot be bound.
 * `port` in the result is the one that was bound.
 */
export async function openEmbeddedAgent(
  options: EmbeddedAgentOptions,
  lifetime: Lifetime,
): Promise<{ agent: SipAgent; port: number; tlsPort: number | undefined; network: EmbeddedNetwork }> {
  const { runFolder, host, log = silentLog, holdsRequests = false } = options;
  const path = await openControlPlace(runFolder, lifetime);
  const secret = randomBytes(24).toString('base64url');
  const agent = lifetime.own(new SipAgent({ link: { kind: 'listen', path, secret }, log, holdsRequests }));
  const engine = lifetime.own(
    new SipEngine({
      secret,
      log,
      ...(options.tap ? { tap: options.tap } : {}),
      ...(options.clock ? { clock: options.clock } : {}),
      ...(options.tls ? { tls: options.tls } : {}),
      ...(options.dnsServers ? { dnsServers: options.dnsServers } : {}),
    }),
  );
  await agent.open();
  const { port } = await engine.listenBoth(host, options.port);
  const secure =
    options.tlsPort === undefined
      ? undefined
      : await engine.listen({ transport: 'tls', host, port: options.tlsPort });
  await engine.dialApplication(path);
  await agent.whenConnected;
  const addresses = lifetime.own(new LocalAddresses());
  const network: EmbeddedNetwork = {
    addressToward: async (remote) => addresses.toward(remote, host),
    onFlowLost: (listener) => engine.onFlowLost(listener),
    receiveNetworkChange: () => engine.receiveNetworkChange(),
    renewTls: (tls) => engine.renewTls(tls),
  };
  return { agent, port, tlsPort: secure?.port, network };
}
