/**
 * Owns: one device in a room: its SIP dialog, its MSRP session, its way through the history, and its end.
 * Called by: room-admission.ts, room-calls.ts, msrp-switch.ts. Calls: room-reader.ts, room-file-notice.ts, msrp/session.ts.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { RoomLimits } from '../../base/room-limits.ts';
import { CPIM_TYPE } from '../../base/cpim.ts';
import { isMessageId } from '../../msrp/message.ts';
import type { MsrpEndpoint } from '../../msrp/endpoint.ts';
import type { MsrpIncomingMessage, MsrpSession } from '../../msrp/session.ts';
import type { DialogDelegate, InviteDialog } from '../../sip/agent/invite-dialog.ts';
import { fileNoticeInWords } from './room-file-notice.ts';
import type { RoomEntry } from './room-log.ts';
import { RoomReader } from './room-reader.ts';
import type { Room } from './room.ts';

/** Whom a participant tells. */
export interface ParticipantHost {
  readonly endpoint: MsrpEndpoint;
  readonly limits: RoomLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly maxMessageBytes: number;
  receiveMessage(participant: RoomParticipant, message: MsrpIncomingMessage): Promise<void>;
  receiveNickname(participant: RoomParticipant, nickname: string): Promise<number>;
  /** He has everything up to here. */
  receivePlace(participant: RoomParticipant, position: number): void;
  /** An entry of the history has reached him. */
  receiveDelivered(): void;
  /** He is not there any more. Once. */
  receiveLeft(participant: RoomParticipant): void;
}

export interface ParticipantParts {
  readonly room: Room;
  readonly user: string;
  /** Which device of the user it is; empty when it does not say. */
  readonly device: string;
  /** URI of its Contact. */
  readonly contact: string;
  /** Our address as it reaches it. */
  readonly advertisedHost: string;
  readonly encrypted: boolean;
  /** Undefined: it has not said whether it takes private messages. */
  readonly takesPrivate: boolean | undefined;
  /** It understands what the room itself has to tell. */
  readonly takesNotices: boolean;
  /** It can ask for files that the room tells of. */
  readonly takesFiles: boolean;
}

/** One device of a member, from its invitation to its end. */
export class RoomParticipant {
  readonly room: Room;
  readonly user: string;
  readonly device: string;
  readonly contact: string;
  readonly session: MsrpSession;
  readonly dialogDelegate: DialogDelegate;
  takesPrivate: boolean | undefined;
  takesNotices: boolean;
  takesFiles: boolean;
  readonly #host: ParticipantHost;
  readonly #started = Promise.withResolvers<void>();
  #dialog: InviteDialog | undefined;
  #reader: RoomReader | undefined;
  #ended = false;
  #heard = Promise.withResolvers<void>();
  /** When he last changed his nickname, in ms. */
  readonly nicknameTimes: number[] = [];

  constructor(host: ParticipantHost, parts: ParticipantParts) {
    this.#host = host;
    this.room = parts.room;
    this.user = parts.user;
    this.device = parts.device;
    this.contact = parts.contact;
    this.takesPrivate = parts.takesPrivate;
    this.takesNotices = parts.takesNotices;
    this.takesFiles = parts.takesFiles;
    this.#started.promise.catch(() => undefined);
    this.session = host.endpoint.createSession({
      advertisedHost: parts.advertisedHost,
      acceptTypes: [CPIM_TYPE],
      encrypted: parts.encrypted,
      unprovenAllowed: true,
      maxMessageBytes: host.maxMessageBytes,
      delegate: {
        receiveMessage: (message) => host.receiveMessage(this, message),
        receiveNickname: (nickname) => host.receiveNickname(this, nickname),
        receiveReport: () => undefined,
        receiveVisit: () => undefined,
        receiveClose: () => void this.end(),
      },
    });
    this.dialogDelegate = { receiveBye: () => this.end('hung-up') };
  }

