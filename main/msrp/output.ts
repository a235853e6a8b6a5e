/**
 * Owns: the bytes on their way into one socket: small frames of one turn leave in one write, large bodies uncopied.
 * Called by: connection.ts. Calls: the socket.
 */
import type { Socket } from 'node:net';

/** Bodies up to this size are gathered with their heads; a larger one goes to the socket as it is. */
const GATHER_BYTES = 4 * 1024;
const BLOCK_BYTES = 16 * 1024;
/** For what goes over TLS: a chunk with its head. Several at once would leave the processor's cache while encrypted. */
const LARGE_BLOCK_BYTES = 72 * 1024;
/** Blocks that no socket holds any more, for the next connection that writes. */
const MAX_SPARE_BLOCKS = 32;
const MAX_SPARE_LARGE_BLOCKS = 4;
const spareBlocks: Buffer[] = [];
const spareLargeBlocks: Buffer[] = [];
const EMPTY: Buffer = Buffer.alloc(0);
/** Turns of the event loop that a patient frame waits for others, while the peer goes on sending. */
const MAX_PATIENT_TURNS = 4;

/**
 * The outgoing side of a socket. What is appended in one turn of the event loop is written together: the answers to all
 * that was read in it leave in one write.
 */
export class MsrpOutput {
  readonly #socket: Socket;
  readonly #receiveWritten: (bytes: Buffer) => void;
  readonly #receiveFlushed: () => void;
  readonly #endTurn = (): void => {
    if (this.#isPatient && this.#hasRead && this.#turns < MAX_PATIENT_TURNS) {
      this.#turns++;
      this.#hasRead = false;
      setImmediate(this.#endTurn);
    } else this.flush();
  };
  /** TLS copies what consists of several pieces into memory of its own, fresh each time: better into ours. */
  readonly #gathersAll: boolean;
  #block = EMPTY;
  /** What of the block the socket has, and what is written into it. */
  #handed = 0;
  #used = 0;
  #scheduled = false;
  /** Nothing waits but frames that may wait for others. */
  #isPatient = true;
  #turns = 0;
  #hasRead = false;

  /** `receiveWritten` sees each buffer as it is written; `receiveFlushed` is called after each turn's writes. */
  constructor(socket: Socket, receiveWritten: (bytes: Buffer) => void, receiveFlushed: () => void) {
    this.#socket = socket;
    this.#gathersAll = 'encrypted' in socket;
    this.#receiveWritten = receiveWritten;
    this.#receiveFlushed = receiveFlushed;
  }

  /** Bytes that the kernel has not taken yet. */
  get queuedBytes(): number {
    return this.#used - this.#handed + this.#socket.writableLength;
  }

  /** Something has come from the peer. */
  receiveRead(): void {
    this.#hasRead = true;
  }

  /**
   * Appends one frame; `head` and `tail` are ASCII. The body must not be changed until it is written. A `patient` frame
   * leaves with others, at the latest when the peer pauses.
   */
  append(head: string, body?: Buffer, tail = '', patient = false): void {
    if (!patient) this.#isPatient = false;
    if (this.#gathersAll)
      this.#reserve(Math.min(head.length + (body?.length ?? 0) + tail.length, LARGE_BLOCK_BYTES));
    this.#appendText(head);
    if (body !== undefined && body.length > 0) {
      // Between two large bodies lies one piece of a block: the end of a frame and the head of the next.
      if (body.length > (this.#gathersAll ? LARGE_BLOCK_BYTES : GATHER_BYTES)) {
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
    setImmediate(this.#endTurn);
  }

  /** Hands everything to the socket now. */
  flush(): void {
    if (!this.#scheduled) return;
    this.#scheduled = false;
    this.#isPatient = true;
    this.#turns = 0;
    this.#handOver();
    const block = this.#block;
    this.#block = EMPTY;
    this.#handed = 0;
    this.#used = 0;
    this.#socket.uncork();
    if (
      block.length === BLOCK_BYTES &&
      this.#socket.writableLength === 0 &&
      spareBlocks.length < MAX_SPARE_BLOCKS
    ) {
      spareBlocks.push(block);
    }
    this.#receiveFlushed();
  }

  #appendText(text: string): void {
    if (text.length > GATHER_BYTES) {
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
    this.#block =
      size > GATHER_BYTES
        ? (spareLargeBlocks.pop() ?? Buffer.allocUnsafeSlow(LARGE_BLOCK_BYTES))
        : (spareBlocks.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES));
    this.#handed = 0;
    this.#used = 0;
  }

  #handOver(): void {
    const block = this.#block;
    if (this.#used === this.#handed) return;
    const bytes = block.subarray(this.#handed, this.#used);
    this.#handed = this.#used;
    const isLarge = block.length === LARGE_BLOCK_BYTES;
    if (!this.#gathersAll && !isLarge) {
      this.#write(bytes);
      return;
    }
    this.#write(bytes, () => {
      // Such a block is handed over once, when it is full or the turn ends; TLS says when it is encrypted.
      if (isLarge && spareLargeBlocks.length < MAX_SPARE_LARGE_BLOCKS) spareLargeBlocks.push(block);
      // What goes to TLS at once is less than a socket tells the end of.
      this.#receiveFlushed();
    });
  }

  #write(bytes: Buffer, receiveTaken?: () => void): void {
    if (!this.#socket.writable) return;
    this.#receiveWritten(bytes);
    this.#socket.write(bytes, receiveTaken);
  }
}
