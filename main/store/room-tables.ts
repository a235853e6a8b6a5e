/**
 * Owns: statements on chat rooms of an IM Server: rooms, members, what was said, how far each device has got.
 * Called by: imserver-tables.ts. Calls: SQLite.
 */
import type { Database } from './database.ts';

export type RoomRole = 'owner' | 'member';
/** `invited`: has not come yet. */
export type RoomMemberState = 'invited' | 'joined';

/** A member as he lies on disk. */
export interface StoredRoomMember {
  readonly user: string;
  readonly role: RoomRole;
  readonly state: RoomMemberState;
  /** Empty: none. */
  readonly nickname: string;
  readonly invitedBy: string;
  /** What was said up to here was said before his time. */
  readonly since: number;
}

export interface StoredRoom {
  readonly key: number;
  /** The user part of its address. */
  readonly name: string;
  readonly title: string;
  /** Whoever knows its address may join. */
  readonly named: boolean;
  readonly createdMs: number;
  /** When somebody was there last. */
  readonly activeMs: number;
  readonly members: readonly StoredRoomMember[];
  /** Position of the newest message; 0: none. */
  readonly lastPosition: number;
  /** Grows with each change; a store that nobody shares does not count. */
  readonly version: number;
}

/** Something that was said in a room, or a notice of the room itself. */
export interface NewRoomMessage {
  readonly kind: (typeof KINDS)[number];
  readonly sender: string;
  /** Which device of the sender it came from. */
  readonly device: string;
  /** Null: everybody. */
  readonly recipient: string | null;
  /** Its id end to end. */
  readonly messageId: string;
  /** message/cpim. */
  readonly body: Uint8Array;
  readonly storedMs: number;
}

export interface StoredRoomMessage extends NewRoomMessage {
  readonly position: number;
}

/** Where a message lies; `isNew`: it was not there before. */
export interface StoredPlace {
  readonly position: number;
  readonly isNew: boolean;
}

/** How far a device has got. */
export interface RoomPlace {
  readonly room: number;
  readonly user: string;
  readonly device: string;
  readonly position: number;
  readonly seenMs: number;
}

/** Everything of a change is on disk, or nothing. */
export interface RoomChange {
  readonly room: number;
  /** Of the room that the change was thought out for. */
  readonly version: number;
  readonly title?: string | undefined;
  readonly members?: readonly StoredRoomMember[];
  readonly removed?: readonly string[];
  readonly notices?: readonly NewRoomMessage[];
}

interface RoomRow {
  key: number;
  name: string;
  title: string;
  named: number;
  created_ms: number;
  active_ms: number;
  last_position: number | null;
}

/** Rows as both engines have them. */
export interface RoomMemberRow {
  room: number;
  user: string;
  role: string;
  state: string;
  nickname: string;
  invited_by: string;
  since: number;
}

export interface RoomMessageRow {
  position: number;
  kind: number;
  sender: string;
  device: string;
  recipient: string | null;
  message_id: string;
  body: Uint8Array;
  stored_ms: number;
}

/** `file`: the offer of one that the server keeps for the room. In rows by their places. */
export const KINDS = ['message', 'notice', 'file'] as const;
/** Messages that are looked at together. */
export const EXPIRE_STEP = 500;

export function toRoomMember(row: RoomMemberRow): StoredRoomMember {
  return {
    user: row.user,
    role: row.role as RoomRole,
    state: row.state as RoomMemberState,
    nickname: row.nickname,
    invitedBy: row.invited_by,
    since: row.since,
  };
}

export function toRoomMessage(row: RoomMessageRow): StoredRoomMessage {
  return {
    position: row.position,
    kind: KINDS[row.kind] ?? 'message',
    sender: row.sender,
    device: row.device,
    recipient: row.recipient,
    messageId: row.message_id,
    body: row.body,
    storedMs: row.stored_ms,
  };
}

