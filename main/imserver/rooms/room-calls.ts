/**
 * Owns: calling people into rooms: those who were invited, when they are there or come, and further devices of members.
 * Called by: conference-focus.ts, imserver.ts with each registration. Calls: sip/agent/invite.ts, room-admission.ts.
 */
import type { Log } from '../../base/log.ts';
import { MsrpSessionError } from '../../msrp/session-error.ts';
import type { SipAgent } from '../../sip/agent/agent.ts';
import { newCallIdentity } from '../../sip/agent/authenticated-request.ts';
import { sendInvite, type InviteOutcome } from '../../sip/agent/invite.ts';
import { formatNameAddr } from '../../sip/headers.ts';
import type { Binding } from '../../store/imserver-tables.ts';
import { isFlowFailed, isWayLost, wayTo } from '../device-way.ts';
import { isInnerAddress } from '../inner-address.ts';
import type { ImServerStore } from '../imserver-store.ts';
import { deviceOf, focusContact, type RoomAdmission } from './room-admission.ts';
import { RoomMediaError, type RoomMedia } from './room-media.ts';
import { RoomParticipant, type ParticipantHost } from './room-participant.ts';
import type { Rooms } from './rooms.ts';
import type { Room } from './room.ts';

export interface RoomCallsOptions {
  readonly agent: SipAgent;
  readonly rooms: Rooms;
  readonly media: RoomMedia;
  readonly admission: RoomAdmission;
  readonly host: ParticipantHost;
  readonly store: ImServerStore;
  readonly domain: string;
  readonly log: Log;
  readonly waysTo: (user: string) => readonly (readonly Binding[])[];
  /** We listen on addresses of this computer only, so others may be called there. */
  readonly isInner: boolean;
  /** Whether `user` wants nothing of `by`. */
  readonly isBlocked: (user: string, by: string) => boolean;
}

/** What came of a call. */
type CallOutcome = 'there' | 'declined' | 'later';

/** Why a device does not ring any more: its user has said yes on another one. */
const SAID_YES = new Error('accepted on another device');

/** Calls of all rooms. */
export class RoomCalls implements AsyncDisposable {
  readonly #options: RoomCallsOptions;
  /** Contacts of users who have been called into their rooms, while these contacts last. */
  readonly #called = new Map<string, Set<string>>();
  readonly #waiting: (() => void)[] = [];
  readonly #stop = new AbortController();
  /** `room device` of the calls that ring. */
  readonly #ringing = new Map<string, AbortController>();
  #open = 0;

  constructor(options: RoomCallsOptions) {
    this.#options = options;
  }

