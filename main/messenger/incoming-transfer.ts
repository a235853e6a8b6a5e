/**
 * Owns: a file on its way in: a part file that grows, what of it is safe, the check of the whole, its final name.
 * Called by: transfers.ts. Calls: file-call.ts, msrp/file-sink.ts, file-name.ts.
 */
import { constants } from 'node:fs';
import { mkdir, open, rm, stat, statfs, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ProtocolError } from '../base/protocol-error.ts';
import type { FileDescription } from '../msrp/file-sdp.ts';
import { fileError, FileDigests, FileSink, syncFile } from '../msrp/file-sink.ts';
import type { MsrpSinkFor } from '../msrp/streams.ts';
import { FileCall, type FileCallContext, type FileCallStart } from './file-call.ts';
import { fileFacts } from './file-offer.ts';
import { digestFile } from './file-digest.ts';
import { placeFile } from './file-name.ts';
import type { AskedFile, TransferHost, TransferRecord } from './transfer-record.ts';

/** How an attempt is made: by answering the offer that waits, or by asking for the file. */
type FileWay = { readonly asked: AskedFile } | { readonly context: FileCallContext };

/** Receives the file, or the rest of it. Whatever comes of it is in its state afterwards. */
export async function receiveFile(host: TransferHost, record: TransferRecord, way: FileWay): Promise<void> {
  let part: PartFile;
  try {
    part = await PartFile.open(host, record);
  } catch (error) {
    const { code } = error instanceof ProtocolError ? error : fileError(error as NodeJS.ErrnoException);
    if ('asked' in way) await way.asked.invite.reject(413);
    await failLocally(record, code);
    return;
  }
  await using _part = part;
  const context = 'asked' in way ? way.asked.context : way.context;
  const call = new FileCall(context, part.sinkFor);
  record.call = call;
  const local = describe(record, part.start);
  const start =
    'asked' in way ? await call.accept(way.asked.invite, way.asked.offer, local) : await call.invite(local);
  if (start.kind !== 'open') {
    await receiveRefusal(record, start, 'asked' in way);
    return;
  }
  if (record.state === 'paused' || record.state === 'cancelled') {
    await call.end();
    return;
  }
  await record.update({ state: 'transferring', failure: null });
  await Promise.race([part.settled, call.over]);
  await leave(host, call, part.isWhole || part.failure !== undefined);
  await part.close();
  if (record.state !== 'transferring') return;
  if (part.failure !== undefined) await failLocally(record, part.failure.code);
  else await record.update({ state: 'waiting' });
}

/** The sender hangs up when it has our last answer, good or bad; one that does not is not waited for. */
async function leave(host: TransferHost, call: FileCall, isAnswered: boolean): Promise<void> {
  if (isAnswered) {
    const late = Promise.withResolvers<void>();
    using _limit = host.clock.startTimer(host.limits.fileByeMs, () => {
      late.resolve();
    });
    await Promise.race([call.over, late.promise]);
  }
  await call.end();
}

/** A file that is here already is confirmed once more: the answer to its last byte was lost. */
export async function confirmFile(record: TransferRecord, asked: AskedFile): Promise<void> {
  const nowhere = { write: () => true, end: () => Promise.resolve(), abort: () => undefined };
  const call = new FileCall(asked.context, () => nowhere);
  const start = await call.accept(asked.invite, asked.offer, describe(record, record.stored.size ?? 0));
  if (start.kind === 'open') await call.over;
}

async function failLocally(record: TransferRecord, code: string): Promise<void> {
  switch (code) {
    case 'FILE_DISK_FULL':
      await record.fail(
        'disk-full',
        'The disk is full. Make room, then try again: it goes on where it stopped.',
      );
      return;
    case 'FILE_DAMAGED':
      await record.fail('damaged', 'It did not arrive as it was sent. Try again.');
      return;
    case 'FILE_TOO_LONG':
      await record.fail('too-large', 'The other side sent more than it had announced.');
      return;
    default:
      await record.fail('not-written', 'The folder for received files cannot be written.');
  }
}

async function receiveRefusal(
  record: TransferRecord,
  start: Exclude<FileCallStart, { kind: 'open' }>,
  asked: boolean,
): Promise<void> {
  if (record.isSettled || record.state === 'paused') return;
  const status = start.kind === 'refused' ? start.status : 0;
  if (!asked && [403, 404, 410, 415, 488, 603, 604, 606].includes(status)) {
    await record.fail('gone', 'The other side does not offer this file any more.');
  } else await record.update({ state: 'waiting' });
}

function describe(record: TransferRecord, start: number): FileDescription {
  return {
    direction: 'recvonly',
    ...fileFacts(record.stored),
    disposition: 'attachment',
    modifiedMs: undefined,
    start,
    iconId: undefined,
  };
}