/** Writes down what is said in a room, or finds that it is there already. */
export function roomMessageWriter(
  database: Database,
): (room: number, message: NewRoomMessage) => StoredPlace {
  const insertMessage = database.prepare(
    `INSERT INTO room_messages (room, kind, sender, device, recipient, message_id, body, stored_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  );
  const known = database.prepare<[number, string, string], { position: number }>(
    'SELECT position FROM room_messages WHERE room = ? AND sender = ? AND message_id = ?',
  );
  return (room, message) => {
    const { kind, sender, device, recipient, messageId, body, storedMs } = message;
    const { changes, lastInsertRowid } = insertMessage.run(
      room,
      KINDS.indexOf(kind),
      sender,
      device,
      recipient,
      messageId,
      body,
      storedMs,
    );
    if (changes > 0) return { position: Number(lastInsertRowid), isNew: true };
    return { position: known.get(room, sender, messageId)?.position ?? 0, isNew: false };
  };
}

export function roomProcedures(database: Database) {
  const rooms = database.prepare<[], RoomRow>(
    `SELECT r.*, (SELECT max(position) FROM room_messages m WHERE m.room = r.key) AS last_position FROM rooms r`,
  );
  const members = database.prepare<[], RoomMemberRow>('SELECT * FROM room_members');
  const keyOf = database.prepare<[string], { key: number }>('SELECT key FROM rooms WHERE name = ?');
  const insertRoom = database.prepare<[string, string, number, number, number]>(
    'INSERT INTO rooms (name, title, named, created_ms, active_ms) VALUES (?, ?, ?, ?, ?)',
  );
  const setTitle = database.prepare<[string, number]>('UPDATE rooms SET title = ? WHERE key = ?');
  const setActive = database.prepare<[number, number]>('UPDATE rooms SET active_ms = ? WHERE key = ?');
  const leftRooms = database.prepare<[number], { key: number }>('SELECT key FROM rooms WHERE active_ms < ?');
  const deleteRoom = database.prepare<[number]>('DELETE FROM rooms WHERE key = ?');
  const upsertMember = database.prepare<[number, string, string, string, string, string, number]>(
    `INSERT INTO room_members (room, user, role, state, nickname, invited_by, since) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET role = excluded.role, state = excluded.state, nickname = excluded.nickname`,
  );
  const deleteMember = database.prepare<[number, string]>(
    'DELETE FROM room_members WHERE room = ? AND user = ?',
  );
  const page = database.prepare<[number, number, number], RoomMessageRow>(
    'SELECT * FROM room_messages WHERE room = ? AND position > ? ORDER BY position LIMIT ?',
  );
  const place = database.prepare<[number, string, string], { position: number }>(
    'SELECT position FROM room_places WHERE room = ? AND user = ? AND device = ?',
  );
  const knownDevices = database.prepare<[string], { room: number; device: string }>(
    'SELECT room, device FROM room_places WHERE user = ?',
  );
  // A place of somebody who has left meanwhile has nobody to belong to.
  const upsertPlace = database.prepare<[number, string, string, number, number, number, string]>(
    `INSERT INTO room_places (room, user, device, position, seen_ms) SELECT ?, ?, ?, ?, ?
     WHERE EXISTS (SELECT 1 FROM room_members WHERE room = ? AND user = ?)
     ON CONFLICT DO UPDATE SET position = max(position, excluded.position), seen_ms = excluded.seen_ms`,
  );
  const forgetPlaces = database.prepare<[number, string, number, string, number]>(
    `DELETE FROM room_places WHERE room = ? AND user = ? AND device NOT IN
       (SELECT device FROM room_places WHERE room = ? AND user = ? ORDER BY seen_ms DESC LIMIT ?)`,
  );
  const byName = database.prepare<[string], { key: number }>('SELECT key FROM rooms WHERE name = ?');
  // Positions grow with time: what is old lies at the beginning, and nothing else is looked at.
  const expire = database.prepare<[number, number]>(
    `DELETE FROM room_messages WHERE stored_ms < ? AND position IN
       (SELECT position FROM room_messages ORDER BY position LIMIT ?)`,
  );
  const beyondCount = database.prepare<[number, number], { position: number }>(
    'SELECT position FROM room_messages WHERE room = ? ORDER BY position DESC LIMIT 1 OFFSET ?',
  );
  const beyondBytes = database.prepare<[number, number], { position: number }>(
    `SELECT position FROM (SELECT position, sum(length(body)) OVER (ORDER BY position DESC) AS bytes
       FROM room_messages WHERE room = ?) WHERE bytes > ? ORDER BY position DESC LIMIT 1`,
  );
  const deleteUpTo = database.prepare<[number, number]>(
    'DELETE FROM room_messages WHERE room = ? AND position <= ?',
  );
  const countMessages = database.prepare<[], { room: number; n: number }>(
    'SELECT room, count(*) AS n FROM room_messages GROUP BY room',
  );

  const putMessage = roomMessageWriter(database);

  function putMember(room: number, member: StoredRoomMember): void {
    const { user, role, state, nickname, invitedBy, since } = member;
    upsertMember.run(room, user, role, state, nickname, invitedBy, since);
  }

  return {
    /** All rooms with their members, or one. */
    selectRooms(input: { room?: number }): StoredRoom[] {
      const byRoom = Map.groupBy(members.all(), ({ room }) => room);
      const wanted = rooms.all().filter(({ key }) => input.room === undefined || key === input.room);
      return wanted.map((row) => ({
        key: row.key,
        name: row.name,
        title: row.title,
        named: row.named === 1,
        createdMs: row.created_ms,
        activeMs: row.active_ms,
        members: (byRoom.get(row.key) ?? []).map(toRoomMember),
        lastPosition: row.last_position ?? 0,
        version: 0,
      }));
    },
    /** Its number; null: there is one of that name. */
    insertRoom: database.transaction(
      (input: Omit<StoredRoom, 'key' | 'activeMs' | 'lastPosition' | 'version'>): number | null => {
        const { name, title, named, createdMs } = input;
        if (byName.get(name) !== undefined) return null;
        const { lastInsertRowid } = insertRoom.run(name, title, named ? 1 : 0, createdMs, createdMs);
        const room = Number(lastInsertRowid);
        for (const member of input.members) putMember(room, member);
        return room;
      },
    ),
    /** Returns the positions of its notices; null: another node has changed the room meanwhile, and nothing was done. */
    updateRoom: database.transaction((change: RoomChange): number[] | null => {
      const { room, title, members: changed = [], removed = [], notices = [] } = change;
      if (title !== undefined) setTitle.run(title, room);
      for (const member of changed) putMember(room, member);
      for (const user of removed) deleteMember.run(room, user);
      return notices.map((notice) => putMessage(room, notice).position);
    }),
    deleteRoom(input: { room: number }): null {
      deleteRoom.run(input.room);
      return null;
    },
    updateRoomsActive: database.transaction((input: { rooms: readonly number[]; nowMs: number }): null => {
      for (const room of input.rooms) setActive.run(input.nowMs, room);
      return null;
    }),
    /** Rooms in which nobody has been since then. */
    selectRoomKey(input: { name: string }): number | null {
      return keyOf.get(input.name)?.key ?? null;
    },
    selectRoomsLeft(input: { beforeMs: number }): number[] {
      return leftRooms.all(input.beforeMs).map(({ key }) => key);
    },
    /** Keeps a message, or finds that it is there already. */
    insertRoomMessage(input: { room: number; message: NewRoomMessage }): StoredPlace {
      return putMessage(input.room, input.message);
    },
    /** The next ones behind a position, at most so many bytes unless it is one. */
    selectRoomMessages(input: {
      room: number;
      after: number;
      limit: number;
      maxBytes: number;
    }): StoredRoomMessage[] {
      const found: StoredRoomMessage[] = [];
      let bytes = 0;
      for (const row of page.iterate(input.room, input.after, input.limit)) {
        bytes += row.body.length;
        if (found.length > 0 && bytes > input.maxBytes) break;
        found.push(toRoomMessage(row));
      }
      return found;
    },
    /** How far a device has got; null: it was never there. */
    selectRoomPlace(input: { room: number; user: string; device: string }): number | null {
      return place.get(input.room, input.user, input.device)?.position ?? null;
    },
    /** Where devices of a user have been. */
    selectRoomDevices(input: { user: string }): { room: number; device: string }[] {
      return knownDevices.all(input.user);
    },
    upsertRoomPlaces: database.transaction(
      (input: { places: readonly RoomPlace[]; maxDevices: number }): null => {
        for (const { room, user, device, position, seenMs } of input.places) {
          upsertPlace.run(room, user, device, position, seenMs, room, user);
          forgetPlaces.run(room, user, room, user, input.maxDevices);
        }
        return null;
      },
    ),
    /** Deletes what is older, and in these rooms what is beyond their share. */
    trimRooms: database.transaction(
      (input: {
        beforeMs: number;
        rooms: readonly number[];
        maxMessages: number;
        maxBytes: number;
      }): null => {
        while (expire.run(input.beforeMs, EXPIRE_STEP).changes === EXPIRE_STEP);
        for (const room of input.rooms) {
          const last = Math.max(
            beyondCount.get(room, input.maxMessages)?.position ?? 0,
            beyondBytes.get(room, input.maxBytes)?.position ?? 0,
          );
          if (last > 0) deleteUpTo.run(room, last);
        }
        return null;
      },
    ),
    /** Messages that rooms keep, by room. */
    countRoomMessages(_input: null): { room: number; messages: number }[] {
      return countMessages.all().map(({ room, n }) => ({ room, messages: n }));
    },
  };
}
