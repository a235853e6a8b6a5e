/**
 * Owns: the rooms of a server as SIP sees them: which addresses are theirs, and what a request to one does (RFC 4579).
 * Called by: imserver.ts with requests to these addresses. Calls: room-admission.ts, room-calls.ts,
 * room-files.ts, rooms.ts.
 */
import { IMSERVER_LIMITS } from '../../base/limits.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import { FACTORY_NAME } from '../../base/room-names.ts';
import type { AgentServerRequest } from '../../sip/agent/agent-server-request.ts';
import type { SipAgent } from '../../sip/agent/agent.ts';
import { IncomingInvite } from '../../sip/agent/invite.ts';
import {
  CONFERENCE_EVENT,
  CONFERENCE_INFO_TYPE,
  parseConferenceInfo,
  type ConferenceInfo,
} from '../../sip/conference-info.ts';
import { parseNameAddr } from '../../sip/headers.ts';
import { tryParseSipUri } from '../../sip/uri.ts';
import type { Credentials } from '../credentials.ts';
import { isAboutFile } from '../file-desk.ts';
import { focusContact, type RoomAdmission } from './room-admission.ts';
import type { RoomCalls } from './room-calls.ts';
import { refuseMedia, type RoomFiles } from './room-files.ts';
import type { Rooms } from './rooms.ts';
import type { Room } from './room.ts';

export interface ConferenceFocusOptions {
  readonly agent: SipAgent;
  readonly credentials: Credentials;
  readonly rooms: Rooms;
  readonly admission: RoomAdmission;
  readonly calls: RoomCalls;
  /** Undefined: the server keeps none. */
  readonly files: RoomFiles | undefined;
  /** Whether users may make rooms. */
  readonly usersCreate: boolean;
}

/** Requests to rooms, and to the address that makes them. */
export class ConferenceFocus {
  readonly #options: ConferenceFocusOptions;
  /** Nobody comes in any more: those who are there stay. */
  draining = false;

  constructor(options: ConferenceFocusOptions) {
    this.#options = options;
  }

