/**
 * Owns: files for people who are away, and for the other devices of a user: taken, kept on disk, handed to who comes for
 * them. Called by: b2bua.ts with each INVITE about a file. Calls: kept-file-call.ts, msrp/file-sink.ts, the store.
 *
 * The server answers an offer in the place of somebody who is not there, and puts that same offer among his messages. His
 * program asks for the file as for any other (RFC 5547 §8.2, `recvonly`), and the server answers again, before its sender.
 * What a device offers to its own user is for his other devices: they hear of it among their copies.
 */
import { randomBytes } from 'node:crypto';
import { open as openFile } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import { CPIM_TYPE, formatCpim } from '../base/cpim.ts';
import { KEPT_FILE_LIMITS, type KeptFileLimits } from '../base/file-limits.ts';
import { imdnRequestHeaders } from '../base/imdn.ts';
import { IMSERVER_LIMITS } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import { MsrpEndpoint } from '../msrp/endpoint.ts';
import { readInviteBody } from '../msrp/file-body.ts';
import { KEPT_ATTRIBUTE, parseFile, type FileDescription } from '../msrp/file-sdp.ts';
import { FileDigests, FileSink } from '../msrp/file-sink.ts';
import { FileSource } from '../msrp/file-source.ts';
import { parseMsrpDescription, type MsrpDescription } from '../msrp/sdp.ts';
import type { MsrpSinkFor } from '../msrp/streams.ts';
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import type { SipAgent } from '../sip/agent/agent.ts';
import { IncomingInvite } from '../sip/agent/invite.ts';
import type { KeptFile, KeptFileCeilings } from '../store/kept-files.ts';
import type { ImServerStore } from './imserver-store.ts';
import { isAnyAddress } from './inner-address.ts';
import { buildKeptReport, type KeptReport } from './kept-file-reports.ts';
import { KeptFileCall } from './kept-file-call.ts';
import type { ServerConfig } from './server-config.ts';

export interface KeptFilesOptions {
  readonly agent: SipAgent;
  readonly config: ServerConfig;
  readonly store: ImServerStore;
  readonly log: Log;
  readonly addressToward: (remote: string) => Promise<string>;
  /** Something waits for this user. */
  readonly receiveKept: (user: string) => void;
  /** A report of one user to another, as if his program had sent it. */
  readonly sendReport: (report: KeptReport) => void;
  /** Devices of a user that are there. */
  readonly deviceCount: (user: string) => number;
  readonly limits?: Partial<KeptFileLimits> | undefined;
  readonly clock?: Clock;
}

/** Whom an INVITE is from and for. */
interface Parties {
  readonly caller: string;
  readonly called: string;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
/** The CPIM head around an offer that waits. */
const HEAD_BYTES = 2 * 1024;
const FILE_LINE = /^a=file-selector\b/m;

/** Whether an INVITE is about a file. */
export function isAboutFile(request: AgentServerRequest): boolean {
  return FILE_LINE.test(request.body);
}

/** What we put there ourselves: nothing else in a folder that somebody has chosen is ours. */
const OWN_NAME = /^[0-9a-f]{32}(?:\.part)?$/;
const NOWHERE = { write: () => true, end: () => Promise.resolve(), abort: () => undefined };

/** The files of one server. */
export class KeptFiles implements AsyncDisposable {
  readonly #options: KeptFilesOptions;
  readonly #clock: Clock;
  readonly #limits: KeptFileLimits;
  readonly #endpoint: MsrpEndpoint;
  readonly #folder: string;
  /** Users whose files come or go, once for each file. */
  readonly #busy: string[] = [];
  readonly #tasks = new Set<Promise<void>>();
  /** Bytes that have been promised a place. */
  #coming = 0;
  #sweep: Timer | undefined;

  private constructor(options: KeptFilesOptions, endpoint: MsrpEndpoint, folder: string) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limits = { ...KEPT_FILE_LIMITS, ...options.limits };
    this.#endpoint = endpoint;
    this.#folder = folder;
  }

  /** Listens; what was left half-written goes. Rejects with the system's error, or StoreError. */
  static async open(options: KeptFilesOptions): Promise<KeptFiles> {
    const { config, log, clock } = options;
    const folder = config.files.folder ?? join(config.data, 'files');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const endpoint = new MsrpEndpoint({ log, ...(clock ? { clock } : {}) });
    const files = new KeptFiles(options, endpoint, folder);
    try {
      await endpoint.listen({ host: config.files.host ?? config.host, port: config.files.port });
      await files.#removeStrays();
      files.#sweepLater();
      return files;
    } catch (error) {
      await files[Symbol.asyncDispose]();
      throw error;
    }
  }

