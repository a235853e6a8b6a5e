/**
 * Owns: how somebody comes into a room by calling it (RFC 7701 §5.2): he is let in or not, connects, and takes up the
 * history where his device has left it. Called by: conference-focus.ts. Calls: rooms.ts, room-media.ts, room-participant.ts.
 */
import type { Log } from '../../base/log.ts';
import type { SipAgent } from '../../sip/agent/agent.ts';
import type { IncomingInvite } from '../../sip/agent/invite.ts';
import { parseNameAddr } from '../../sip/headers.ts';
import type { Binding } from '../../store/imserver-tables.ts';
import { RoomMediaError, type RoomMedia, type RoomPeerMedia } from './room-media.ts';
import type { RoomMetrics } from './room-metrics.ts';
import { RoomParticipant, type ParticipantHost } from './room-participant.ts';
import type { Rooms } from './rooms.ts';
import type { Room } from './room.ts';

export interface RoomAdmissionOptions {
  readonly agent: SipAgent;
  readonly rooms: Rooms;
  readonly media: RoomMedia;
  readonly host: ParticipantHost;
  readonly metrics: RoomMetrics;
  readonly log: Log;
  readonly devicesOf: (user: string) => readonly Binding[];
  /** A device of a member is there; `isFirst`: it has never been before. */
  readonly receiveEntered: (room: Room, user: string, isFirst: boolean) => void;
}

const REASONS: Readonly<Record<number, string>> = {
  403: 'You are not a member of this room',
  404: 'There is no such room',
  486: 'The room is full',
};

/** The door of all rooms. */
export class RoomAdmission {
  readonly #options: RoomAdmissionOptions;
  /** Answered, and not there yet. */
  readonly #coming = new Set<RoomParticipant>();

  constructor(options: RoomAdmissionOptions) {
    this.#options = options;
  }

  /** Answers the INVITE of a user. Resolves when he is in, or has been refused; false: refused. */
  async receiveInvite(invite: IncomingInvite, room: Room, user: string): Promise<boolean> {
    const { rooms, host } = this.#options;
    const status = this.#judge(room, user);
    if (status !== 200) {
      await invite.reject(status, { reason: REASONS[status] ?? 'Too many devices' });
      return false;
    }
    let participant: RoomParticipant | undefined;
    try {
      const peer = this.#options.media.read(invite.sdp);
      participant = await this.#build(invite, room, user, peer);
      this.#coming.add(participant);
      const sdp = await this.#options.media.answer(participant.session, peer);
      // He belongs to it as soon as he hears that he does; what is said until he is connected waits for him.
      await rooms.join(room, user);
      await this.#answer(participant, invite, peer, sdp);
      await this.enter(participant);
      return true;
    } catch (error) {
      if (!invite.request.answered) {
        const why = error instanceof RoomMediaError ? { headers: { Warning: error.warning } } : {};
        await invite.reject(488, why);
      }
      host.log.info('room.not-joined', { room: room.key, error });
      await participant?.end('lost');
      return false;
    } finally {
      if (participant !== undefined) this.#coming.delete(participant);
    }
  }

  /** He is connected: another session of the same device is over, and what he has missed goes out. */
  async enter(participant: RoomParticipant): Promise<void> {
    const { rooms, metrics } = this.#options;
    const { room, user, device, contact } = participant;
    for (const other of room.participants) {
      if (other.user !== user) continue;
      const isSame = device === '' ? other.contact === contact : other.device === device;
      if (isSame) await other.end('lost');
    }
    const place = await rooms.places.find({ room: room.key, user, device });
    const member = room.members.get(user);
    if (member === undefined || room.isOver || participant.isGone) {
      await participant.end('cut');
      return;
    }
    metrics.joins++;
    participant.start(place ?? member.since);
    this.#options.receiveEntered(room, user, place === undefined);
    rooms.tellPresence(room, user);
  }

  #judge(room: Room, user: string): number {
    const { rooms } = this.#options;
    const count = (participants: Iterable<RoomParticipant>) =>
      [...participants].filter((participant) => participant.user === user).length;
    const { maxDevices, maxComing } = rooms.limits;
    if (count(room.participants) >= maxDevices || count(this.#coming) >= maxComing) return 486;
    return rooms.judgeJoin(room, user);
  }

  async #build(
    invite: IncomingInvite,
    room: Room,
    user: string,
    peer: RoomPeerMedia,
  ): Promise<RoomParticipant> {
    const { media, host } = this.#options;
    const { message, source } = invite.request;
    const contact = parseNameAddr(message.headers.list('contact')[0] ?? '<sip:unknown@invalid>');
    const instance = contact.params.get('+sip.instance');
    return new RoomParticipant(host, {
      room,
      user,
      device: instance ?? deviceOf(this.#options.devicesOf(user), contact.uri),
      contact: contact.uri,
      advertisedHost: await media.hostFor(source.address),
      encrypted: peer.encrypted,
      takesPrivate: peer.takesPrivate,
      takesNotices: peer.takesNotices,
      takesFiles: peer.takesFiles,
    });
  }

  async #answer(
    participant: RoomParticipant,
    invite: IncomingInvite,
    peer: RoomPeerMedia,
    sdp: string,
  ): Promise<void> {
    const { session, room } = participant;
    const { path, fingerprints } = peer.description;
    session.expectVisit(path, { announced: fingerprints });
    const dialog = await invite.accept(sdp, participant.dialogDelegate, { Contact: focusContact(room) });
    if (dialog === undefined) throw new Error('it was taken back');
    participant.dialog = dialog;
    await dialog.acked;
    await session.awaitVisit(path, { announced: fingerprints });
  }
}

/** The device that has registered this Contact; empty when none has, or it does not say which it is. */
export function deviceOf(bindings: readonly Binding[], contact: string): string {
  const { instance = '' } = bindings.find((binding) => binding.contact === contact) ?? {};
  return instance.split(' ')[0] ?? '';
}

/** RFC 4579 §5.1; the engine puts its own address in. */
export function focusContact(room: Room): string {
  return `<sip:${room.name}@localhost>;isfocus`;
}
