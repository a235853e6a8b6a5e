/**
 * Owns: how files come to the server and leave it: the place that they come to, what is under way, their bytes on the disk.
 * Called by: kept-files.ts for people, rooms/room-files.ts for rooms. Calls: kept-file-call.ts, msrp/file-sink.ts.
 */
import { randomBytes } from 'node:crypto';
import { open as openFile } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import { KEPT_FILE_LIMITS, type KeptFileLimits } from '../base/file-limits.ts';
import type { MSRP_LIMITS } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import { MsrpEndpoint } from '../msrp/endpoint.ts';
import { KEPT_ATTRIBUTE, type FileDescription } from '../msrp/file-sdp.ts';
import { FileDigests, FileSink } from '../msrp/file-sink.ts';
import { FileSource } from '../msrp/file-source.ts';
import type { MsrpDescription } from '../msrp/sdp.ts';
import type { MsrpSinkFor } from '../msrp/streams.ts';
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import type { IncomingInvite } from '../sip/agent/invite.ts';
import type { FileOnDisk } from '../store/kept-files.ts';
import type { ImServerStore } from './imserver-store.ts';
import { isAnyAddress } from './inner-address.ts';
import { KeptFileCall } from './kept-file-call.ts';
import type { ServerConfig } from './server-config.ts';

export interface FileDeskOptions {
  readonly config: ServerConfig;
  readonly store: ImServerStore;
  readonly log: Log;
  readonly addressToward: (remote: string) => Promise<string>;
  readonly limits?: Partial<KeptFileLimits> | undefined;
  readonly clock?: Clock;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
const FILE_LINE = /^a=file-selector\b/m;

/** Whether an INVITE is about a file. */
export function isAboutFile(request: AgentServerRequest): boolean {
  return FILE_LINE.test(request.body);
}

/** What we put there ourselves: nothing else in a folder that somebody has chosen is ours. */
const OWN_NAME = /^[0-9a-f]{32}(?:\.part)?$/;
const NOWHERE = { write: () => true, end: () => Promise.resolve(), abort: () => undefined };
const KEPT = [{ name: KEPT_ATTRIBUTE, value: undefined }];

/** The files of one server, whomever they are for. */
export class FileDesk implements AsyncDisposable {
  readonly clock: Clock;
  readonly limits: KeptFileLimits;
  readonly #options: FileDeskOptions;
  readonly #endpoint: MsrpEndpoint;
  readonly #folder: string;
  /** Users whose files come or go, once for each file. */
  readonly #busy: string[] = [];
  readonly #tasks = new Set<Promise<void>>();
  readonly #calls = new Set<KeptFileCall>();
  readonly #sweeps = new Set<Timer>();
  #ended = false;
  /** Bytes that have been promised a place. */
  #coming = 0;

  private constructor(options: FileDeskOptions, endpoint: MsrpEndpoint, folder: string) {
    this.#options = options;
    this.clock = options.clock ?? systemClock;
    this.limits = { ...KEPT_FILE_LIMITS, ...options.limits };
    this.#endpoint = endpoint;
    this.#folder = folder;
  }

