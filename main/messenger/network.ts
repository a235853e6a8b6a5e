/**
 * Owns: this messenger's side of the network: SIP agent and MSRP endpoint, shared by its accounts.
 * Called by: messenger.ts. Calls: sip/embedded-agent.ts or sip/agent, msrp/endpoint.ts.
 */
import type { Settings } from '../../shared/settings.ts';
import { Lifetime } from '../base/lifetime.ts';
import { MESSENGER_LIMITS, type MsrpLimits } from '../base/limits.ts';
import { systemClock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { WireTap } from '../base/wire-tap.ts';
import { MsrpEndpoint } from '../msrp/endpoint.ts';
import { SipAgent } from '../sip/agent/agent.ts';
import { openEmbeddedAgent } from '../sip/embedded-agent.ts';

export interface NetworkOptions {
  /** A folder that only this user can enter. */
  readonly runFolder: string;
  readonly engine: Settings['network.engine'];
  readonly bindAddress: string;
  readonly tap: WireTap;
  readonly log: Log;
  /** Authorities that are trusted beside those of the system, as PEM text. */
  readonly ca?: readonly string[];
  readonly msrpLimits?: Partial<MsrpLimits>;
}

/** Sockets and stacks, opened together and closed together. */
export class Network implements AsyncDisposable {
  readonly agent: SipAgent;
  readonly msrp: MsrpEndpoint;
  readonly #engine: EngineNetwork | undefined;
  readonly #lifetime: Lifetime;

  private constructor({ agent, network }: OpenedAgent, msrp: MsrpEndpoint, lifetime: Lifetime) {
    this.agent = agent;
    this.msrp = msrp;
    this.#engine = network;
    this.#lifetime = lifetime;
  }

  /** True when the engine keeps flows open and tells of their loss; a drachtio server does not. */
  get watchesFlows(): boolean {
    return this.#engine !== undefined;
  }

  /** Tells of each registered flow that is lost. Returns the release. */
  onFlowLost(listener: Parameters<EngineNetwork['onFlowLost']>[0]): () => void {
    return this.#engine?.onFlowLost(listener) ?? (() => undefined);
  }

  /** This computer has another network, or has woken up. */
  receiveNetworkChange(): void {
    this.#engine?.receiveNetworkChange();
  }

  /** Opens everything. Rejects when an address cannot be bound or the drachtio server refuses us. */
  static async open(options: NetworkOptions): Promise<Network> {
    const lifetime = new Lifetime();
    try {
      const opened = await openAgent(options, lifetime);
      const { log, tap, msrpLimits = {}, ca = [] } = options;
      const msrp = lifetime.own(new MsrpEndpoint({ log, tap, limits: msrpLimits, ca }));
      await msrp.listen({ host: options.bindAddress, port: 0 });
      // Made now, while nobody waits for it.
      msrp.identity().catch((error: unknown) => {
        log.error('msrp.no-certificate', { error });
      });
      return new Network(opened, msrp, lifetime);
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }
}

/** What an embedded engine tells of its flows. */
interface EngineNetwork {
  onFlowLost(
    listener: (flow: {
      readonly transport: string;
      readonly remoteAddress: string;
      readonly remotePort: number;
      readonly reason: string;
    }) => void,
  ): () => void;
  receiveNetworkChange(): void;
}

interface OpenedAgent {
  readonly agent: SipAgent;
  readonly network?: EngineNetwork;
}

async function openAgent(options: NetworkOptions, lifetime: Lifetime): Promise<OpenedAgent> {
  const { engine, log, tap, ca = [] } = options;
  if (engine.kind === 'embedded') {
    return openEmbeddedAgent(
      {
        runFolder: options.runFolder,
        host: options.bindAddress,
        port: 0,
        tap,
        log,
        ...(ca.length > 0 ? { tls: { ca } } : {}),
      },
      lifetime,
    );
  }
  const { host, port, secret } = engine;
  const agent = lifetime.own(new SipAgent({ link: { kind: 'connect', host, port, secret }, log }));
  const late = Promise.withResolvers<void>();
  using _limit = systemClock.startTimer(MESSENGER_LIMITS.engineConnectMs, () => {
    late.resolve();
  });
  // A server that is away is dialled again and again by itself; a wrong secret is told.
  await Promise.race([agent.open(), late.promise]);
  return { agent };
}
