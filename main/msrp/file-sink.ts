/**
 * Owns: the bytes of a message on their way into a file: written at their place, in order of arrival, a few at a time.
 * Called by: reassembly.ts through `MsrpBodySink`. Calls: the file system, then its owner.
 */
import { createHash, type Hash } from 'node:crypto';
import { fdatasync, writev } from 'node:fs';
import { ProtocolError } from '../base/protocol-error.ts';
import type { MsrpBodySink } from './streams.ts';

/** Above this nothing more is read from the connection, below `LOW_BYTES` it goes on. */
const HIGH_BYTES = 2 * 1024 * 1024;
const LOW_BYTES = 512 * 1024;
/** What comes is gathered in blocks, which are used again: what it came in is not ours. */
const BLOCK_BYTES = 128 * 1024;
/** Blocks of one write. */
const MAX_BLOCKS = 16;
/** Blocks that no sink holds any more. */
const MAX_SPARE_BLOCKS = 32;
const spareBlocks: Buffer[] = [];

/** What is written where, and what is expected of the whole. */
export interface FileSinkOptions {
  /** A descriptor that is open for writing; it stays its owner's. */
  readonly file: number;
  /** Where in the file the message begins: 0, or what lay there already. */
  readonly offset: number;
  /** The file has so many bytes and no more; undefined: as many as come, up to `maxBytes`. */
  readonly size: number | undefined;
  readonly maxBytes: number;
  /** Digests of what lies before `offset`; they go on with what comes. Without them nothing is digested. */
  readonly digests?: FileDigests;
  /** So many bytes from the beginning have been written without a gap. */
  readonly receiveProgress: (bytes: number) => void;
  readonly resume: () => void;
  /** Every byte has been written. Rejects with ProtocolError when it is not what was announced. */
  readonly receiveWhole: (size: number) => Promise<void>;
  /** The rest does not come; what is on its way to the disk has arrived there. */
  readonly receiveAbort: (error: ProtocolError | undefined) => void;
}

/** SHA-1 and SHA-256 of a file from its beginning on, in one go. */
export class FileDigests {
  readonly #sha1: Hash = createHash('sha1');
  readonly #sha256: Hash = createHash('sha256');
  /** Bytes digested. */
  length = 0;

  update(bytes: Buffer): void {
    this.#sha1.update(bytes);
    this.#sha256.update(bytes);
    this.length += bytes.length;
  }

  /** Lower-case hexadecimal. Called once. */
  finish(): { readonly sha1: string; readonly sha256: string } {
    return { sha1: this.#sha1.digest('hex'), sha256: this.#sha256.digest('hex') };
  }
}

/** Bytes that belong one behind the other. */
interface Gathered {
  readonly at: number;
  readonly block: Buffer;
  length: number;
}

/** Writes one message into a file. */
export class FileSink implements MsrpBodySink {
  readonly #options: FileSinkOptions;
  #queue: Gathered[] = [];
  #queuedBytes = 0;
  #full = false;
  #writing = false;
  #failure: ProtocolError | undefined;
  #aborted = false;
  /** Written without a gap from the beginning of the file on. */
  #prefix: number;
  /** Written behind a gap. */
  #scattered = false;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(options: FileSinkOptions) {
    this.#options = options;
    this.#prefix = options.offset;
  }

  /** Whether every byte came in its order: then the digests are those of the file. */
  get inOrder(): boolean {
    return !this.#scattered;
  }

  write(offset: number, bytes: Buffer): boolean {
    // The rest of a frame that was under way when the message was given up: the descriptor may be another file's now.
    if (this.#aborted) return true;
    if (this.#failure !== undefined) throw this.#failure;
    const { size, maxBytes } = this.#options;
    const at = this.#options.offset + offset;
    if (at + bytes.length > (size ?? maxBytes)) {
      this.#failure = new ProtocolError('FILE_TOO_LONG', 413, 'more bytes than the file was said to have');
      throw this.#failure;
    }
    this.#gather(at, bytes);
    this.#queuedBytes += bytes.length;
    this.#writeNext();
    this.#full ||= this.#queuedBytes > HIGH_BYTES;
    return !this.#full;
  }

  #gather(at: number, bytes: Buffer): void {
    for (let taken = 0; taken < bytes.length;) {
      let last = this.#queue.at(-1);
      if (last?.at !== at + taken - (last?.length ?? 0) || last.length === BLOCK_BYTES) {
        last = { at: at + taken, block: spareBlocks.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES), length: 0 };
        this.#queue.push(last);
      }
      const size = Math.min(bytes.length - taken, BLOCK_BYTES - last.length);
      bytes.copy(last.block, last.length, taken, taken + size);
      last.length += size;
      taken += size;
    }
  }

