/**
 * Owns: statements on chat rooms in PostgreSQL. Whoever says something in a room holds its row until it is on disk: so
 * positions become visible in their order, at whichever node it is said.
 * Called by: postgres-procedures.ts. Calls: postgres-pool.ts.
 */
import {
  EXPIRE_STEP,
  KINDS,
  toRoomMember,
  toRoomMessage,
  type NewRoomMessage,
  type RoomChange,
  type RoomMemberRow,
  type RoomMessageRow,
  type RoomPlace,
  type StoredPlace,
  type StoredRoom,
  type StoredRoomMember,
  type StoredRoomMessage,
} from '../room-tables.ts';
import { NEWS_CHANNEL, type PostgresPool, type Run } from './postgres-pool.ts';

interface RoomRow {
  key: number;
  name: string;
  title: string;
  named: boolean;
  created_ms: number;
  active_ms: number;
  version: number;
  last_position: number | null;
}

async function putMember(run: Run, room: number, member: StoredRoomMember): Promise<void> {
  const { user, role, state, nickname, invitedBy, since } = member;
  await run(
    `INSERT INTO room_members (room, username, role, state, nickname, invited_by, since)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (room, username) DO UPDATE SET role = excluded.role, state = excluded.state,
       nickname = excluded.nickname`,
    [room, user, role, state, nickname, invitedBy, since],
  );
}

export async function putMessage(
  run: Run,
  node: string,
  room: number,
  message: NewRoomMessage,
): Promise<StoredPlace> {
  const { kind, sender, device, recipient, messageId, body, storedMs } = message;
  const [kept] = await run<{ position: number }>(
    `WITH held AS (SELECT key FROM rooms WHERE key = $1 FOR NO KEY UPDATE),
       kept AS (
         INSERT INTO room_messages (room, kind, sender, device, recipient, message_id, body, stored_ms)
         SELECT key, $2, $3, $4, $5, $6, $7, $8 FROM held
         ON CONFLICT (room, sender, message_id) DO NOTHING RETURNING position)
     SELECT position, pg_notify($9, json_build_object(
       'node', $10::text, 'kind', 'said', 'room', $1::bigint, 'position', position)::text) FROM kept`,
    [
      ...[room, KINDS.indexOf(kind), sender, device, recipient, messageId],
      ...[Buffer.from(body), storedMs, NEWS_CHANNEL, node],
    ],
  );
  if (kept !== undefined) return { position: kept.position, isNew: true };
  const [known] = await run<{ position: number }>(
    'SELECT position FROM room_messages WHERE room = $1 AND sender = $2 AND message_id = $3',
    [room, sender, messageId],
  );
  return { position: known?.position ?? 0, isNew: false };
}

/** The rooms themselves and their members. */
export function roomStatements(pool: PostgresPool) {
  const { run } = pool;
  return {
    async selectRooms({ room }: { room?: number }): Promise<StoredRoom[]> {
      // Members first: what joins in between comes with the next news.
      const members = await run<RoomMemberRow>(
        'SELECT *, username AS "user" FROM room_members WHERE $1::bigint IS NULL OR room = $1',
        [room ?? null],
      );
      const byRoom = Map.groupBy(members, (member) => member.room);
      const rows = await run<RoomRow>(
        `SELECT r.*, (SELECT max(position) FROM room_messages m WHERE m.room = r.key) AS last_position
         FROM rooms r WHERE $1::bigint IS NULL OR key = $1`,
        [room ?? null],
      );
      return rows.map(({ created_ms, active_ms, last_position, ...row }) => ({
        ...row,
        createdMs: created_ms,
        activeMs: active_ms,
        members: (byRoom.get(row.key) ?? []).map(toRoomMember),
        lastPosition: last_position ?? 0,
      }));
    },
    insertRoom(
      input: Omit<StoredRoom, 'key' | 'activeMs' | 'lastPosition' | 'version'>,
    ): Promise<number | null> {
      const { name, title, named, createdMs, members } = input;
      return pool.transact(async (inside, tell) => {
        const [row] = await inside<{ key: number }>(
          `INSERT INTO rooms (name, title, named, created_ms, active_ms) VALUES ($1, $2, $3, $4, $4)
           ON CONFLICT (name) DO NOTHING RETURNING key`,
          [name, title, named, createdMs],
        );
        if (row === undefined) return null;
        for (const member of members) await putMember(inside, row.key, member);
        await tell({ kind: 'room', room: row.key });
        return row.key;
      });
    },
    updateRoom(change: RoomChange): Promise<number[] | null> {
      const { room, version, title, members = [], removed = [], notices = [] } = change;
      return pool.transact(async (inside, tell) => {
        const changed = await inside(
          `UPDATE rooms SET version = version + 1, title = coalesce($3, title)
           WHERE key = $1 AND version = $2 RETURNING 1`,
          [room, version, title ?? null],
        );
        if (changed.length === 0) return null;
        for (const member of members) await putMember(inside, room, member);
        await inside('DELETE FROM room_members WHERE room = $1 AND username = ANY($2)', [room, removed]);
        const positions: number[] = [];
        for (const notice of notices) {
          positions.push((await putMessage(inside, pool.node, room, notice)).position);
        }
        await tell({ kind: 'room', room });
        return positions;
      });
    },
    async deleteRoom({ room }: { room: number }): Promise<null> {
      await pool.change('DELETE FROM rooms WHERE key = $1', [room], { kind: 'room', room });
      return null;
    },
    async updateRoomsActive(input: { rooms: readonly number[]; nowMs: number }): Promise<null> {
      await run(
        `UPDATE rooms SET active_ms = $2 WHERE key IN
           (SELECT key FROM rooms WHERE key = ANY($1) ORDER BY key FOR NO KEY UPDATE)`,
        [input.rooms, input.nowMs],
      );
      return null;
    },
    async selectRoomKey({ name }: { name: string }): Promise<number | null> {
      const [row] = await run<{ key: number }>('SELECT key FROM rooms WHERE name = $1', [name]);
      return row?.key ?? null;
    },
    async selectRoomsLeft({ beforeMs }: { beforeMs: number }): Promise<number[]> {
      const rows = await run<{ key: number }>('SELECT key FROM rooms WHERE active_ms < $1', [beforeMs]);
      return rows.map(({ key }) => key);
    },
  };
}

