/**
 * Owns: what a room itself says in its history: who came, who went, what it is called now. Called by: rooms.ts.
 * Calls: base/cpim.ts, sip/conference-info.ts.
 */
import { randomUUID } from 'node:crypto';
import { formatCpim } from '../../base/cpim.ts';
import {
  buildConferenceInfo,
  CONFERENCE_INFO_TYPE,
  type ConferenceDeparture,
  type ConferenceEndpointStatus,
  type ConferenceUser,
} from '../../sip/conference-info.ts';
import type { NewRoomMessage } from '../../store/room-tables.ts';
import type { Room } from './room.ts';

/** Something that has happened; `by`: who did it. */
export type RoomNotice =
  | {
      readonly kind: 'invited' | 'joined' | 'left' | 'declined' | 'removed' | 'owner';
      readonly by: string;
      readonly user: string;
    }
  | { readonly kind: 'renamed'; readonly by: string; readonly title: string };

const STATUS: Partial<Record<RoomNotice['kind'], ConferenceEndpointStatus>> = {
  invited: 'pending',
  joined: 'connected',
  left: 'disconnected',
  declined: 'disconnected',
  removed: 'disconnected',
};
const DEPARTURE: Partial<Record<RoomNotice['kind'], ConferenceDeparture>> = {
  left: 'departed',
  declined: 'busy',
  removed: 'booted',
};

/**
 * A change of the state (RFC 4575) as a message of the history: in order with what was said, and there for who comes
 * later. From is who did it; only the switch sends this type.
 */
export function buildNotice(
  room: Room,
  notice: RoomNotice,
  domain: string,
  storedMs: number,
): NewRoomMessage & { readonly body: Buffer } {
  const messageId = randomUUID().replaceAll('-', '');
  const uriOf = (user: string) => `sip:${user}@${domain}`;
  const users: ConferenceUser[] =
    notice.kind === 'renamed'
      ? []
      : [
          {
            entity: uriOf(notice.user),
            state: DEPARTURE[notice.kind] === undefined ? 'partial' : 'deleted',
            displayText: room.shownName(notice.user),
            roles: notice.kind === 'owner' ? ['owner'] : [],
            status: STATUS[notice.kind],
            departure: DEPARTURE[notice.kind],
          },
        ];
  const info = buildConferenceInfo({
    entity: uriOf(room.name),
    state: 'partial',
    version: 0,
    displayText: notice.kind === 'renamed' ? notice.title : undefined,
    users,
  });
  const body = formatCpim({
    from: { displayName: room.shownName(notice.by), uri: uriOf(notice.by) },
    to: [{ uri: uriOf(room.name) }],
    dateTime: new Date(storedMs).toISOString(),
    extensions: [{ namespace: 'urn:ietf:params:imdn', name: 'Message-ID', value: messageId }],
    contentType: CONFERENCE_INFO_TYPE,
    content: Buffer.from(info, 'utf8'),
  });
  // No user and no device has said it.
  return { kind: 'notice', sender: '', device: '', recipient: null, messageId, body, storedMs };
}
