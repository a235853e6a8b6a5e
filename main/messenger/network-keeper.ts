/**
 * Owns: that there is a network: opened, opened anew when it is to be bound elsewhere, tried again when it could not be.
 * Called by: messenger.ts. Calls: network.ts.
 */
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import type { MessengerLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { Network, type NetworkOptions } from './network.ts';

export interface NetworkKeeperOptions {
  readonly limits: MessengerLimits;
  readonly log: Log;
  readonly clock?: Clock;
  /** A network is there: accounts start on it. */
  receiveOpened(network: Network): void;
  /** It is about to be closed: accounts leave it. */
  receiveClosing(): Promise<void>;
  /** It could not be opened, and it is time to try again. */
  receiveRetry(): void;
}

/** The network of one messenger. Its changes are made one after the other by the messenger. */
export class NetworkKeeper implements AsyncDisposable {
  readonly #options: NetworkKeeperOptions;
  readonly #clock: Clock;
  #network: Network | undefined;
  #key = '';
  #timer: Timer | undefined;
  #retryMs: number;
  #problem: string | undefined;

  constructor(options: NetworkKeeperOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#retryMs = options.limits.networkRetryFirstMs;
  }

  /** Undefined while it could not be opened. */
  get network(): Network | undefined {
    return this.#network;
  }

  /** Why it could not be opened the last time: one sentence. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Opens the network as wanted, unless it is. A failure is told, and tried again later; it never rejects. */
  async open(wanted: NetworkOptions): Promise<void> {
    const key = JSON.stringify([wanted.bindAddress, wanted.engine, wanted.ca ?? []]);
    if (this.#network !== undefined && key === this.#key) return;
    await this.close();
    const { limits, log } = this.#options;
    try {
      this.#network = await Network.open(wanted);
      this.#key = key;
      this.#problem = undefined;
      this.#retryMs = limits.networkRetryFirstMs;
      this.#options.receiveOpened(this.#network);
    } catch (error) {
      this.#problem = problemInWords(error, wanted);
      log.warn('network.not-opened', { error, retryMs: this.#retryMs });
      this.#timer = this.#clock.startTimer(this.#retryMs, () => {
        this.#options.receiveRetry();
      });
      this.#retryMs = Math.min(this.#retryMs * 2, limits.networkRetryMaxMs);
    }
  }

  async close(): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    const network = this.#network;
    if (network === undefined) return;
    await this.#options.receiveClosing();
    this.#network = undefined;
    await network[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function problemInWords(error: unknown, { bindAddress, engine }: NetworkOptions): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRNOTAVAIL') {
    return `This computer does not have the address ${bindAddress} now. Parley tries again by itself.`;
  }
  if (code === 'EADDRINUSE' || code === 'EACCES') {
    return `The address ${bindAddress} cannot be used (${code}). Parley tries again by itself.`;
  }
  const why = error instanceof Error ? error.message : String(error);
  const what = engine.kind === 'drachtio' ? `The SIP engine at ${engine.host}:${engine.port}` : 'The network';
  return `${what} could not be opened: ${why}`;
}