  /** Listens; what was left half-written goes. Rejects with the system's error, or StoreError. */
  static async open(options: FileDeskOptions): Promise<FileDesk> {
    const { config, log, clock } = options;
    const folder = config.files.folder ?? join(config.data, 'files');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const maxCalls = options.limits?.maxCalls ?? KEPT_FILE_LIMITS.maxCalls;
    // All who fetch a file may be in one office.
    const limits = { maxConnectionsPerAddress: maxCalls } as Partial<typeof MSRP_LIMITS>;
    const endpoint = new MsrpEndpoint({ log, limits, ...(clock ? { clock } : {}) });
    const desk = new FileDesk(options, endpoint, folder);
    try {
      await endpoint.listen({ host: config.files.host ?? config.host, port: config.files.port });
      await desk.#removeStrays();
      return desk;
    } catch (error) {
      await desk[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The largest file that is taken. */
  get maxBytes(): number {
    const { fileBytes, userBytes } = this.#options.config.files;
    return Math.min(fileBytes, userBytes);
  }

  /** Bytes that have been promised a place and are not here yet. */
  get coming(): number {
    return this.#coming;
  }

  get expiresMs(): number {
    return this.clock.now() + this.#options.config.files.days * DAY_MS;
  }

  /** Whether somebody may come to us with such an offer at all. */
  takes({ path, setup }: MsrpDescription): boolean {
    const isEncrypted = path.at(-1)?.scheme === 'msrps';
    return setup !== 'passive' && (isEncrypted || this.#options.config.files.plain);
  }

  async hasDiskFor(size: number): Promise<boolean> {
    const disk = await statfs(this.#folder);
    return size + this.#coming + this.limits.spareDiskBytes <= disk.bavail * disk.bsize;
  }

  /** A file comes or goes for this user, until `work` is over. False: too many do, and nothing was begun. */
  run(user: string, work: () => Promise<unknown>): boolean {
    const ofUser = this.#busy.filter((one) => one === user).length;
    if (this.#busy.length >= this.limits.maxCalls || ofUser >= this.limits.maxCallsPerUser) return false;
    this.#busy.push(user);
    const task = work()
      .then(() => undefined)
      .catch((error: unknown) => {
        this.#options.log.info('file.call-failed', { error });
      })
      .finally(() => {
        this.#busy.splice(this.#busy.indexOf(user), 1);
        this.#tasks.delete(task);
      });
    this.#tasks.add(task);
    return true;
  }

  /** As an offer describes it; where it lies nobody else has to know. */
  describe({ size, transferId, name, type, sha1, sha256 }: FileDescription, sender: string): FileOnDisk {
    return {
      id: randomBytes(16).toString('hex'),
      ...{ sender, size: size ?? 0, expiresMs: this.expiresMs },
      transferId: transferId ?? '',
      name: name ?? '',
      type: type ?? 'application/octet-stream',
      sha1: sha1 ?? null,
      sha256: sha256 ?? null,
    };
  }

  /**
   * A file comes. Its sender hears that it is kept when it is whole, checked, on the disk, and `keep` has resolved; when
   * that rejects, it is not kept.
   */
  async take(
    invite: IncomingInvite,
    offer: MsrpDescription,
    file: FileOnDisk,
    keep: () => Promise<void>,
  ): Promise<void> {
    const { id, size } = file;
    const part = join(this.#folder, `${id}.part`);
    let promised = size;
    this.#coming += promised;
    // From then on it counts where it is kept, or nowhere.
    const release = (): void => {
      this.#coming -= promised;
      promised = 0;
    };
    const handle = await open(part, 'wx', 0o600);
    const settled = Promise.withResolvers<void>();
    const message = { isTaken: false };
    const digests = new FileDigests();
    const sinkFor: MsrpSinkFor = (_head, resume) => {
      if (message.isTaken) throw new ProtocolError('FILE_SECOND_MESSAGE', 413, 'one file only');
      message.isTaken = true;
      const sink: FileSink = new FileSink({
        ...{ file: handle.fd, offset: 0, size, maxBytes: size, digests, resume },
        receiveProgress: () => undefined,
        receiveWhole: async (bytes) => {
          try {
            if (!sink.inOrder || bytes !== size) throw damaged('it did not come in one piece');
            check(digests, file);
            await handle.datasync();
            await this.#keep(part, id, keep);
          } finally {
            release();
            settled.resolve();
          }
        },
        receiveAbort: () => {
          settled.resolve();
        },
      });
      return sink;
    };
    try {
      await using call = await this.#createCall(invite, offer, sinkFor);
      await call.accept(invite, describe(file, 'recvonly', 0), KEPT);
      await this.#within(Promise.race([call.over, settled.promise]));
      // The sender hangs up when it has our last answer.
      if (message.isTaken) await settled.promise;
      await this.#within(call.over, this.limits.byeMs);
    } finally {
      release();
      await handle.close();
      await rm(part, { force: true });
    }
  }

  async #keep(part: string, id: string, keep: () => Promise<void>): Promise<void> {
    await rename(part, join(this.#folder, id));
    try {
      await syncNames(this.#folder);
      await keep();
    } catch (error) {
      await this.remove(id);
      throw error;
    }
  }

  /** It is here already: the answer to its last byte was lost. */
  async confirm(invite: IncomingInvite, offer: MsrpDescription, file: FileOnDisk): Promise<void> {
    await using call = await this.#createCall(invite, offer, () => NOWHERE);
    await call.accept(invite, describe(file, 'recvonly', file.size), KEPT);
    await this.#within(call.over);
  }

  /** Somebody comes for a file, or for the rest of it. `gone`: it does not lie there any more, and he has been told so. */
  async serve(
    invite: IncomingInvite,
    offer: MsrpDescription,
    file: FileOnDisk,
    start: number,
  ): Promise<'served' | 'broken' | 'gone'> {
    const offset = start <= file.size ? start : 0;
    const source = await openSource(join(this.#folder, file.id), offset, file.size);
    if (source === undefined) {
      await invite.reject(410, { reason: 'No such file' });
      return 'gone';
    }
    try {
      await using call = await this.#createCall(invite, offer, () => {
        throw new ProtocolError('FILE_NOT_WANTED', 413, 'nothing is taken here');
      });
      await call.accept(invite, describe(file, 'sendonly', offset), []);
      const status = await this.#within(call.send(randomBytes(12).toString('hex'), file.type, source));
      return status === 200 ? 'served' : 'broken';
    } finally {
      source.close();
    }
  }

  /** Takes it off the disk. */
  async remove(id: string): Promise<void> {
    await rm(join(this.#folder, id), { force: true });
  }

  /** Now and from time to time, until the desk ends. Rejects when the first time fails. */
  async sweepRegularly(expire: () => Promise<void>): Promise<void> {
    await expire();
    this.#sweepLater(expire);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    for (const sweep of this.#sweeps) sweep[Symbol.dispose]();
    await this.#endpoint[Symbol.asyncDispose]();
    // To those that nobody has come to, the end of the endpoint means nothing.
    await Promise.all([...this.#calls].map((call) => call[Symbol.asyncDispose]()));
    await Promise.all(this.#tasks);
  }

  #sweepLater(expire: () => Promise<void>): void {
    if (this.#ended) return;
    const sweep = this.clock.startTimer(this.limits.sweepMs, () => {
      this.#sweeps.delete(sweep);
      expire()
        .catch((error: unknown) => {
          this.#options.log.error('file.sweep-failed', { error });
        })
        .finally(() => {
          this.#sweepLater(expire);
        });
    });
    this.#sweeps.add(sweep);
  }

  async #createCall(
    invite: IncomingInvite,
    offer: MsrpDescription,
    sinkFor: MsrpSinkFor,
  ): Promise<KeptFileCall> {
    const { config, addressToward } = this.#options;
    const host = config.files.host ?? config.host;
    const remote = invite.request.source.address;
    const call = new KeptFileCall({
      ...{ endpoint: this.#endpoint, limits: this.limits, clock: this.clock, offer, sinkFor },
      advertisedHost: config.files.name ?? (isAnyAddress(host) ? await addressToward(remote) : host),
    });
    this.#calls.add(call);
    void call.over.then(() => this.#calls.delete(call));
    return call;
  }

  /** Rejects when it takes too long. */
  async #within<T>(work: Promise<T>, ms = this.limits.callMs): Promise<T> {
    const late = Promise.withResolvers<never>();
    using _limit = this.clock.startTimer(ms, () => {
      late.reject(new Error('it took too long'));
    });
    return await Promise.race([work, late.promise]);
  }

  /** A crash may leave bytes that nobody knows of. */
  async #removeStrays(): Promise<void> {
    const known = new Set(await this.#options.store.call('selectKeptFileIds', null));
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      // Another node may be writing it.
      const isNew = this.#options.store.isShared && (await ageOf(path)) < DAY_MS;
      if (OWN_NAME.test(name) && !known.has(name) && !isNew) await rm(path, { force: true });
    }
  }
}

/** In ms; of what is gone: for ever. */
async function ageOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? Infinity : Date.now() - found.mtimeMs;
}

function describe(file: FileOnDisk, direction: FileDescription['direction'], start: number): FileDescription {
  return {
    direction,
    name: file.name,
    type: file.type,
    size: file.size,
    sha1: file.sha1 ?? undefined,
    sha256: file.sha256 ?? undefined,
    transferId: file.transferId,
    disposition: 'attachment',
    modifiedMs: undefined,
    start,
    iconId: undefined,
  };
}

/** Throws ProtocolError 400: it is not what was announced. */
function check(digests: FileDigests, { sha1, sha256 }: FileOnDisk): void {
  const found = digests.finish();
  if (sha256 !== null && sha256 !== found.sha256) throw damaged('SHA-256 is another one');
  if (sha1 !== null && sha1 !== found.sha1) throw damaged('SHA-1 is another one');
}

function damaged(why: string): ProtocolError {
  return new ProtocolError('FILE_DAMAGED', 400, why);
}

/** Whether the hashes in a description are those of a file, as far as both say them. */
export function isSameFile(file: FileOnDisk, { sha1, sha256, size }: FileDescription): boolean {
  return (
    (size === undefined || size === file.size) &&
    (sha256 === undefined || file.sha256 === null || sha256 === file.sha256) &&
    (sha1 === undefined || file.sha1 === null || sha1 === file.sha1)
  );
}

/** Forces the names in a folder to the disk; Windows does so by itself, and knows no handle of a folder. */
async function syncNames(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  await using handle = await open(folder, 'r');
  await handle.sync();
}

function openSource(path: string, offset: number, size: number): Promise<FileSource | undefined> {
  const { promise, resolve } = Promise.withResolvers<FileSource | undefined>();
  openFile(path, 'r', (error, file) => {
    resolve(error === null ? new FileSource(file, { offset, size }) : undefined);
  });
  return promise;
}
