/**
 * Owns: files that are sent to rooms: taken from a member, kept, told of in the history, handed to every member who asks.
 * Called by: conference-focus.ts with each INVITE to a room that is about a file. Calls: file-desk.ts, the store,
 * room-file-notice.ts. Sources: RFC 5547 §8.
 *
 * A member offers his file to the room (`sendonly`), and the server takes it in the place of everybody. When it is whole and
 * on the disk, its offer stands among what was said. Whoever reads it asks the room for the file (`recvonly`), as often as
 * he likes, until its days are over or the room ends.
 */
import type { Log } from '../../base/log.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import { readInviteBody } from '../../msrp/file-body.ts';
import { parseFile, type FileDescription } from '../../msrp/file-sdp.ts';
import { parseMsrpDescription, type MsrpDescription } from '../../msrp/sdp.ts';
import type { IncomingInvite } from '../../sip/agent/invite.ts';
import { parseNameAddr } from '../../sip/headers.ts';
import type { Binding } from '../../store/imserver-tables.ts';
import type { RoomFile, RoomFileCeilings } from '../../store/room-files.ts';
import { isSameFile, type FileDesk } from '../file-desk.ts';
import type { ImServerStore } from '../imserver-store.ts';
import type { ServerConfig } from '../server-config.ts';
import { deviceOf } from './room-admission.ts';
import { buildFileNotice } from './room-file-notice.ts';
import type { RoomEntry } from './room-log.ts';
import type { RoomMetrics } from './room-metrics.ts';
import type { Room } from './room.ts';
import type { Rooms } from './rooms.ts';

export interface RoomFilesOptions {
  readonly desk: FileDesk;
  readonly config: ServerConfig;
  readonly store: ImServerStore;
  readonly rooms: Rooms;
  readonly metrics: RoomMetrics;
  readonly log: Log;
  readonly devicesOf: (user: string) => readonly Binding[];
}

/** An INVITE about a file, read. */
interface Asked {
  readonly invite: IncomingInvite;
  readonly room: Room;
  readonly user: string;
  readonly offer: MsrpDescription;
  readonly file: FileDescription;
}

/** The files of all rooms. */
export class RoomFiles implements Disposable {
  readonly #options: RoomFilesOptions;
  readonly #release: () => void;

