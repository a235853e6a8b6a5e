/**
 * Owns: this messenger's side of the network: SIP agent and MSRP endpoint, shared by its accounts.
 * Called by: messenger.ts. Calls: sip/embedded-agent.ts or sip/agent, msrp/endpoint.ts.
 */
import type { Settings } from '../../shared/settings.ts';
import { Lifetime } from '../base/lifetime.ts';
import type { MsrpLimits } from '../base/limits.ts';
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
  readonly msrpLimits?: Partial<MsrpLimits>;
}

/** Sockets and stacks, opened together and closed together. */
export class Network implements AsyncDisposable {
  readonly agent: SipAgent;
  readonly msrp: MsrpEndpoint;
  readonly #lifetime: Lifetime;

  private constructor(agent: SipAgent, msrp: MsrpEndpoint, lifetime: Lifetime) {
    this.agent = agent;
    this.msrp = msrp;
    this.#lifetime = lifetime;
  }

  /** Opens everything. Rejects when an address cannot be bound or the drachtio server refuses us. */
  static async open(options: NetworkOptions): Promise<Network> {
    const lifetime = new Lifetime();
    try {
      const agent = await openAgent(options, lifetime);
      const { log, tap, msrpLimits = {} } = options;
      const msrp = lifetime.own(new MsrpEndpoint({ log, tap, limits: msrpLimits }));
      await msrp.listen({ host: options.bindAddress, port: 0 });
      return new Network(agent, msrp, lifetime);
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }
}

async function openAgent(options: NetworkOptions, lifetime: Lifetime): Promise<SipAgent> {
  const { engine, log, tap } = options;
  if (engine.kind === 'embedded') {
    const { agent } = await openEmbeddedAgent(
      { runFolder: options.runFolder, host: options.bindAddress, port: 0, tap, log },
      lifetime,
    );
    return agent;
  }
  const { host, port, secret } = engine;
  const agent = lifetime.own(new SipAgent({ link: { kind: 'connect', host, port, secret }, log }));
  await agent.open();
  return agent;
}