  /** Whether a request to this URI is for a room. */
  owns(uri: string): boolean {
    const name = this.#options.credentials.userOfUri(uri);
    return name !== undefined && (name === FACTORY_NAME || this.#options.rooms.find(name) !== undefined);
  }

  /** The room of a URI. */
  roomOf(uri: string): Room | undefined {
    return this.#options.rooms.find(this.#options.credentials.userOfUri(uri) ?? '');
  }

  /** To the factory: a new room; to a room: joining it. */
  async receiveInvite(request: AgentServerRequest): Promise<void> {
    const { agent, credentials, rooms, admission, files } = this.#options;
    const user = await credentials.authenticate(request);
    if (user === undefined) return;
    const { uri } = request.message;
    if (request.dialogId !== undefined) {
      await request.respond(481);
      return;
    }
    if (this.draining) {
      const later = { 'Retry-After': String(IMSERVER_LIMITS.drainRetryAfterS) };
      await request.respond(503, { reason: 'The server is about to stop', headers: later });
      return;
    }
    const invite = new IncomingInvite(agent, request);
    if (credentials.userOfUri(uri) !== FACTORY_NAME) {
      const room = this.roomOf(uri);
      if (room === undefined) await invite.reject(404);
      else if (!isAboutFile(request)) await admission.receiveInvite(invite, room, user);
      else if (files === undefined) await refuseMedia(invite, 'no files are kept here');
      else await files.receiveInvite(invite, room, user);
      return;
    }
    if (isAboutFile(request)) {
      await refuseMedia(invite, 'a file is for a room that there is');
      return;
    }
    await this.#guard(request, async () => {
      this.#requireCreation();
      const room = await rooms.create({ owner: user, ...wishOf(request, credentials) });
      // Who asked for it did not come: nobody knows of it.
      if (!(await admission.receiveInvite(invite, room, user)) && room.members.size < 2)
        await rooms.close(room);
    });
  }

  /** A REFER to a room invites whom it names, or removes him with `method=BYE` (RFC 4579 §5.5, §5.9). */
  async receiveRefer(request: AgentServerRequest): Promise<void> {
    const { credentials, rooms, calls } = this.#options;
    const by = await credentials.authenticate(request);
    if (by === undefined) return;
    await this.#guard(request, async () => {
      const room = this.#require(request.message.uri);
      const target = parseNameAddr(request.message.headers.get('refer-to') ?? '').uri;
      const parsed = tryParseSipUri(target);
      const user = credentials.userOfUri(target);
      if (user === undefined) {
        throw new ProtocolError('ROOM_OTHER_DOMAIN', 403, 'Rooms are for people of this server');
      }
      const method = (parsed?.params.get('method') ?? 'INVITE').toUpperCase();
      if (method === 'INVITE') {
        await rooms.invite(room, by, user);
        calls.call(room, user);
      } else if (method === 'BYE') {
        await rooms.remove(room, by, user);
        calls.takeBack(room, user);
      } else throw new ProtocolError('ROOM_BAD_REFER', 400, 'INVITE and BYE can be asked for');
      await this.#acceptRefer(request);
    });
  }

  /** Whoever asks learns that it is a room (RFC 4579 §5.2). */
  async receiveOptions(request: AgentServerRequest): Promise<void> {
    const { credentials } = this.#options;
    if ((await credentials.authenticate(request)) === undefined) return;
    const room = this.roomOf(request.message.uri);
    const contact = room === undefined ? `<sip:${FACTORY_NAME}@localhost>;isfocus` : focusContact(room);
    await request.respond(200, {
      headers: { Contact: contact, 'Allow-Events': CONFERENCE_EVENT, Accept: 'application/sdp' },
    });
  }

  /**
   * A MESSAGE with a state says what shall be so: of a room its name and its owner, of the factory which room there shall
   * be.
   */
  async receiveMessage(request: AgentServerRequest): Promise<void> {
    const { credentials, rooms } = this.#options;
    const by = await credentials.authenticate(request);
    if (by === undefined) return;
    const { headers, uri, body } = request.message;
    const type = (headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase();
    if (type !== CONFERENCE_INFO_TYPE) {
      await request.respond(415, { headers: { Accept: CONFERENCE_INFO_TYPE } });
      return;
    }
    await this.#guard(request, async () => {
      const wish = parseConferenceInfo(body);
      if (credentials.userOfUri(uri) === FACTORY_NAME) {
        await this.#create(by, wish);
        await request.respond(200);
        return;
      }
      const room = this.#require(uri);
      if (wish.displayText !== undefined) await rooms.rename(room, by, wish.displayText);
      for (const { entity, roles } of wish.users) {
        if (roles.includes('owner')) await rooms.setOwner(room, by, credentials.userOfUri(entity) ?? '');
      }
      await request.respond(200);
    });
  }

  async #create(owner: string, { entity, displayText = '' }: ConferenceInfo): Promise<void> {
    this.#requireCreation();
    const name = this.#options.credentials.userOfUri(entity);
    if (name === undefined)
      throw new ProtocolError('ROOM_BAD_NAME', 400, 'This cannot be the address of a room');
    await this.#options.rooms.create({ owner, title: displayText, name });
  }

  #requireCreation(): void {
    if (!this.#options.usersCreate) {
      throw new ProtocolError('ROOMS_NOT_BY_USERS', 403, 'Users make no rooms here');
    }
  }

  #require(uri: string): Room {
    const room = this.roomOf(uri);
    if (room === undefined) throw new ProtocolError('ROOM_UNKNOWN', 404, 'There is no such room');
    return room;
  }

  /** What cannot be done is answered with its status and reason. */
  async #guard(request: AgentServerRequest, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof ProtocolError) || typeof error.answer !== 'number') throw error;
      if (!request.answered) await request.respond(error.answer, { reason: error.message });
    }
  }

  /** 202; without `Refer-Sub: false` one NOTIFY says that it is done (RFC 3515 §2.4.4, RFC 4488 §4). */
  async #acceptRefer(request: AgentServerRequest): Promise<void> {
    const silent = /^\s*false\b/i.test(request.message.headers.get('refer-sub') ?? '');
    const sent = await request.respond(202, {
      headers: silent ? { 'Refer-Sub': 'false' } : { Expires: '60' },
    });
    if (silent || sent?.dialogId === undefined) return;
    await this.#options.agent
      .sendRequest({
        method: 'NOTIFY',
        dialogId: sent.dialogId,
        headers: {
          Event: 'refer',
          'Subscription-State': 'terminated;reason=noresource',
          'Content-Type': 'message/sipfrag;version=2.0',
        },
        body: 'SIP/2.0 200 OK\r\n',
      })
      .final.catch(() => undefined);
  }
}

/** What the new room is to be called, and under which address it is to be; without one it gets an unguessable one. */
function wishOf(request: AgentServerRequest, credentials: Credentials): { title: string; name?: string } {
  const { headers } = request.message;
  const title = headers.get('subject') ?? '';
  const name = credentials.userOf(headers.get('to'));
  return name === undefined || name === FACTORY_NAME ? { title } : { title, name };
}
