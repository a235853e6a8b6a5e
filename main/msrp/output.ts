/**
 * Owns: the bytes on their way into one socket: small frames of one turn leave in one write, large bodies uncopied.
 * Called by: connection.ts. Calls: the socket.
 */
import type { Socket } from 'node:net';

/** Bodies up to this size are gathered with their heads; a larger one goes to the socket as it is. */
const GATHER_BYTES = 4 * 1024;
const BLOCK_BYTES = 16 * 1024;
/** Blocks that no socket holds any more, for the next connection that writes. */
const MAX_SPARE_BLOCKS = 32;
const spareBlocks: Buffer[] = [];
const EMPTY: Buffer = Buffer.alloc(0);

/** The outgoing side of a socket. What is appended in one turn of the event loop is written together. */
export class MsrpOutput {
  readonly #socket: Socket;
  readonly #receiveWritten: (bytes: Buffer) => void;
  readonly #receiveFlushed: () => void;
  readonly #flush = (): void => this.flush();
  #block = EMPTY;
  /** What of the block the socket has, and what is written into it. */
  #handed = 0;
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
    return this.#used - this.#handed + this.#socket.writableLength;
  }

  /** Appends one frame; `head` and `tail` are ASCII. The body must not be changed until it is written. */
  append(head: string, body?: Buffer, tail = ''): void {
    this.#appendText(head);
    if (body !== undefined && body.length > 0) {
      // Between two large bodies lies one piece of a block: the end of a frame and the head of the next.
      if (body.length > GATHER_BYTES) {
        this.#handOver();
        this.#write(body);
      } else {
        this.#reserve(body.length);
        this.#block.set(body, this.#used);
        this.#used += body.length;
      }
    }
    if (tail !== '') this.#appendText(tail);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#socket.cork();
    process.nextTick(this.#flush);
  }

  /** Hands everything to the socket now. */
  flush(): void {
    if (!this.#scheduled) return;
    this.#scheduled = false;
    this.#handOver();
    const block = this.#block;
    this.#block = EMPTY;
    this.#handed = 0;
    this.#used = 0;
    this.#socket.uncork();
    if (block !== EMPTY && this.#socket.writableLength === 0 && spareBlocks.length < MAX_SPARE_BLOCKS) {
      spareBlocks.push(block);
    }
    this.#receiveFlushed();
  }

  #appendText(text: string): void {
    if (text.length > BLOCK_BYTES) {
      this.#handOver();
      this.#write(Buffer.from(text, 'latin1'));
      return;
    }
    this.#reserve(text.length);
    this.#used += this.#block.write(text, this.#used, 'latin1');
  }

  /** Room for so many bytes in one block. */
  #reserve(size: number): void {
    if (this.#block.length - this.#used >= size) return;
    this.#handOver();
    this.#block = spareBlocks.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
    this.#handed = 0;
    this.#used = 0;
  }

  #handOver(): void {
    if (this.#used === this.#handed) return;
    this.#write(this.#block.subarray(this.#handed, this.#used));
    this.#handed = this.#used;
  }

  #write(bytes: Buffer): void {
    if (!this.#socket.writable) return;
    this.#receiveWritten(bytes);
    this.#socket.write(bytes);
  }
}