/** What is said in rooms, and how far each device has got. */
export function roomHistoryStatements(pool: PostgresPool) {
  const { run } = pool;
  return {
    insertRoomMessage(input: { room: number; message: NewRoomMessage }): Promise<StoredPlace> {
      return putMessage(run, pool.node, input.room, input.message);
    },
    async selectRoomMessages(input: {
      room: number;
      after: number;
      limit: number;
      maxBytes: number;
    }): Promise<StoredRoomMessage[]> {
      const rows = await run<RoomMessageRow>(
        `SELECT * FROM (
           SELECT *, sum(length(body)) OVER (ORDER BY position) AS bytes, row_number() OVER (ORDER BY position) AS nth
           FROM (SELECT * FROM room_messages WHERE room = $1 AND position > $2 ORDER BY position LIMIT $3) AS page
         ) AS counted WHERE nth = 1 OR bytes <= $4 ORDER BY position`,
        [input.room, input.after, input.limit, input.maxBytes],
      );
      return rows.map(toRoomMessage);
    },
    async selectRoomPlace(input: { room: number; user: string; device: string }): Promise<number | null> {
      const [row] = await run<{ position: number }>(
        'SELECT position FROM room_places WHERE room = $1 AND username = $2 AND device = $3',
        [input.room, input.user, input.device],
      );
      return row?.position ?? null;
    },
    selectRoomDevices({ user }: { user: string }): Promise<{ room: number; device: string }[]> {
      return run('SELECT room, device FROM room_places WHERE username = $1', [user]);
    },
    async upsertRoomPlaces(input: { places: readonly RoomPlace[]; maxDevices: number }): Promise<null> {
      const { places, maxDevices } = input;
      const [rooms, users] = [places.map(({ room }) => room), places.map(({ user }) => user)];
      await pool.transact(async (inside) => {
        // A place of somebody who has left meanwhile has nobody to belong to.
        await inside(
          `INSERT INTO room_places (room, username, device, position, seen_ms)
           SELECT p.room, p.username, p.device, p.position, p.seen_ms
           FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
             AS p (room, username, device, position, seen_ms)
           JOIN room_members m ON m.room = p.room AND m.username = p.username
           ON CONFLICT (room, username, device) DO UPDATE
             SET position = greatest(room_places.position, excluded.position), seen_ms = excluded.seen_ms`,
          [
            rooms,
            users,
            places.map(({ device }) => device),
            places.map(({ position }) => position),
            places.map(({ seenMs }) => seenMs),
          ],
        );
        await inside(
          `DELETE FROM room_places WHERE (room, username, device) IN (
             SELECT room, username, device FROM (
               SELECT room, username, device,
                 row_number() OVER (PARTITION BY room, username ORDER BY seen_ms DESC) AS nth
               FROM room_places
               WHERE (room, username) IN (SELECT * FROM unnest($1::bigint[], $2::text[]))
             ) AS ranked WHERE nth > $3)`,
          [rooms, users, maxDevices],
        );
      });
      return null;
    },
    async trimRooms(input: {
      beforeMs: number;
      rooms: readonly number[];
      maxMessages: number;
      maxBytes: number;
    }): Promise<null> {
      const { beforeMs, rooms, maxMessages, maxBytes } = input;
      // Positions grow with time: what is old lies at the beginning, and nothing else is looked at.
      const expire = `DELETE FROM room_messages WHERE stored_ms < $1 AND position IN
        (SELECT position FROM room_messages ORDER BY position LIMIT $2) RETURNING 1`;
      while ((await run(expire, [beforeMs, EXPIRE_STEP])).length === EXPIRE_STEP);
      for (const room of rooms) {
        await run(
          `DELETE FROM room_messages WHERE room = $1 AND position <= (
             SELECT max(position) FROM (
               SELECT position, row_number() OVER newest AS nth, sum(length(body)) OVER newest AS bytes
               FROM room_messages WHERE room = $1 WINDOW newest AS (ORDER BY position DESC)
             ) AS counted WHERE nth > $2 OR bytes > $3)`,
          [room, maxMessages, maxBytes],
        );
      }
      return null;
    },
    countRoomMessages(_input: null): Promise<{ room: number; messages: number }[]> {
      return run('SELECT room, count(*) AS messages FROM room_messages GROUP BY room');
    },
  };
}