  async end(size: number): Promise<void> {
    await this.#written();
    if (this.#failure !== undefined) {
      this.#options.receiveAbort(this.#failure);
      throw this.#failure;
    }
    await this.#options.receiveWhole(this.#options.offset + size);
  }

  abort(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    void this.#written().then(() => {
      this.#options.receiveAbort(this.#failure);
    });
  }

  /** Resolves when nothing is on its way to the disk. */
  async #written(): Promise<void> {
    while (this.#isWriting()) {
      this.#idle ??= Promise.withResolvers();
      await this.#idle.promise;
    }
  }

  #isWriting(): boolean {
    return this.#writing;
  }

  #writeNext(): void {
    const [first] = this.#queue;
    if (this.#writing || first === undefined || this.#failure !== undefined) return;
    const buffers: Buffer[] = [];
    let end = first.at;
    for (const { at, block, length } of this.#queue) {
      if (at !== end || buffers.length >= MAX_BLOCKS) break;
      buffers.push(block.subarray(0, length));
      end += length;
    }
    const blocks = this.#queue.splice(0, buffers.length);
    this.#writing = true;
    this.#writeAll(buffers, first.at, (error) => {
      this.#writing = false;
      this.#queuedBytes -= end - first.at;
      if (error === undefined) this.#receiveWritten(first.at, end, buffers);
      else this.#fail(error);
      giveBack(blocks);
      if (this.#full && (this.#queuedBytes < LOW_BYTES || this.#failure !== undefined)) {
        this.#full = false;
        this.#options.resume();
      }
      this.#writeNext();
      if (this.#isWriting()) return;
      this.#idle?.resolve();
      this.#idle = undefined;
    });
  }

  /** A disk that is nearly full takes a part and says so with the next write only. */
  #writeAll(buffers: Buffer[], at: number, done: (error?: NodeJS.ErrnoException) => void): void {
    writev(this.#options.file, buffers, at, (error, written) => {
      if (error !== null) {
        done(error);
        return;
      }
      let rest = written;
      const left = buffers.flatMap((bytes) => {
        const taken = Math.min(rest, bytes.length);
        rest -= taken;
        return taken < bytes.length ? [bytes.subarray(taken)] : [];
      });
      if (left.length === 0) done();
      else this.#writeAll(left, at + written, done);
    });
  }

  #receiveWritten(from: number, to: number, buffers: readonly Buffer[]): void {
    if (from !== this.#prefix) {
      this.#scattered = true;
      return;
    }
    for (const bytes of buffers) this.#options.digests?.update(bytes);
    this.#prefix = to;
    this.#options.receiveProgress(to);
  }

  #fail(error: NodeJS.ErrnoException): void {
    this.#failure = fileError(error);
    giveBack(this.#queue);
    this.#queue = [];
    this.#queuedBytes = 0;
  }
}

function giveBack(gathered: readonly Gathered[]): void {
  for (const { block } of gathered) if (spareBlocks.length < MAX_SPARE_BLOCKS) spareBlocks.push(block);
}

/** What a failure of the disk means for the sender: stop (RFC 4975 §10.5). */
export function fileError(error: NodeJS.ErrnoException): ProtocolError {
  const full = error.code === 'ENOSPC' || error.code === 'EDQUOT' || error.code === 'EFBIG';
  return new ProtocolError(full ? 'FILE_DISK_FULL' : 'FILE_NOT_WRITTEN', 413, error.message);
}

/** Resolves when what was written survives a power cut. Rejects with the system's error. */
export function syncFile(file: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  fdatasync(file, (error) => {
    if (error === null) resolve();
    else reject(error);
  });
  return promise;
}
