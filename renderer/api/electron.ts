/**
 * Owns: the transport over the bridge that the Electron preload exposes as `window.parley`.
 * Called by: client.ts. Calls: the bridge.
 */
import type { EventEnvelope } from '../../shared/ipc/envelope.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import { closedAnswer, type Answer, type Transport, type TransportListener } from './transport.ts';

/** What the preload exposes; both functions cross the isolated world. */
export interface ParleyBridge {
  invoke(call: string, input: unknown): Promise<Answer>;
  subscribe(handler: (event: EventEnvelope) => void): () => void;
  handIn(file: File): Promise<string>;
}

declare global {
  interface Window {
    readonly parley?: ParleyBridge;
  }
}

export class ElectronTransport implements Transport {
  readonly #bridge: ParleyBridge;
  #listener: TransportListener | null = null;
  #up = true;

  constructor(bridge: ParleyBridge) {
    this.#bridge = bridge;
  }

  async invoke(call: string, input: unknown): Promise<Answer> {
    try {
      // Reactive state is a proxy, and none crosses the bridge: what the calls carry is JSON.
      const answer = await this.#bridge.invoke(call, JSON.parse(JSON.stringify(input)));
      this.#setUp(true);
      return answer;
    } catch {
      this.#setUp(false);
      return closedAnswer;
    }
  }

  async handIn(file: File, name: string): Promise<string> {
    try {
      // A file that was pasted has the name that it is given here; one from the disk is known by its place.
      return await this.#bridge.handIn(
        name === file.name ? file : new File([file], name, { type: file.type }),
      );
    } catch (error) {
      throw new CallError('not-allowed', error instanceof Error ? error.message : '');
    }
  }

  subscribe(listener: TransportListener): () => void {
    this.#listener = listener;
    const unsubscribe = this.#bridge.subscribe((event) => {
      this.#setUp(true);
      listener.receiveEvent(event);
    });
    listener.receiveLink('up');
    return () => {
      this.#listener = null;
      unsubscribe();
    };
  }

  #setUp(up: boolean): void {
    if (this.#up === up) return;
    this.#up = up;
    this.#listener?.receiveLink(up ? 'up' : 'down');
  }
}
