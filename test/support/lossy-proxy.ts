/**
 * Owns: a relay for datagrams that loses, doubles and reorders some of them, by a seed.
 * Called by: tests of bad networks. Calls: node:dgram.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

export interface LossyProxyOptions {
  /** Where the datagrams of the one client go. */
  readonly target: number;
  /** Share of datagrams that are lost, in each direction. */
  readonly loss: number;
  /** Share that arrives twice. */
  readonly double?: number;
  /** Share that arrives after the one that follows it. */
  readonly reorder?: number;
  readonly seed: number;
}

/** Uniform in [0, 1), the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One client in front, one target behind. */
export class LossyProxy implements AsyncDisposable {
  readonly #front: Socket;
  readonly #back: Socket;
  readonly #options: LossyProxyOptions;
  readonly #random: () => number;
  #client = 0;
  passed = 0;
  lost = 0;

  private constructor(front: Socket, back: Socket, options: LossyProxyOptions) {
    this.#front = front;
    this.#back = back;
    this.#options = options;
    this.#random = seededRandom(options.seed);
    const toBack = this.#relay(() => [back, options.target]);
    const toFront = this.#relay(() => [front, this.#client]);
    front.on('message', (bytes, from) => {
      this.#client = from.port;
      toBack(bytes);
    });
    back.on('message', (bytes) => {
      toFront(bytes);
    });
  }

  static async open(options: LossyProxyOptions): Promise<LossyProxy> {
    const sockets = [createSocket('udp4'), createSocket('udp4')] as const;
    for (const socket of sockets) {
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
    }
    return new LossyProxy(...sockets, options);
  }

  /** Where the client sends to. */
  get port(): number {
    return this.#front.address().port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [this.#front, this.#back].map((socket) => new Promise<void>((done) => socket.close(() => done()))),
    );
  }

  #relay(way: () => readonly [Socket, number]): (bytes: Buffer) => void {
    const { loss, double = 0, reorder = 0 } = this.#options;
    let held: Buffer | undefined;
    return (bytes) => {
      if (this.#random() < loss) {
        this.lost += 1;
        return;
      }
      const [socket, port] = way();
      const send = (one: Buffer): void => {
        this.passed += 1;
        socket.send(one, port, '127.0.0.1');
      };
      if (held === undefined && this.#random() < reorder) {
        held = bytes;
        return;
      }
      send(bytes);
      if (this.#random() < double) send(bytes);
      if (held !== undefined) send(held);
      held = undefined;
    };
  }
}