/** `<message id>.part` beside the files that are whole. */
class PartFile implements AsyncDisposable {
  readonly start: number;
  isWhole = false;
  failure: ProtocolError | undefined;
  readonly #host: TransferHost;
  readonly #record: TransferRecord;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #settled = Promise.withResolvers<void>();
  #digests: FileDigests;
  #sink: FileSink | undefined;
  /** Written without a gap from the beginning on. */
  #written: number;
  #checkpoint: Disposable | undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    host: TransferHost,
    record: TransferRecord,
    opened: { path: string; file: FileHandle; digests: FileDigests },
  ) {
    this.#host = host;
    this.#record = record;
    this.#path = opened.path;
    this.#file = opened.file;
    this.#digests = opened.digests;
    this.start = opened.digests.length;
    this.#written = this.start;
  }

  /** Rejects with ProtocolError `FILE_DISK_FULL` or the system's error. */
  static async open(host: TransferHost, record: TransferRecord): Promise<PartFile> {
    const { folder, limits } = host;
    const { size, sha1, sha256, bytesDone, partPath, messageId } = record.stored;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = partPath ?? join(folder, `${messageId}.part`);
    const present = await stat(path).then(
      (found) => found.size,
      () => 0,
    );
    // What cannot be checked in the end is not pieced together.
    const isResumable = size !== null && (sha1 !== null || sha256 !== null);
    const start = isResumable ? Math.min(bytesDone, present, size) : 0;
    const disk = await statfs(folder);
    if ((size ?? 0) - start + limits.spareDiskBytes > disk.bavail * disk.bsize) {
      throw new ProtocolError('FILE_DISK_FULL', 413, 'not enough room on the disk');
    }
    const digests = await (start === 0 ? new FileDigests() : digestFile(path, start));
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      await file.truncate(start);
      await record.update({ partPath: path, bytesDone: start });
      return new PartFile(host, record, { path, file, digests });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Resolves when the whole file is checked and has its name, or when the rest does not come. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /** The one message of the session is the file; what else comes is not wanted. */
  readonly sinkFor: MsrpSinkFor = ({ byteRange }, resume) => {
    if (this.#sink !== undefined) throw new ProtocolError('FILE_SECOND_MESSAGE', 413, 'one file only');
    const { size } = this.#record.stored;
    // Who knows nothing of ranges of files begins anew, whatever was asked for.
    const begins = this.start > 0 && byteRange.total === size;
    if (begins) {
      this.#digests = new FileDigests();
      this.#written = 0;
    }
    this.#sink = new FileSink({
      file: this.#file.fd,
      offset: begins ? 0 : this.start,
      size: size ?? undefined,
      maxBytes: this.#host.limits.maxUnknownFileBytes,
      digests: this.#digests,
      resume,
      receiveProgress: (bytes) => {
        this.#written = bytes;
        this.#record.receiveProgress(bytes);
      },
      receiveWhole: (whole) => this.#receiveWhole(whole),
      receiveAbort: (error) => {
        this.failure ??= error;
        this.#settled.resolve();
      },
    });
    this.#checkLater();
    return this.#sink;
  };

  /** Keeps what is safe; resolves when the file is closed. Harmless twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#checkpoint?.[Symbol.dispose]();
    try {
      if (!this.isWhole && this.#sink !== undefined) {
        // What the sink has taken is written to its end first.
        await this.#settled.promise;
        await syncFile(this.#file.fd);
        await this.#record.checkpoint(this.failure?.code === 'FILE_DAMAGED' ? 0 : this.#written);
      }
    } catch (error) {
      this.#host.log.info('file.not-safe', { error });
    } finally {
      if (!this.isWhole) await this.#file.close();
    }
    const drop = this.#record.state === 'cancelled' || this.failure?.code === 'FILE_DAMAGED';
    if (drop) await rm(this.#path, { force: true });
  }

  /** From time to time what is written is forced to the disk: from there it goes on after a power cut. */
  #checkLater(): void {
    const { clock, limits } = this.#host;
    this.#checkpoint = clock.startTimer(limits.checkpointMs, () => {
      const written = this.#written;
      syncFile(this.#file.fd).then(
        async () => {
          if (this.#closing !== undefined || this.isWhole) return;
          await this.#record.checkpoint(written);
          if (this.#checkpoint !== undefined) this.#checkLater();
        },
        () => undefined,
      );
    });
  }

  /** The sender hears that it has arrived when it is on disk under its name, and is what was announced. */
  async #receiveWhole(size: number): Promise<void> {
    try {
      const { stored } = this.#record;
      if (stored.size !== null && stored.size !== size) throw damaged('it is shorter than was announced');
      await this.#check(size);
      await this.#file.datasync();
      this.isWhole = true;
      this.#checkpoint?.[Symbol.dispose]();
      await this.#file.close();
      const path = await placeFile(this.#path, this.#host.folder, stored.name);
      const { isFetched } = this.#record;
      // What our user has sent may be asked for here as well: then it has to be the file that it is now.
      const modified = isFetched ? { modifiedMs: Math.round((await stat(path)).mtimeMs) } : {};
      await this.#record.update({ state: 'done', size, bytesDone: size, path, partPath: null, ...modified });
    } catch (error) {
      this.failure = error instanceof ProtocolError ? error : fileError(error as NodeJS.ErrnoException);
      throw this.failure;
    } finally {
      this.#settled.resolve();
    }
  }

  async #check(size: number): Promise<void> {
    const { sha1, sha256 } = this.#record.stored;
    if (sha1 === null && sha256 === null) return;
    const inOrder = this.#sink?.inOrder === true && this.#digests.length === size;
    const found = (inOrder ? this.#digests : await digestFile(this.#path, size)).finish();
    if (sha256 !== null && sha256 !== found.sha256) throw damaged('SHA-256 is another one');
    if (sha1 !== null && sha1 !== found.sha1) throw damaged('SHA-1 is another one');
  }
}

function damaged(why: string): ProtocolError {
  return new ProtocolError('FILE_DAMAGED', 400, why);
}
