/**
 * Owns: the bytes on their way into one socket: small frames of one turn leave in one write, large bodies uncopied.
 * Called by: connection.ts. Calls: the socket.
 */
import type { Socket } from 'node:net';

/** Frames up to this size are gathered; above, the body goes to the socket as it is. */
const GATHER_BYTES = 4 * 1024;
const BLOCK_BYTES = 16 * 1024;
/** Blocks that no socket holds any more, for the next connection that writes. */
const MAX_SPARE_BLOCKS = 32;
const spareBlocks: Buffer[] = [];

/** The outgoing side of a socket. What is appended in one turn of the event loop is written together. */
export class MsrpOutput {
  readonly #socket: Socket;
  readonly #receiveWritten: (bytes: Buffer) => void;
  readonly #receiveFlushed: () => void;
  #block: Buffer | undefined;
  #used = 0;
  #scheduled = false;

  /** `receiveWritten` sees each buffer as it is written; `receiveFlushed` is called after each turn's writes. */
  constructor(socket: Socket, receiveWritten: (bytes: Buffer) => void, receiveFlushed: () => void) {
    this.#socket = socket;
    this.#receiveWritten = receiveWritten;
    this.#receiveFlushed = receiveFlushed;
  }

  /** Bytes that the kernel has not taken yet. */
  get queuedBytes(): number {
    return this.#used + this.#socket.writableLength;
  }

  /** Appends one frame; `head` and `tail` are ASCII. The body must not be changed until it is written. */
  append(head: string, body?: Buffer, tail = ''): void {
    const size = head.length + (body?.length ?? 0) + tail.length;
    if (size > GATHER_BYTES) {
      this.#appendLarge(head, body, tail);
    } else {
      let block = this.#block;
      if (block === undefined || block.length - this.#used < size) {
        this.#writeBlock();
        block = this.#block = spareBlocks.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
      }
      let at = this.#used;
      at += block.write(head, at, 'latin1');
      if (body !== undefined) at += body.copy(block, at);
      if (tail !== '') at += block.write(tail, at, 'latin1');
      this.#used = at;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#socket.cork();
    process.nextTick(() => this.flush());
  }

  /** Hands everything to the socket now. */
  flush(): void {
    if (!this.#scheduled) return;
    this.#scheduled = false;
    const block = this.#block;
    this.#writeBlock();
    this.#socket.uncork();
    if (block !== undefined && this.#socket.writableLength === 0 && spareBlocks.length < MAX_SPARE_BLOCKS) {
      spareBlocks.push(block);
    }
    this.#receiveFlushed();
  }

  #appendLarge(head: string, body: Buffer | undefined, tail: string): void {
    this.#writeBlock();
    this.#write(Buffer.from(head, 'latin1'));
    if (body !== undefined) this.#write(body);
    if (tail !== '') this.#write(Buffer.from(tail, 'latin1'));
  }

  #writeBlock(): void {
    const block = this.#block;
    if (block === undefined) return;
    this.#block = undefined;
    if (this.#used > 0) this.#write(block.subarray(0, this.#used));
    this.#used = 0;
  }

  #write(bytes: Buffer): void {
    if (!this.#socket.writable) return;
    this.#receiveWritten(bytes);
    this.#socket.write(bytes);
  }
}
