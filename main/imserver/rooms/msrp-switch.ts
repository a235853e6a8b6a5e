/**
 * Owns: what a participant sends into a room: who it is from, whom it is for, whether it is kept. Only what is on disk
 * is acknowledged; then everybody reads it in his own time. Called by: room-participant.ts with each message. Calls: the
 * store, room-log.ts. Sources: RFC 7701 §6.
 */
import { randomUUID } from 'node:crypto';
import { systemClock, type Clock } from '../../base/clock.ts';
import { cpimExtension, formatCpim, parseCpim, type CpimMessage } from '../../base/cpim.ts';
import type { Log } from '../../base/log.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import type { RoomLimits } from '../../base/room-limits.ts';
import type { MsrpIncomingMessage } from '../../msrp/session.ts';
import type { ImServerStore } from '../imserver-store.ts';
import { FILE_TYPES } from './room-file-notice.ts';
import type { RoomMetrics } from './room-metrics.ts';
import type { RoomParticipant } from './room-participant.ts';
import type { Room } from './room.ts';

export interface MsrpSwitchOptions {
  readonly store: ImServerStore;
  readonly domain: string;
  readonly limits: RoomLimits;
  readonly metrics: RoomMetrics;
  readonly log: Log;
  readonly clock?: Clock;
  /** The user whose address this is; undefined for somebody else's. */
  readonly userOfUri: (uri: string) => string | undefined;
  /** Whether `user` wants nothing of `by`. */
  readonly isBlocked: (user: string, by: string) => boolean;
}

const IMDN_NAMESPACE = 'urn:ietf:params:imdn';
const IMDN_TYPE = 'message/imdn+xml';
const COMPOSING_TYPE = 'application/im-iscomposing+xml';
/** What the room itself says. */
export const NOTICE_TYPE = 'application/conference-info+xml';
const MAX_ID_CHARS = 200;

/** Takes messages in for all rooms. */
export class MsrpSwitch {
  readonly #options: MsrpSwitchOptions;
  readonly #clock: Clock;

  constructor(options: MsrpSwitchOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Resolves when it is on disk, or was there; rejects with ProtocolError: its status is the answer. */
  async receive(participant: RoomParticipant, message: MsrpIncomingMessage): Promise<void> {
    try {
      await this.#receive(participant, message);
    } catch (error) {
      this.#options.metrics.refused++;
      throw error;
    }
  }

  async #receive(participant: RoomParticipant, message: MsrpIncomingMessage): Promise<void> {
    await participant.started.catch(() => {
      throw notAMember();
    });
    const { room, user } = participant;
    const cpim = parseCpim(message.body);
    // RFC 7701 §6.1: nobody speaks as somebody else.
    if (this.#options.userOfUri(cpim.from?.uri ?? '') !== user) {
      throw new ProtocolError('ROOM_WRONG_FROM', 403, 'From is not the participant');
    }
    const recipient = this.#recipientOf(room, user, cpim);
    if (room.isOver || participant.isGone || !room.members.has(user)) throw notAMember();
    const type = (cpim.contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
    if (type === NOTICE_TYPE || isFileOffer(type, cpim))
      throw new ProtocolError('ROOM_NOTICE', 403, 'only the room says that');
    const messageId = cpimExtension(cpim, IMDN_NAMESPACE, 'Message-ID') ?? message.messageId;
    if (messageId.length > MAX_ID_CHARS) throw new ProtocolError('ROOM_BAD_ID', 400, 'the id is too long');
    const body = this.#rewrite(room, user, recipient, messageId, cpim);
    if (type === COMPOSING_TYPE) this.#passOn(participant, recipient, body);
    // A report to everybody about what one has seen would be a storm of them.
    else if (type !== IMDN_TYPE || recipient !== null) {
      await this.#keep(participant, recipient, messageId, body);
    }
  }

  /** Null: everybody (RFC 7701 §6.1, §6.2). */
  #recipientOf(room: Room, sender: string, { to, cc }: CpimMessage): string | null {
    if (to.length > 1 || cc.length > 0) {
      throw new ProtocolError('ROOM_MANY_RECIPIENTS', 403, 'a message is for everybody, or for one');
    }
    const [only] = to;
    if (only === undefined) return null;
    const user = this.#options.userOfUri(only.uri);
    if (user === room.name) return null;
    const member = user === undefined ? undefined : room.members.get(user);
    if (user === undefined || member?.state !== 'joined') {
      throw new ProtocolError('ROOM_NO_RECIPIENT', 404, 'nobody of that address is in the room');
    }
    const devices = [...room.participants].filter((participant) => participant.user === user);
    const takesNone = devices.length > 0 && devices.every(({ takesPrivate }) => takesPrivate === false);
    if (takesNone || this.#options.isBlocked(user, sender)) {
      throw new ProtocolError('ROOM_NO_PRIVATE', 428, 'he takes no private messages');
    }
    return user;
  }