  constructor(options: RoomFilesOptions) {
    this.#options = options;
    this.#release = options.rooms.onChange(({ room, over }) => {
      if (!over) return;
      this.#forget(room).catch((error: unknown) => {
        options.log.warn('room.files.not-removed', { error });
      });
    });
  }

  /** Looks for what is too old, now and from time to time. Rejects with StoreError. */
  load(): Promise<void> {
    return this.#options.desk.sweepRegularly(() => this.#expire());
  }

  /** Answers it. Rejects with StoreError. */
  async receiveInvite(invite: IncomingInvite, room: Room, user: string): Promise<void> {
    const { desk } = this.#options;
    const { sdp } = readInviteBody(invite.contentType, invite.sdp, 0);
    const offer = parseMsrpDescription(sdp);
    const file = offer && parseFile(offer);
    if (!isMember(room, user)) {
      await invite.reject(403, { reason: 'You are not a member of this room' });
      return;
    }
    if (offer === undefined || file?.transferId === undefined) {
      await refuseMedia(invite, 'a file needs a file-transfer-id here');
      return;
    }
    if (!desk.takes(offer)) {
      await refuseMedia(invite, 'files come and go encrypted here, and who calls connects');
      return;
    }
    const asked = { invite, room, user, offer, file };
    if (file.direction === 'recvonly') await this.#receiveWish(asked);
    else await this.#receiveOffer(asked);
  }

  [Symbol.dispose](): void {
    this.#release();
  }

  async #receiveWish({ invite, room, user, offer, file }: Asked): Promise<void> {
    const { desk, store, metrics } = this.#options;
    const wanted = (await this.#find(room, file)).find((known) => isSameFile(known, file));
    if (wanted === undefined) {
      // Not 404: that would be about the room (RFC 3261 §21.4.5).
      await invite.reject(410, { reason: 'No such file' });
      return;
    }
    await this.#run(invite, user, async () => {
      const outcome = await desk.serve(invite, offer, wanted, file.start);
      if (outcome === 'gone') await store.call('deleteRoomFile', { id: wanted.id });
      else if (outcome === 'served') metrics.filesFetched++;
    });
  }

  async #receiveOffer(asked: Asked): Promise<void> {
    const { desk } = this.#options;
    const { invite, room, user, offer, file } = asked;
    const known = (await this.#find(room, file)).find(({ sender }) => sender === user);
    if (known !== undefined && isSameFile(known, file)) {
      await this.#run(invite, user, () => desk.confirm(invite, offer, known));
      return;
    }
    const { size, sha1, sha256 } = file;
    if (known !== undefined) await invite.reject(403, { reason: 'This id belongs to another file' });
    else if (size === undefined || (sha1 === undefined && sha256 === undefined))
      await refuseMedia(invite, 'a file needs its size and a hash here');
    else if (size > desk.maxBytes) await invite.reject(413, { reason: 'It is too large for this server' });
    else if (!(await this.#hasPlace(user, size))) {
      // RFC 3261 §21.4.11: with this header it is for now only.
      const headers = { 'Retry-After': String(desk.limits.fullRetryS) };
      await invite.reject(413, { reason: 'There is no room for it now', headers });
    } else await this.#run(invite, user, () => this.#take(asked));
  }

  /** Whoever finds too many under way comes again. */
  async #run(invite: IncomingInvite, user: string, work: () => Promise<void>): Promise<void> {
    const { desk } = this.#options;
    if (desk.run(user, work)) return;
    const headers = { 'Retry-After': String(desk.limits.busyRetryS) };
    await invite.reject(503, { reason: 'Too many files at once', headers });
  }

  async #hasPlace(sender: string, size: number): Promise<boolean> {
    const { desk, store } = this.#options;
    const file = { sender, size: size + desk.coming };
    return (
      (await desk.hasDiskFor(size)) &&
      (await store.call('hasRoomForRoomFile', { file, ceilings: this.#ceilings }))
    );
  }

  async #take(asked: Asked): Promise<void> {
    const { desk } = this.#options;
    const { invite, room, user, offer, file } = asked;
    const kept: RoomFile = { ...desk.describe(file, user), room: room.key };
    await desk.take(invite, offer, kept, () => this.#keep(asked, kept));
  }

  /** It counts, and the room hears of it. Rejects with ProtocolError. */
  async #keep({ invite, room, user, file }: Asked, kept: RoomFile): Promise<void> {
    const { desk, store, metrics, log } = this.#options;
    if (!isMember(room, user)) throw new ProtocolError('ROOM_NOT_A_MEMBER', 403, 'not a member of this room');
    const storedMs = desk.clock.now();
    const entry: Omit<RoomEntry, 'position'> = {
      kind: 'file',
      sender: user,
      device: this.#deviceOf(invite, user),
      recipient: null,
      messageId: kept.transferId,
      body: this.#tell(invite, room, user, file),
    };
    const message = { ...entry, storedMs };
    const stored = await store
      .call('insertRoomFile', { file: kept, ceilings: this.#ceilings, message })
      .catch((error: unknown) => {
        log.error('room.file.not-stored', { error });
        return null;
      });
    if (stored === null) throw new ProtocolError('FILE_NO_ROOM', 408, 'there is no room for it now');
    metrics.files++;
    log.info('room.file.kept', { room: room.key, bytes: kept.size });
    if (!stored.isNew) return;
    await room.receiveStored([{ ...entry, position: stored.position }]).catch((error: unknown) => {
      log.warn('room.history.unreadable', { error });
    });
  }

  /** Without its thumbnail where that would make it larger than a message may be. */
  #tell({ contentType, sdp }: IncomingInvite, room: Room, user: string, file: FileDescription): Buffer {
    const { desk, rooms, config } = this.#options;
    const { icon } = readInviteBody(contentType, sdp, desk.limits.maxIconBytes);
    const build = (shown: ReturnType<typeof icon>) =>
      buildFileNotice(room, { user, domain: config.domain }, file, shown, desk.clock.now());
    const whole = build(icon(file.iconId));
    return whole.length <= rooms.limits.maxMessageBytes ? whole : build(undefined);
  }

  /** The device that has sent it does not hear of it from the room. */
  #deviceOf({ request }: IncomingInvite, user: string): string {
    const contact = parseNameAddr(request.message.headers.list('contact')[0] ?? '<sip:unknown@invalid>');
    return contact.params.get('+sip.instance') ?? deviceOf(this.#options.devicesOf(user), contact.uri);
  }

  #find(room: Room, { transferId = '' }: FileDescription): Promise<RoomFile[]> {
    const { desk, store } = this.#options;
    return store.call('selectRoomFiles', { room: room.key, transferId, nowMs: desk.clock.now() });
  }

  get #ceilings(): RoomFileCeilings {
    const { desk, config } = this.#options;
    const { userBytes, totalBytes } = config.files;
    return {
      maxBytes: totalBytes,
      maxBytesPerSender: userBytes,
      maxPerSender: desk.limits.maxRoomFilesPerSender,
    };
  }

  /** A room that has ended takes its files along. */
  async #forget(room: Room): Promise<void> {
    await this.#remove(await this.#options.store.call('deleteRoomFiles', { room: room.key }));
  }

  async #expire(): Promise<void> {
    const { desk, store } = this.#options;
    await this.#remove(await store.call('expireRoomFiles', { nowMs: desk.clock.now() }));
  }

  async #remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) await this.#options.desk.remove(id);
  }
}

function isMember(room: Room, user: string): boolean {
  return !room.isOver && room.members.get(user)?.state === 'joined';
}

/** 304: what is described cannot be had here (RFC 3261 §20.43). */
export async function refuseMedia(invite: IncomingInvite, why: string): Promise<void> {
  await invite.reject(488, { headers: { Warning: `304 parley "${why}"` } });
}
