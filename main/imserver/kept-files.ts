/**
 * Owns: files for people who are away, and for the other devices of a user: taken, kept, handed to who comes for them.
 * Called by: b2bua.ts with each INVITE about a file. Calls: file-desk.ts, the store.
 *
 * The server answers an offer in the place of somebody who is not there, and puts that same offer among his messages. His
 * program asks for the file as for any other (RFC 5547 §8.2, `recvonly`), and the server answers again, before its sender.
 * What a device offers to its own user is for his other devices: they hear of it among their copies.
 */
import { CPIM_TYPE, formatCpim } from '../base/cpim.ts';
import { imdnRequestHeaders } from '../base/imdn.ts';
import { IMSERVER_LIMITS } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import { readInviteBody } from '../msrp/file-body.ts';
import { parseFile, type FileDescription } from '../msrp/file-sdp.ts';
import { parseMsrpDescription, type MsrpDescription } from '../msrp/sdp.ts';
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import type { SipAgent } from '../sip/agent/agent.ts';
import { IncomingInvite } from '../sip/agent/invite.ts';
import type { KeptFile, KeptFileCeilings } from '../store/kept-files.ts';
import { isAboutFile, isSameFile, type FileDesk } from './file-desk.ts';
import type { ImServerStore } from './imserver-store.ts';
import { buildKeptReport, type KeptReport } from './kept-file-reports.ts';
import type { ServerConfig } from './server-config.ts';

export interface KeptFilesOptions {
  readonly agent: SipAgent;
  readonly config: ServerConfig;
  readonly store: ImServerStore;
  readonly desk: FileDesk;
  readonly log: Log;
  /** Something waits for this user. */
  readonly receiveKept: (user: string) => void;
  /** A report of one user to another, as if his program had sent it. */
  readonly sendReport: (report: KeptReport) => void;
  /** Devices of a user that are there. */
  readonly deviceCount: (user: string) => number;
}

/** Whom an INVITE is from and for. */
interface Parties {
  readonly caller: string;
  readonly called: string;
}

/** The CPIM head around an offer that waits. */
const HEAD_BYTES = 2 * 1024;

/** The files of one server that wait for people. */
export class KeptFiles {
  readonly #options: KeptFilesOptions;

  private constructor(options: KeptFilesOptions) {
    this.#options = options;
  }

