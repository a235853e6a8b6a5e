/**
 * Owns: one address's registration (RFC 3261 §10) over one or two flows (RFC 5626): where it stands as a whole.
 * Called by: messenger/account-link.ts. Calls: registration-flow.ts.
 */
import { randomUUID } from 'node:crypto';
import { systemClock, type Clock } from '../../base/clock.ts';
import { MESSENGER_LIMITS, type MessengerLimits } from '../../base/limits.ts';
import { silentLog, type Log } from '../../base/log.ts';
import type { DigestClient } from '../digest.ts';
import type { SipAgent } from './agent.ts';
import { RegistrationFlow, type RegistrationStatus, type ServerWay } from './registration-flow.ts';
import type { Random } from './registration-retry.ts';

export interface RegistrationOptions {
  readonly agent: SipAgent;
  /** Address of record without scheme: `bob@example.org`. */
  readonly address: string;
  readonly displayName?: string;
  /** Contact as a name-addr; `@localhost` in it is replaced by the engine with its own address. */
  readonly contact: string;
  /**
   * One flow for each (RFC 5626 §4.2: reg-id 1, 2, …), in the order in which requests use them. Each has its ways to
   * the same place, the preferred one first: the next is taken when nobody listens at the one before.
   */
  readonly flows: readonly (readonly ServerWay[])[];
  readonly digest: DigestClient;
  /** The same in each run of one profile: a device that comes back replaces itself (RFC 5626 §4.1). Default: new. */
  readonly instanceId?: string;
  readonly expiresS?: number;
  /** Default: `MESSENGER_LIMITS`. */
  readonly limits?: MessengerLimits;
  readonly clock?: Clock;
  /** Uniform in [0, 1). */
  readonly random?: Random;
  readonly log?: Log;
  /** What our Contact says of this device beside who it is (RFC 3840): `+u.example.feature`; empty: nothing. */
  readonly features?: () => string;
  /** The server has said how many other devices of the user understand copies; undefined: it keeps none. */
  readonly onOtherDevices?: (count: number | undefined) => void;
  /** The engine sends no keep-alives: the registration does (RFC 5626 §4.4). */
  readonly keepsAlive?: boolean;
  readonly onChange: (status: RegistrationStatus) => void;
}

/** How long we wait for the answer to the unregistering REGISTER at shutdown. */
const UNREGISTER_MS = 1_000;

/** Keeps one address registered. It is registered while one of its flows is. */
export class Registration implements AsyncDisposable {
  readonly #flows: readonly RegistrationFlow[];
  readonly #onChange: RegistrationOptions['onChange'];
  #status: RegistrationStatus = { status: 'stopped' };

