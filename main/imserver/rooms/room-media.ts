/**
 * Owns: what the rooms say about their messages in SDP, and what they make of the other side's (RFC 7701 §8).
 * Called by: room-admission.ts, room-calls.ts. Calls: msrp/sdp.ts.
 */
import { CPIM_TYPE } from '../../base/cpim.ts';
import type { MsrpEndpoint } from '../../msrp/endpoint.ts';
import { ROOM_FILES_ATTRIBUTE } from '../../msrp/file-sdp.ts';
import {
  buildMsrpAnswer,
  buildMsrpOffer,
  parseMsrpDescription,
  type MsrpDescription,
  type MsrpLocalDescription,
} from '../../msrp/sdp.ts';
import type { MsrpSession } from '../../msrp/session.ts';
import { isAnyAddress } from '../inner-address.ts';
import { CONFERENCE_INFO_TYPE } from '../../sip/conference-info.ts';
import { FILE_TYPES } from './room-file-notice.ts';

export interface RoomMediaOptions {
  readonly endpoint: MsrpEndpoint;
  /** Where the endpoint listens. */
  readonly host: string;
  /** Name or address that others reach it at; undefined: the one that they have used. */
  readonly name: string | undefined;
  /** Whether messages may come without TLS. */
  readonly plain: boolean;
  readonly maxMessageBytes: number;
  /** Whether the server keeps files for rooms. */
  readonly keepsFiles: boolean;
  /** Our address as this one sees it. */
  readonly addressToward: (remote: string) => Promise<string>;
}

/** What the other side has said about itself. */
export interface RoomPeerMedia {
  readonly description: MsrpDescription;
  readonly encrypted: boolean;
  /** Undefined: its program says nothing of chat rooms. */
  readonly takesPrivate: boolean | undefined;
  readonly takesNotices: boolean;
  readonly takesFiles: boolean;
}

/** Why a description is refused, as Warnings have it: 302 for what cannot be agreed on. */
export class RoomMediaError extends Error {
  override readonly name = 'RoomMediaError';

  get warning(): string {
    return `302 parley "${this.message}"`;
  }
}

/** Descriptions of one server's rooms. */
export class RoomMedia {
  readonly #options: RoomMediaOptions;

  constructor(options: RoomMediaOptions) {
    this.#options = options;
  }

  get plain(): boolean {
    return this.#options.plain;
  }

  /** What stands in our path for somebody at `remote`. */
  async hostFor(remote: string): Promise<string> {
    const { name, host, addressToward } = this.#options;
    if (name !== undefined) return name;
    return isAnyAddress(host) ? addressToward(remote) : host;
  }

  /** Throws RoomMediaError when this cannot become a session in a room. */
  read(sdp: string): RoomPeerMedia {
    const description = parseMsrpDescription(sdp);
    if (description === undefined) throw new RoomMediaError('no messages are offered');
    const { acceptTypes, acceptWrappedTypes, attributes, path } = description;
    // RFC 7701 §5.2: everything in a room is wrapped.
    const takesCpim = acceptTypes.some((type) => ['*', 'message/*', CPIM_TYPE].includes(type));
    if (!takesCpim) throw new RoomMediaError('rooms need message/cpim');
    const encrypted = path.at(-1)?.scheme === 'msrps';
    if (!encrypted && !this.#options.plain)
      throw new RoomMediaError('only encrypted messages are taken here');
    const chatroom = attributes.find(({ name }) => name === 'chatroom');
    const types = [...acceptTypes, ...acceptWrappedTypes];
    return {
      description,
      encrypted,
      takesPrivate: chatroom && (chatroom.value ?? '').split(/\s+/).includes('private-messages'),
      takesNotices: types.includes(CONFERENCE_INFO_TYPE),
      takesFiles: FILE_TYPES.every((type) => types.includes(type)),
    };
  }

  /** We wait for the visit: whoever joins may be where nobody reaches him (RFC 6135 §4.2.2). */
  async answer(session: MsrpSession, { description, encrypted }: RoomPeerMedia): Promise<string> {
    const { setup } = description;
    if (setup === 'passive') throw new RoomMediaError('who joins has to connect');
    return buildMsrpAnswer({
      ...(await this.#local(session, encrypted)),
      offer: description,
      ...(setup === undefined ? {} : { setup: 'passive' }),
    });
  }

  async offer(session: MsrpSession, encrypted: boolean): Promise<string> {
    return buildMsrpOffer({ ...(await this.#local(session, encrypted)), setup: 'actpass' });
  }

  async #local(session: MsrpSession, encrypted: boolean): Promise<MsrpLocalDescription> {
    const { endpoint, maxMessageBytes, keepsFiles } = this.#options;
    return {
      path: session.localPath,
      acceptTypes: [CPIM_TYPE],
      acceptWrappedTypes: ['*'],
      maxSize: maxMessageBytes,
      attributes: [
        { name: 'chatroom', value: 'nickname private-messages' },
        ...(keepsFiles ? [{ name: ROOM_FILES_ATTRIBUTE, value: undefined }] : []),
      ],
      ...(encrypted ? { fingerprint: (await endpoint.identity()).fingerprint } : {}),
    };
  }
}