  /** Looks for what is too old, now and from time to time. Rejects with StoreError. */
  static async open(options: KeptFilesOptions): Promise<KeptFiles> {
    const files = new KeptFiles(options);
    await options.desk.sweepRegularly(() => files.#expire());
    return files;
  }

  /** True: it is about a file that the server takes or has, and answered. Rejects with StoreError. */
  async receiveInvite(request: AgentServerRequest, parties: Parties, isAbsent: boolean): Promise<boolean> {
    if (!isAboutFile(request)) return false;
    const { desk } = this.#options;
    const invite = new IncomingInvite(this.#options.agent, request);
    const { sdp } = readInviteBody(invite.contentType, invite.sdp, 0);
    const offer = parseMsrpDescription(sdp);
    const file = offer && parseFile(offer);
    const { caller, called } = parties;
    if (offer === undefined || file?.transferId === undefined) return false;
    if (!desk.takes(offer)) return false;
    const isWish = file.direction === 'recvonly';
    // The offer waits as a message does, so it may be as large as one.
    const isSmall = request.message.body.length + HEAD_BYTES <= IMSERVER_LIMITS.maxDeferredBytes;
    if (!isWish && caller !== called && (!isAbsent || !isSmall)) return false;
    const known = isWish
      ? ((await this.#find(called, caller, file)) ?? (await this.#find(caller, caller, file)))
      : await this.#find(caller, called, file);
    if (isWish && known === null) return false;
    if (known === null && !(await this.#mayTake(parties, file))) return false;
    return desk.run(caller, () => {
      if (known === null) return this.#take(invite, offer, file, parties);
      return isWish ? this.#serve(invite, offer, known, file.start) : desk.confirm(invite, offer, known);
    });
  }

  /** What a device has left for others of its user counts only when it is the file that is meant: its id came from outside. */
  async #find(sender: string, recipient: string, file: FileDescription): Promise<KeptFile | null> {
    const { transferId = '' } = file;
    const nowMs = this.#options.desk.clock.now();
    const kept = await this.#options.store.call('selectKeptFile', { sender, recipient, transferId, nowMs });
    if (kept === null || sender !== recipient) return kept;
    return isSameFile(kept, file) ? kept : null;
  }

  /** Only what can be checked in the end, is small enough, and has a place. */
  async #mayTake({ caller: sender, called: recipient }: Parties, file: FileDescription): Promise<boolean> {
    const { size, sha1, sha256 } = file;
    const { desk, store } = this.#options;
    if (size === undefined || (sha1 === undefined && sha256 === undefined)) return false;
    if (size > desk.maxBytes || !(await desk.hasDiskFor(size))) return false;
    return store.call('hasRoomForFile', {
      file: { sender, recipient, size: size + desk.coming },
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

  async #take(
    invite: IncomingInvite,
    offer: MsrpDescription,
    file: FileDescription,
    { caller: sender, called: recipient }: Parties,
  ): Promise<void> {
    const { desk } = this.#options;
    const kept: KeptFile = { ...desk.describe(file, sender), recipient };
    await desk.take(invite, offer, kept, () => this.#keep(kept, invite));
  }

  /** The file counts, and its offer waits among the messages, unless it is for other devices of its sender. Rejects with ProtocolError when there is no room any more. */
  async #keep(kept: KeptFile, invite: IncomingInvite): Promise<void> {
    const { store, config, desk, receiveKept, log } = this.#options;
    const nowMs = desk.clock.now();
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
    if (outcome === 'full') throw new ProtocolError('FILE_NO_ROOM', 408, 'there is no room for it now');
    log.info('file.kept', { sender: kept.sender, bytes: kept.size });
    if (!isOwn) receiveKept(kept.recipient);
  }

  /** Of what a user's devices have left for each other the oldest goes. */
  async #makeRoom({ recipient: user, size }: KeptFile): Promise<void> {
    const { config, desk, store } = this.#options;
    const maxBytes = config.files.userBytes - size;
    for (const id of await store.call('dropOldestOwnFiles', { user, maxBytes })) await desk.remove(id);
  }

  /** Somebody comes for his file, or for the rest of it. */
  async #serve(invite: IncomingInvite, offer: MsrpDescription, kept: KeptFile, start: number): Promise<void> {
    const outcome = await this.#options.desk.serve(invite, offer, kept, start);
    if (outcome === 'gone') await this.#options.store.call('deleteKeptFile', { id: kept.id });
    else if (outcome === 'served') await this.#receiveServed(kept);
  }

  /** It has arrived: its sender is told, and it stays for other devices only. */
  async #receiveServed(kept: KeptFile): Promise<void> {
    const { store, desk, deviceCount, sendReport, config } = this.#options;
    // How many of his devices still come for it nobody knows.
    if (kept.sender === kept.recipient) return;
    const nowMs = desk.clock.now();
    const isWanted = deviceCount(kept.recipient) > 1;
    if (isWanted) {
      await store.call('shortenKeptFile', {
        id: kept.id,
        expiresMs: nowMs + desk.limits.othersMs,
      });
    } else await this.#remove(kept.id);
    sendReport(buildKeptReport(kept, 'delivered', { domain: config.domain, nowMs }));
  }

  /** Its recipient does not want it: it makes room. The sender hears of it from the recipient himself. */
  async receiveDeclined(file: Pick<KeptFile, 'sender' | 'recipient' | 'transferId'>): Promise<void> {
    const { sender, recipient, transferId } = file;
    const nowMs = this.#options.desk.clock.now();
    const kept = await this.#options.store.call('selectKeptFile', { sender, recipient, transferId, nowMs });
    if (kept !== null) await this.#remove(kept.id);
  }

  async #remove(id: string): Promise<void> {
    await this.#options.store.call('deleteKeptFile', { id });
    await this.#options.desk.remove(id);
  }

  async #expire(): Promise<void> {
    const { store, desk, sendReport, config } = this.#options;
    const nowMs = desk.clock.now();
    for (const expired of await store.call('expireKeptFiles', { nowMs })) {
      await desk.remove(expired.id);
      // Nobody has come for it: its sender believes that it waits.
      const isOwn = expired.sender === expired.recipient;
      if (!expired.fetched && !isOwn)
        sendReport(buildKeptReport(expired, 'failed', { domain: config.domain, nowMs }));
    }
  }
}
