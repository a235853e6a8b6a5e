/**
 * Owns: the bytes of a file on their way into a message: read ahead into memory that is used again and again.
 * Called by: sending.ts through `MsrpBodySource`. Calls: the file system.
 */
import { close, read } from 'node:fs';
import type { MsrpBodySource } from './streams.ts';

const BLOCK_BYTES = 512 * 1024;
/** Together as much as may be unanswered, and the blocks that are being read. */
const BLOCKS = 12;
/** The disk is asked for so many blocks at once: none is waited for while there is something to send. */
const MAX_READS = 4;

interface Block {
  readonly bytes: Buffer;
  readonly wanted: number;
  used: number;
  /** What has been read so far. */
  length: number;
}

/** A part of a file, from `offset` to its end. Constant memory; the file is closed by `close`. */
export class FileSource implements MsrpBodySource {
  readonly size: number;
  readonly #file: number;
  readonly #end: number;
  /** Where the next block is read. */
  #offset: number;
  readonly #free: Buffer[] = [];
  #made = 0;
  /** Read or being read, in order; the first may be taken in part. */
  readonly #ahead: Block[] = [];
  /** Taken to their end, oldest first, until the peer has answered them. */
  readonly #taken: Block[] = [];
  #unreleased = 0;
  #reads = 0;
  #closed = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  /** `file` is a descriptor that is open for reading; from now on it belongs to the source. */
  constructor(file: number, range: { readonly offset: number; readonly size: number }) {
    this.#file = file;
    this.#offset = range.offset;
    this.size = range.size - range.offset;
    this.#end = range.size;
  }

  open(wake: () => void): void {
    this.#wake = wake;
    this.#readAhead();
  }

  take(maxBytes: number): Buffer | undefined {
    const [block] = this.#ahead;
    if (block === undefined || block.length < block.wanted) {
      if (this.#failure !== undefined) throw this.#failure;
      return undefined;
    }
    const from = block.used;
    block.used = Math.min(block.length, from + maxBytes);
    if (block.used === block.length) {
      this.#ahead.shift();
      this.#taken.push(block);
    }
    return block.bytes.subarray(from, block.used);
  }

  release(bytes: number): void {
    this.#unreleased += bytes;
    for (let block = this.#taken[0]; block !== undefined; block = this.#taken[0]) {
      if (this.#unreleased < block.length) break;
      this.#unreleased -= block.length;
      this.#taken.shift();
      this.#free.push(block.bytes);
    }
    this.#readAhead();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // What lies in the socket still belongs to it: the blocks are left to it, and none is read any more.
    this.#ahead.length = 0;
    this.#free.length = 0;
    if (this.#reads === 0) this.#closeFile();
  }

  #readAhead(): void {
    while (this.#reads < MAX_READS && !this.#closed && this.#offset < this.#end) {
      if (this.#failure !== undefined) return;
      const bytes = this.#free.pop() ?? this.#make();
      if (bytes === undefined) return;
      const block = { bytes, wanted: Math.min(bytes.length, this.#end - this.#offset), used: 0, length: 0 };
      this.#ahead.push(block);
      this.#read(block, this.#offset);
      this.#offset += block.wanted;
    }
  }

  #read(block: Block, offset: number): void {
    this.#reads += 1;
    const { bytes, length, wanted } = block;
    read(this.#file, bytes, length, wanted - length, offset + length, (error, found) => {
      this.#reads -= 1;
      if (this.#closed) {
        if (this.#reads === 0) this.#closeFile();
        return;
      }
      if (error !== null) this.#failure ??= error;
      else if (found === 0) this.#failure ??= new Error('the file has become shorter');
      else {
        block.length += found;
        // The system may read less than it was asked for.
        if (block.length < wanted) this.#read(block, offset);
        else this.#readAhead();
      }
      this.#wake();
    });
  }

  #make(): Buffer | undefined {
    if (this.#made >= BLOCKS) return undefined;
    this.#made += 1;
    return Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, Math.max(1, this.#end - this.#offset)));
  }

  #closeFile(): void {
    close(this.#file, () => undefined);
  }
}