  /**
   * As everybody gets it: who wrote it as the room knows him, an id and a date whatever the sender's program leaves out,
   * and no wish for reports from everybody.
   */
  #rewrite(room: Room, user: string, recipient: string | null, messageId: string, cpim: CpimMessage): Buffer {
    const { domain } = this.#options;
    const kept = cpim.extensions.filter(
      ({ namespace, name }) => namespace !== IMDN_NAMESPACE || (recipient !== null && name !== 'Message-ID'),
    );
    return formatCpim({
      ...cpim,
      from: { displayName: room.shownName(user), uri: `sip:${user}@${domain}` },
      to: [{ uri: `sip:${recipient ?? room.name}@${domain}` }],
      dateTime: cpim.dateTime ?? new Date(this.#clock.now()).toISOString(),
      extensions: [{ namespace: IMDN_NAMESPACE, name: 'Message-ID', value: messageId }, ...kept],
    });
  }

  async #keep(
    participant: RoomParticipant,
    recipient: string | null,
    messageId: string,
    body: Buffer,
  ): Promise<void> {
    const { store, metrics, log } = this.#options;
    const { room, user, device } = participant;
    const entry = { kind: 'message', sender: user, device, recipient, messageId, body } as const;
    let kept: { position: number; isNew: boolean };
    try {
      const message = { ...entry, storedMs: this.#clock.now() };
      kept = await store.call('insertRoomMessage', { room: room.key, message });
    } catch (error) {
      // Not stored: the sender has it, and tries again (RFC 4975 §10.4).
      log.error('room.message.not-stored', { error });
      throw new ProtocolError('ROOM_NOT_STORED', 408, 'it cannot be stored now');
    }
    if (!kept.isNew) {
      metrics.duplicates++;
      return;
    }
    if (recipient === null) metrics.messages++;
    else metrics.privateMessages++;
    await room.receiveStored([{ ...entry, position: kept.position }]).catch((error: unknown) => {
      log.warn('room.history.unreadable', { error });
    });
  }

  /** Who is typing: told to those who are there and not behind, and kept by nobody. */
  #passOn(participant: RoomParticipant, recipient: string | null, body: Buffer): void {
    const { room, user } = participant;
    if (recipient === null && room.members.size > this.#options.limits.maxTypingMembers) return;
    for (const other of room.participants) {
      if (other.user === user || (recipient !== null && other.user !== recipient)) continue;
      other.sendPassing(body, randomUUID().replaceAll('-', ''));
    }
  }
}

/** The room tells of a file when it has it. */
function isFileOffer(type: string, { content }: CpimMessage): boolean {
  return FILE_TYPES.some((known) => known === type) && content.includes('a=file-selector');
}

function notAMember(): ProtocolError {
  return new ProtocolError('ROOM_NOT_A_MEMBER', 403, 'not a member of this room');
}
