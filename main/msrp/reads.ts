/**
 * Owns: the memory that reads of connections which we opened go into: one block for all of them, used again and again.
 * Called by: endpoint.ts (made for a dial), dialer.ts (the socket), connection.ts (attached). Calls: the connection.
 */
import type { OnReadOpts } from 'node:net';

const BLOCK_BYTES = 64 * 1024;
/** A read is dealt with before the next one, on whatever socket, begins: one block is enough. */
const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);

/**
 * The reads of one socket. Node allocates 64 KB for each read otherwise, and collects the garbage for every 64 MB of them,
 * which costs more than the reading. Sockets that were accepted cannot be told where to read to.
 */
export class MsrpReads {
  #receive: ((bytes: Buffer) => void) | undefined;
  /** What has come before there was a connection for it. */
  #early: Buffer[] = [];

  /** The option of `net.connect` and `tls.connect`. */
  readonly onread: OnReadOpts = {
    buffer: block,
    callback: (size) => {
      const bytes = block.subarray(0, size);
      if (this.#receive === undefined) this.#early.push(Buffer.from(bytes));
      else this.#receive(bytes);
      return true;
    },
  };

  /** From now on `receive` gets what comes, first in the next tick; the bytes are gone when it returns. */
  attach(receive: (bytes: Buffer) => void): void {
    this.#receive = receive;
    const early = this.#early;
    this.#early = [];
    if (early.length > 0) process.nextTick(() => receive(Buffer.concat(early)));
  }
}
