/**
 * Owns: a place on the way between a SIP client and its server (TCP) where messages can be held, so that a test decides
 * what crosses what. Called by: tests of several devices. Calls: node:net.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export type GateDirection = 'toServer' | 'toClient';

/** What is held from one message on: that and all later ones in its direction. */
export interface HeldWay {
  /** Resolves when the message has come to the gate. */
  readonly arrived: Promise<void>;
  /** Lets everything go on, in its order. */
  release(): void;
}

interface Hold extends HeldWay {
  readonly pattern: RegExp;
  readonly receive: () => void;
  isShut: boolean;
  readonly waiting: (() => void)[];
}

/** Passes whole messages on; a way that is held keeps them. */
export class SipGate implements AsyncDisposable {
  readonly #server: Server = createServer();
  readonly #sockets = new Set<Socket>();
  readonly #holds = new Map<GateDirection, Hold>();

  private constructor(target: number) {
    this.#server.on('connection', (client) => {
      if (!this.#server.listening) {
        client.destroy();
        return;
      }
      const server = connect({ host: '127.0.0.1', port: target });
      this.#pass(client, server, 'toServer');
      this.#pass(server, client, 'toClient');
    });
  }

  /** `target`: the server's port. */
  static async open(target: number): Promise<SipGate> {
    const gate = new SipGate(target);
    gate.#server.listen(0, '127.0.0.1');
    await once(gate.#server, 'listening');
    return gate;
  }

  /** Where the client finds its server. */
  get uri(): string {
    return `sip:127.0.0.1:${(this.#server.address() as AddressInfo).port};transport=tcp`;
  }

  /** Holds one direction from the first message on that matches. */
  hold(direction: GateDirection, pattern: RegExp): HeldWay {
    const { promise, resolve } = Promise.withResolvers<void>();
    const hold: Hold = {
      pattern,
      arrived: promise,
      receive: resolve,
      isShut: false,
      waiting: [],
      release: () => {
        this.#holds.delete(direction);
        for (const pass of hold.waiting) pass();
      },
    };
    this.#holds.set(direction, hold);
    return hold;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #pass(from: Socket, to: Socket, direction: GateDirection): void {
    this.#sockets.add(from);
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
    let rest = Buffer.alloc(0);
    from.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes]);
      for (let end = endOfMessage(rest); end > 0; end = endOfMessage(rest)) {
        this.#passMessage(rest.subarray(0, end), to, direction);
        rest = rest.subarray(end);
      }
    });
  }

  #passMessage(message: Buffer, to: Socket, direction: GateDirection): void {
    const hold = this.#holds.get(direction);
    if (hold !== undefined && !hold.isShut && hold.pattern.test(message.toString('latin1'))) {
      hold.isShut = true;
      hold.receive();
    }
    if (hold?.isShut === true) hold.waiting.push(() => to.write(message));
    else to.write(message);
  }
}

/** The index behind the first whole message, or behind the line ends that keep a connection alive; 0: none yet. */
function endOfMessage(bytes: Buffer): number {
  const idle = /^(\r\n)+/.exec(bytes.toString('latin1', 0, 8))?.[0].length ?? 0;
  if (idle > 0) return idle;
  const head = bytes.indexOf('\r\n\r\n');
  if (head < 0) return 0;
  const length = /^(?:Content-Length|l)\s*:\s*(\d+)/im.exec(bytes.toString('latin1', 0, head))?.[1];
  const end = head + 4 + Number(length ?? 0);
  return end <= bytes.length ? end : 0;
}