  /** A device of the user is there: one that is new is called into his rooms. */
  receivePresent(user: string): void {
    const rooms = this.#options.rooms.roomsOf(user);
    const devices = this.#options.waysTo(user);
    const contacts = new Set(devices.flat().map(({ contact }) => contact));
    const before = this.#called.get(user);
    if (rooms.length === 0) {
      this.#called.delete(user);
      return;
    }
    this.#called.set(user, contacts);
    const fresh = devices.filter(([way]) => way !== undefined && before?.has(way.contact) !== true);
    if (fresh.length === 0) return;
    this.#callInto(rooms, user, fresh).catch((error: unknown) => {
      this.#options.log.error('room.calls.failed', { user, error });
    });
  }

  /** He belongs to a room that one of his devices has made or joined: the others are called into it. */
  receiveMember(room: Room, user: string): void {
    const devices = this.#options.waysTo(user);
    if (devices.length < 2) return;
    this.#callInto([room], user, devices).catch((error: unknown) => {
      this.#options.log.error('room.calls.failed', { user, error });
    });
  }

  /** Somebody was invited: each of his devices is called. */
  call(room: Room, user: string): void {
    for (const ways of this.#options.waysTo(user)) void this.#callDevice(room, user, ways, false);
  }

  /** He is no member any more: nothing of his rings. */
  takeBack(room: Room, user: string): void {
    for (const [key, ringing] of this.#ringing) {
      if (key.startsWith(`${room.key} ${user} `)) ringing.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const wake of this.#waiting.splice(0)) wake();
    await Promise.resolve();
  }

  /** Who has been in a room with this device comes by itself. */
  async #callInto(
    rooms: readonly Room[],
    user: string,
    devices: readonly (readonly Binding[])[],
  ): Promise<void> {
    const known = await this.#options.store.call('selectRoomDevices', { user });
    for (const room of rooms) {
      const invited = room.members.get(user)?.state === 'invited';
      for (const ways of devices) {
        const device = deviceOf(ways, ways[0]?.contact ?? '');
        const knows = known.some((place) => place.room === room.key && place.device === device);
        if (invited || !knows) void this.#callDevice(room, user, ways, !invited);
      }
    }
  }

  /** One device, if it is not there yet. Never rejects. `auto`: he belongs to the room, and is not asked. */
  async #callDevice(room: Room, user: string, ways: readonly Binding[], auto: boolean): Promise<void> {
    const [way] = ways;
    if (way === undefined) return;
    const device = deviceOf(ways, way.contact);
    const key = `${room.key} ${user} ${device === '' ? way.contact : device}`;
    const isThere = () => [...room.participants].some((one) => one.user === user && one.device === device);
    if (this.#ringing.has(key) || isThere()) return;
    const ringing = new AbortController();
    this.#ringing.set(key, ringing);
    const { rooms, log } = this.#options;
    let outcome: CallOutcome = 'later';
    try {
      await this.#turn();
      if (this.#mayCall(room, user) && !isThere() && !ringing.signal.aborted) {
        outcome = await this.#ring(room, user, ways, auto, ringing.signal);
      }
    } catch (error) {
      log.info('room.call.failed', { user, error });
    } finally {
      this.#ringing.delete(key);
      this.#release();
    }
    if (outcome === 'later') this.#called.get(user)?.delete(way.contact);
    if (outcome === 'declined' && room.members.get(user)?.state === 'invited') {
      await rooms.remove(room, user, user).catch((error: unknown) => {
        log.warn('room.decline.failed', { error });
      });
    }
    // The others need not ask him again.
    if (outcome === 'there' && !auto) this.#callOthers(room, user, key);
    // It has stopped ringing by now, or was hung up because it said yes in the same moment: it comes by itself.
    if (outcome === 'later' && ringing.signal.reason === SAID_YES)
      void this.#callDevice(room, user, ways, true);
  }

  #callOthers(room: Room, user: string, except: string): void {
    for (const [key, ringing] of this.#ringing) {
      if (key.startsWith(`${room.key} ${user} `) && key !== except) ringing.abort(SAID_YES);
    }
    setImmediate(() => {
      for (const ways of this.#options.waysTo(user)) void this.#callDevice(room, user, ways, true);
    });
  }

  #mayCall(room: Room, user: string): boolean {
    const member = room.members.get(user);
    if (member === undefined || room.isOver || this.#stop.signal.aborted) return false;
    // Who is invited by somebody whom he has blocked hears nothing of it, as if he were away.
    return member.state !== 'invited' || !this.#options.isBlocked(user, member.invitedBy);
  }

  async #ring(
    room: Room,
    user: string,
    ways: readonly Binding[],
    auto: boolean,
    signal: AbortSignal,
  ): Promise<CallOutcome> {
    for (const way of ways) {
      let call = await this.#attempt(room, user, way, auto, signal, true);
      const refused488 = call.outcome.kind === 'refused' && [488, 606].includes(call.outcome.status);
      if (refused488 && this.#options.media.plain) {
        call = await this.#attempt(room, user, way, auto, signal, false);
      }
      const { outcome } = call;
      if (outcome.kind === 'refused') {
        if (isFlowFailed(outcome.response)) continue;
        return outcome.status === 603 ? 'declined' : 'later';
      }
      return outcome.kind === 'accepted' ? 'there' : 'later';
    }
    return 'later';
  }

  async #attempt(
    room: Room,
    user: string,
    way: Binding,
    auto: boolean,
    signal: AbortSignal,
    encrypted: boolean,
  ): Promise<{ outcome: InviteOutcome }> {
    const { media, host, log } = this.#options;
    const participant = new RoomParticipant(host, {
      room,
      user,
      device: deviceOf([way], way.contact),
      contact: way.contact,
      advertisedHost: await media.hostFor(addressOf(way.source)),
      encrypted,
      takesPrivate: undefined,
      takesNotices: false,
      takesFiles: false,
    });
    try {
      const outcome = await this.#send(participant, way, auto, signal, encrypted);
      if (outcome.kind === 'accepted') {
        participant.dialog = outcome.dialog;
        await outcome.sendAck();
        await this.#connect(participant, outcome.sdp);
        await this.#options.rooms.join(room, user);
        await this.#options.admission.enter(participant);
      } else await participant.end('lost');
      return { outcome };
    } catch (error) {
      await participant.end('lost');
      if (!(error instanceof MsrpSessionError) && !(error instanceof RoomMediaError)) throw error;
      log.info('room.call.no-media', { error });
      return { outcome: { kind: 'no-answer' } };
    }
  }

  async #send(
    participant: RoomParticipant,
    way: Binding,
    auto: boolean,
    signal: AbortSignal,
    encrypted: boolean,
  ): Promise<InviteOutcome> {
    const { agent, domain, host, media } = this.#options;
    const { room, user, session } = participant;
    const by = room.members.get(user)?.invitedBy ?? '';
    const sdp = await media.offer(session, encrypted);
    const send = (to: string) => {
      const { nextHop, headers } = wayTo(to);
      return sendInvite(agent, {
        invite: {
          uri: way.contact,
          nextHop,
          from: `"${room.title.replace(/["\\]/g, ' ')}" <sip:${room.name}@${domain}>`,
          to: `<sip:${user}@${domain}>`,
          sdp,
          headers: {
            ...headers,
            Contact: focusContact(room),
            // RFC 3892: who has asked for it; RFC 5373: he has said yes already.
            ...(by === '' ? {} : { 'Referred-By': this.#referredBy(room, by) }),
            ...(auto ? { 'Answer-Mode': 'Auto' } : {}),
          },
        },
        call: newCallIdentity(),
        delegate: participant.dialogDelegate,
        ringMs: host.limits.ringMs,
        signal: AbortSignal.any([signal, this.#stop.signal]),
        clock: host.clock,
      });
    };
    const outcome = await send(way.source);
    const lost = outcome.kind === 'refused' && isWayLost(outcome.response, way);
    return lost ? send(way.contact) : outcome;
  }

  /** Whoever is invited may know his name only from here. */
  #referredBy(room: Room, by: string): string {
    const name = room.shownName(by);
    return formatNameAddr({
      ...(name === by ? {} : { displayName: name }),
      uri: `sip:${by}@${this.#options.domain}`,
      params: new Map(),
    });
  }

  /** He visits us, as Parley does, or is visited; our own computer and its neighbours are nobody's to send us to. */
  async #connect(participant: RoomParticipant, sdp: string): Promise<void> {
    const peer = this.#options.media.read(sdp);
    const { path, setup, fingerprints } = peer.description;
    participant.takesPrivate = peer.takesPrivate;
    participant.takesNotices = peer.takesNotices;
    participant.takesFiles = peer.takesFiles;
    const connectToAnswerer = setup !== 'active';
    if (connectToAnswerer && !this.#options.isInner && isInnerAddress(path[0]?.host ?? '')) {
      throw new RoomMediaError('the answer leads into the server itself');
    }
    await participant.session.acceptAnswer(path, { connectToAnswerer, announced: fingerprints });
  }

  async #turn(): Promise<void> {
    if (this.#open < this.#options.host.limits.maxCalls) {
      this.#open += 1;
      return;
    }
    const turn = Promise.withResolvers<void>();
    this.#waiting.push(turn.resolve);
    await turn.promise;
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#open -= 1;
    else next();
  }
}

/** The address in a URI, or in the first of several; empty when it is a name. */
function addressOf(source: string): string {
  return /^<?sips?:(?:[^@;>]*@)?(\[[^\]]+\]|[^:;>?]+)/i.exec(source)?.[1]?.replace(/^\[|\]$/g, '') ?? '';
}