  /** Resolves when he is in the room; rejects when he never comes. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  get isGone(): boolean {
    return this.#ended;
  }

  set dialog(dialog: InviteDialog) {
    this.#dialog = dialog;
  }

  /** He is there: what he has missed goes out, and what is said from now on. */
  start(from: number): void {
    if (this.#ended) return;
    this.room.participants.add(this);
    this.#reader = new RoomReader({
      history: this.room.history,
      limits: this.#host.limits,
      log: this.#host.log,
      from,
      wants: (entry) => this.#wants(entry),
      send: (entry) => this.#send(entry),
      receivePlace: (position) => {
        this.#host.receivePlace(this, position);
      },
      receiveIdle: () => {
        this.#heard.resolve();
      },
      receiveStalled: () => void this.end('lost'),
    });
    this.#started.resolve();
    this.#reader.pump();
  }

  wake(): void {
    this.#reader?.pump();
  }

  /** Whether everything that was said has reached him. */
  get isUpToDate(): boolean {
    return this.#reader?.isIdle === true;
  }

  /** Resolves when it has, or when he is gone. */
  async heardAll(): Promise<void> {
    if (this.isUpToDate || this.#ended) return;
    this.#heard = Promise.withResolvers();
    await this.#heard.promise;
  }

  /** Something that nobody keeps; lost when he is behind. */
  sendPassing(body: Buffer, messageId: string): void {
    if (!this.isUpToDate) return;
    const message = {
      messageId: wireId(messageId),
      contentType: CPIM_TYPE,
      body,
      failureReport: 'no',
    } as const;
    this.session.sendMessage(message).catch(() => undefined);
  }

  /** Whether the device is still there; ends it when not. */
  async audit(): Promise<void> {
    if (this.#dialog?.state !== 'confirmed') return;
    try {
      const { status, source } = await this.#dialog.sendRequest('OPTIONS');
      if (status === 481 || source.address === '') await this.end('lost');
    } catch {
      await this.end('lost');
    }
  }

  /**
   * Ends his part. `cut`: nothing more is taken from him or given to him; else what is under way arrives first, if he
   * still answers.
   */
  async end(how: 'farewell' | 'cut' | 'hung-up' | 'lost' = 'farewell'): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#reader?.end();
    this.#started.reject(new Error('he never came'));
    this.#heard.resolve();
    this.room.participants.delete(this);
    this.#host.receiveLeft(this);
    if (how === 'cut' || how === 'lost') this.session.destroy();
    if (how !== 'hung-up') await this.#hangUp();
    // Whoever hangs up has his answer at once, and the rest of what he has sent is taken after it.
    const closed = this.session.close();
    if (how === 'farewell') await closed;
  }

  /** A server that stops, or a device that is gone, does not wait for an answer without end. */
  async #hangUp(): Promise<void> {
    const late = Promise.withResolvers<void>();
    using _limit = this.#host.clock.startTimer(this.#host.limits.byeMs, () => {
      late.resolve();
    });
    await Promise.race([this.#dialog?.sendBye(), late.promise]);
  }

  #wants({ kind, sender, device, recipient }: RoomEntry): boolean {
    if (kind === 'notice') return this.takesNotices;
    if (recipient !== null && recipient !== this.user && sender !== this.user) return false;
    return sender !== this.user || device !== this.device;
  }

  async #send({ kind, body, messageId }: RoomEntry): Promise<number> {
    const { status } = await this.session.sendMessage({
      messageId: wireId(messageId),
      contentType: CPIM_TYPE,
      body: kind === 'file' && !this.takesFiles ? fileNoticeInWords(body) : body,
    });
    if (status === 200) this.#host.receiveDelivered();
    return status;
  }
}

/** The Message-ID of MSRP is the message's own, where it may be one (RFC 4975 §9 `ident`). */
function wireId(messageId: string): string {
  return isMessageId(messageId)
    ? messageId
    : createHash('sha256').update(messageId).digest('hex').slice(0, 32);
}