  get port(): number {
    return this.#endpoint.port;
  }

  /** True: it is about a file that the server takes or has, and answered. Rejects with StoreError. */
  async receiveInvite(request: AgentServerRequest, parties: Parties, isAbsent: boolean): Promise<boolean> {
    if (!isAboutFile(request)) return false;
    const invite = new IncomingInvite(this.#options.agent, request);
    const { sdp } = readInviteBody(invite.contentType, invite.sdp, 0);
    const offer = parseMsrpDescription(sdp);
    const file = offer && parseFile(offer);
    if (offer === undefined || file?.transferId === undefined || !this.#mayCall(parties.caller, offer))
      return false;
    const { caller, called } = parties;
    const isWish = file.direction === 'recvonly';
    // The offer waits as a message does, so it may be as large as one.
    const isSmall = request.message.body.length + HEAD_BYTES <= IMSERVER_LIMITS.maxDeferredBytes;
    if (!isWish && caller !== called && (!isAbsent || !isSmall)) return false;
    const known = isWish
      ? ((await this.#find(called, caller, file)) ?? (await this.#find(caller, caller, file)))
      : await this.#find(caller, called, file);
    if (isWish && known === null) return false;
    const task =
      known !== null
        ? isWish
          ? this.#serve(invite, offer, known, file.start)
          : this.#confirm(invite, offer, known)
        : (await this.#mayTake(parties, file)) && this.#take(invite, offer, file, parties);
    if (task === false) return false;
    this.#run(caller, task);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sweep?.[Symbol.dispose]();
    this.#sweep = undefined;
    await this.#endpoint[Symbol.asyncDispose]();
    await Promise.all(this.#tasks);
  }

  /** What a device has left for others of its user counts only when it is the file that is meant: its id came from outside. */
  async #find(sender: string, recipient: string, file: FileDescription): Promise<KeptFile | null> {
    const { transferId = '', sha1, sha256 } = file;
    const nowMs = this.#clock.now();
    const kept = await this.#options.store.call('selectKeptFile', { sender, recipient, transferId, nowMs });
    if (kept === null || sender !== recipient) return kept;
    const isOther =
      (sha256 !== undefined && kept.sha256 !== null && sha256 !== kept.sha256) ||
      (sha1 !== undefined && kept.sha1 !== null && sha1 !== kept.sha1);
    return isOther ? null : kept;
  }

  #run(user: string, work: Promise<void>): void {
    this.#busy.push(user);
    const task = work
      .catch((error: unknown) => {
        this.#options.log.info('file.call-failed', { error });
      })
      .finally(() => {
        this.#busy.splice(this.#busy.indexOf(user), 1);
        this.#tasks.delete(task);
      });
    this.#tasks.add(task);
  }

  #mayCall(user: string, offer: MsrpDescription): boolean {
    const { maxCalls, maxCallsPerUser } = this.#limits;
    const isEncrypted = offer.path.at(-1)?.scheme === 'msrps';
    const ofUser = this.#busy.filter((one) => one === user).length;
    return (
      offer.setup !== 'passive' &&
      (isEncrypted || this.#options.config.files.plain) &&
      this.#busy.length < maxCalls &&
      ofUser < maxCallsPerUser
    );
  }

  /** Only what can be checked in the end, is small enough, and has a place. */
  async #mayTake({ caller: sender, called: recipient }: Parties, file: FileDescription): Promise<boolean> {
    const { size, sha1, sha256 } = file;
    if (size === undefined || (sha1 === undefined && sha256 === undefined)) return false;
    const { files } = this.#options.config;
    if (size > Math.min(files.fileBytes, files.userBytes)) return false;
    const disk = await statfs(this.#folder);
    if (size + this.#coming + this.#limits.spareDiskBytes > disk.bavail * disk.bsize) return false;
    return this.#options.store.call('hasRoomForFile', {
      file: { sender, recipient, size: size + this.#coming },
      ceilings: this.#ceilings,
    });
  }

  get #ceilings(): KeptFileCeilings {
    const { userBytes, totalBytes } = this.#options.config.files;
    return {
      maxBytes: totalBytes,
      maxBytesPerRecipient: userBytes,
      maxPerRecipient: IMSERVER_LIMITS.maxDeferredPerUser,
      maxPerSender: IMSERVER_LIMITS.maxDeferredPerSender,
    };
  }

  /** A file comes. Its sender hears that it is kept when it is whole, checked and on the disk. */
  async #take(
    invite: IncomingInvite,
    offer: MsrpDescription,
    file: FileDescription,
    { caller: sender, called: recipient }: Parties,
  ): Promise<void> {
    const id = randomBytes(16).toString('hex');
    const size = file.size ?? 0;
    const expiresMs = this.#clock.now() + this.#options.config.files.days * DAY_MS;
    const kept: KeptFile = {
      ...{ id, sender, recipient, size, expiresMs },
      transferId: file.transferId ?? '',
      name: file.name ?? '',
      type: file.type ?? 'application/octet-stream',
      sha1: file.sha1 ?? null,
      sha256: file.sha256 ?? null,
    };
    const part = join(this.#folder, `${id}.part`);
    this.#coming += size;
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
            check(digests, kept);
            await handle.datasync();
            await rename(part, join(this.#folder, id));
            await syncNames(this.#folder);
            await this.#keep(kept, invite);
          } finally {
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
      await call.accept(invite, describe(kept, 'recvonly', 0), [{ name: KEPT_ATTRIBUTE, value: undefined }]);
      await this.#within(Promise.race([call.over, settled.promise]));
      // The sender hangs up when it has our last answer.
      if (message.isTaken) await settled.promise;
      await this.#within(call.over, this.#limits.byeMs);
    } finally {
      this.#coming -= size;
      await handle.close();
      await rm(part, { force: true });
    }
  }

  /** The file counts, and its offer waits among the messages, unless it is for other devices of its sender. Rejects with ProtocolError when there is no room any more. */
  async #keep(kept: KeptFile, invite: IncomingInvite): Promise<void> {
    const { store, config, receiveKept, log } = this.#options;
    const nowMs = this.#clock.now();
    const isOwn = kept.sender === kept.recipient;
    if (isOwn) await this.#makeRoom(kept);
    const body = formatCpim({
      from: { uri: `sip:${kept.sender}@${config.domain}` },
      to: [{ uri: `sip:${kept.recipient}@${config.domain}` }],
      dateTime: new Date(nowMs).toISOString(),
      extensions: imdnRequestHeaders({ messageId: kept.transferId, dispositions: [] }),
      contentType: invite.contentType ?? 'application/sdp',
      content: Buffer.from(invite.sdp, 'utf8'),
    });
    const outcome = await store
      .call('insertKeptFile', {
        ...{ file: kept, ceilings: this.#ceilings, nowMs },
        notice: isOwn ? null : { contentType: CPIM_TYPE, body },
      })
      .catch((error: unknown) => {
        log.error('file.not-kept', { error });
        return 'full' as const;
      });
    if (outcome === 'full') {
      await rm(join(this.#folder, kept.id), { force: true });
      throw new ProtocolError('FILE_NO_ROOM', 408, 'there is no room for it now');
    }
    log.info('file.kept', { sender: kept.sender, bytes: kept.size });
    if (!isOwn) receiveKept(kept.recipient);
  }

  /** Of what a user's devices have left for each other the oldest goes. */
  async #makeRoom({ recipient: user, size }: KeptFile): Promise<void> {
    const maxBytes = this.#options.config.files.userBytes - size;
    for (const id of await this.#options.store.call('dropOldestOwnFiles', { user, maxBytes })) {
      await rm(join(this.#folder, id), { force: true });
    }
  }

  /** It is here already: the answer to its last byte was lost. */
  async #confirm(invite: IncomingInvite, offer: MsrpDescription, kept: KeptFile): Promise<void> {
    await using call = await this.#createCall(invite, offer, () => NOWHERE);
    const attributes = [{ name: KEPT_ATTRIBUTE, value: undefined }];
    await call.accept(invite, describe(kept, 'recvonly', kept.size), attributes);
    await this.#within(call.over);
  }

  /** Somebody comes for his file, or for the rest of it. */
  async #serve(invite: IncomingInvite, offer: MsrpDescription, kept: KeptFile, start: number): Promise<void> {
    const offset = start <= kept.size ? start : 0;
    const source = await openSource(join(this.#folder, kept.id), offset, kept.size);
    if (source === undefined) {
      await this.#options.store.call('deleteKeptFile', { id: kept.id });
      await invite.reject(410, { reason: 'No such file' });
      return;
    }
    try {
      await using call = await this.#createCall(invite, offer, () => {
        throw new ProtocolError('FILE_NOT_WANTED', 413, 'nothing is taken here');
      });
      await call.accept(invite, describe(kept, 'sendonly', offset), []);
      const status = await this.#within(call.send(randomBytes(12).toString('hex'), kept.type, source));
      if (status === 200) await this.#receiveServed(kept);
    } finally {
      source.close();
    }
  }

  /** It has arrived: its sender is told, and it stays for other devices only. */
  async #receiveServed(kept: KeptFile): Promise<void> {
    const { store, deviceCount, sendReport, config } = this.#options;
    // How many of his devices still come for it nobody knows.
    if (kept.sender === kept.recipient) return;
    const isWanted = deviceCount(kept.recipient) > 1;
    if (isWanted) {
      await store.call('shortenKeptFile', {
        id: kept.id,
        expiresMs: this.#clock.now() + this.#limits.othersMs,
      });
    } else await this.#remove(kept.id);
    sendReport(buildKeptReport(kept, 'delivered', { domain: config.domain, nowMs: this.#clock.now() }));
  }

  /** Its recipient does not want it: it makes room. The sender hears of it from the recipient himself. */
  async receiveDeclined(file: Pick<KeptFile, 'sender' | 'recipient' | 'transferId'>): Promise<void> {
    const { sender, recipient, transferId } = file;
    const nowMs = this.#clock.now();
    const kept = await this.#options.store.call('selectKeptFile', { sender, recipient, transferId, nowMs });
    if (kept !== null) await this.#remove(kept.id);
  }

  async #remove(id: string): Promise<void> {
    await this.#options.store.call('deleteKeptFile', { id });
    await rm(join(this.#folder, id), { force: true });
  }

  async #createCall(
    invite: IncomingInvite,
    offer: MsrpDescription,
    sinkFor: MsrpSinkFor,
  ): Promise<KeptFileCall> {
    const { config, addressToward } = this.#options;
    const host = config.files.host ?? config.host;
    const remote = invite.request.source.address;
    return new KeptFileCall({
      ...{ endpoint: this.#endpoint, limits: this.#limits, clock: this.#clock, offer, sinkFor },
      advertisedHost: config.files.name ?? (isAnyAddress(host) ? await addressToward(remote) : host),
    });
  }

  /** Rejects when it takes too long. */
  async #within<T>(work: Promise<T>, ms = this.#limits.callMs): Promise<T> {
    const late = Promise.withResolvers<never>();
    using _limit = this.#clock.startTimer(ms, () => {
      late.reject(new Error('it took too long'));
    });
    return await Promise.race([work, late.promise]);
  }

  #sweepLater(): void {
    this.#sweep = this.#clock.startTimer(this.#limits.sweepMs, () => {
      this.#expire()
        .catch((error: unknown) => {
          this.#options.log.error('file.sweep-failed', { error });
        })
        .finally(() => {
          if (this.#sweep !== undefined) this.#sweepLater();
        });
    });
  }

  async #expire(): Promise<void> {
    const { store, sendReport, config } = this.#options;
    const nowMs = this.#clock.now();
    for (const expired of await store.call('expireKeptFiles', { nowMs })) {
      await rm(join(this.#folder, expired.id), { force: true });
      // Nobody has come for it: its sender believes that it waits.
      const isOwn = expired.sender === expired.recipient;
      if (!expired.fetched && !isOwn)
        sendReport(buildKeptReport(expired, 'failed', { domain: config.domain, nowMs }));
    }
  }

  /** A crash may leave bytes that nobody knows of. */
  async #removeStrays(): Promise<void> {
    await this.#expire();
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

function describe(kept: KeptFile, direction: FileDescription['direction'], start: number): FileDescription {
  return {
    direction,
    name: kept.name,
    type: kept.type,
    size: kept.size,
    sha1: kept.sha1 ?? undefined,
    sha256: kept.sha256 ?? undefined,
    transferId: kept.transferId,
    disposition: 'attachment',
    modifiedMs: undefined,
    start,
    iconId: undefined,
  };
}

/** Throws ProtocolError 400: it is not what was announced. */
function check(digests: FileDigests, { sha1, sha256 }: KeptFile): void {
  const found = digests.finish();
  if (sha256 !== null && sha256 !== found.sha256) throw damaged('SHA-256 is another one');
  if (sha1 !== null && sha1 !== found.sha1) throw damaged('SHA-1 is another one');
}

function damaged(why: string): ProtocolError {
  return new ProtocolError('FILE_DAMAGED', 400, why);
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