  constructor(options: RegistrationOptions) {
    const { flows, instanceId = randomUUID(), limits = MESSENGER_LIMITS, ...rest } = options;
    this.#onChange = options.onChange;
    this.#flows = flows.map(
      (ways, index) =>
        new RegistrationFlow({
          ...rest,
          ways,
          regId: index + 1,
          instance: `urn:uuid:${instanceId}`,
          limits,
          clock: options.clock ?? systemClock,
          random: options.random ?? Math.random,
          log: options.log ?? silentLog,
          expiresS: options.expiresS ?? limits.registrationExpiresS,
          othersWork: () => this.#isLive(index),
          onChange: (flow, status) => {
            this.#receiveChange(flow, status);
          },
        }),
    );
  }

  get status(): RegistrationStatus {
    return this.#status;
  }

  /** The way of requests: that of the first flow that lives, else of the first one. */
  get way(): ServerWay {
    return this.#first.way;
  }

  /** Our Contact on that way, as the server sees us. */
  get contact(): string {
    return this.#first.contact;
  }

  /** Our own address on the way to the server; undefined before the first request. */
  get localHost(): string | undefined {
    return this.#first.localHost ?? this.#flows.find(({ localHost }) => localHost !== undefined)?.localHost;
  }

  /** The address that makes chat rooms at the server, as a name-addr; undefined: it has none, or has not said so yet. */
  get roomFactory(): string | undefined {
    return this.#flows.map(({ roomFactory }) => roomFactory).find((factory) => factory !== undefined);
  }

  /** What the server has said of its MSRP relay, and where it said so. */
  get relay(): { readonly text: string; readonly serverAddress: string } | undefined {
    for (const { relay, serverAddress } of [this.#first, ...this.#flows]) {
      if (relay !== undefined && serverAddress !== undefined) return { text: relay, serverAddress };
    }
    return undefined;
  }

  /** False until a server has answered for the first time. */
  get knowsServer(): boolean {
    return this.#flows.some(({ serverAddress }) => serverAddress !== undefined);
  }

  /** True for the address of a server or proxy over which we are registered, or have been a moment ago. */
  isServer(address: string): boolean {
    return this.#flows.some(({ serverAddress }) => serverAddress === address);
  }

  /** Registers now, and stays registered. The second flow follows when the first has had its answer. */
  start(): void {
    for (const flow of this.#flows) if (flow.status.status !== 'stopped') flow.start();
    if (this.#flows[0]?.status.status === 'stopped') this.#flows[0].start();
  }

  /** Something did not reach the server: asks at once whether it is there, instead of at the next refresh. */
  check(): void {
    for (const flow of this.#flows) flow.check();
  }

  /** A connection of the engine is gone. */
  receiveFlowLost(lost: { remoteAddress: string; remotePort: number; reason: string }): void {
    for (const flow of this.#flows) if (flow.runsOver(lost)) flow.receiveLost(lost.reason);
  }

  /** The way to the engine is gone, and every flow with it. */
  receiveEngineLost(reason: string): void {
    for (const flow of this.#flows) flow.receiveLost(reason);
  }

  /** This computer has another network, or was asleep. */
  receiveNetworkChange(): void {
    for (const flow of this.#flows) flow.receiveNetworkChange();
  }

  /** The server has refused our credentials for another request: nothing more is tried with them. */
  receiveRefusal(code: number, reason: string): void {
    if (this.#status.status !== 'registered' && this.#status.status !== 'registering') return;
    for (const flow of this.#flows) flow.refuse(code, reason);
  }

  /** Takes the registration back and stops. Resolves when the server has answered or cannot be reached. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#flows.map((flow) => flow.stop(UNREGISTER_MS)));
    this.#tell({ status: 'stopped' });
  }

  get #first(): RegistrationFlow {
    const live = this.#flows.find(({ status }) => status.status === 'registered');
    const first = live ?? this.#flows[0];
    if (first === undefined) throw new Error('a registration needs a flow');
    return first;
  }

  #isLive(except: number): boolean {
    return this.#flows.some(({ status }, index) => index !== except && status.status === 'registered');
  }

  #receiveChange(changed: RegistrationFlow, status: RegistrationStatus): void {
    if (status.status === 'refused' && (status.code === 401 || status.code === 407)) {
      // The same password is not tried by way of the other proxy: that could lock the account.
      for (const flow of this.#flows) {
        if (flow.status.status !== 'refused') flow.refuse(status.code, status.reason);
      }
    } else if (changed === this.#flows[0] && !['registering', 'stopped'].includes(status.status)) {
      for (const flow of this.#flows) if (flow.status.status === 'stopped') flow.start();
    }
    this.#tell(this.#whole(status));
  }

  /** Where it stands as a whole: registered before trying, trying before refused. */
  #whole(latest: RegistrationStatus): RegistrationStatus {
    const all = this.#flows.map(({ status }) => status);
    const registered = all.find(({ status }) => status === 'registered');
    if (registered !== undefined) return registered;
    if (latest.status === 'unreachable' || latest.status === 'registering') return latest;
    return all.find(({ status }) => status === 'unreachable' || status === 'registering') ?? latest;
  }

  #tell(status: RegistrationStatus): void {
    const before = this.#status;
    this.#status = status;
    const same = before.status === status.status && status.status !== 'unreachable';
    if (!same) this.#onChange(status);
  }
}
