/**
 * Owns: statements of an IM Server on the devices of users and on what waits for each of them. Called by:
 * imserver-tables.ts. Calls: SQLite.
 */
import type { Database } from './database.ts';

/** Something that one device of a user has told the others, and that this one has not taken yet. */
export interface WaitingCopy {
  readonly id: number;
  /** message/cpim. */
  readonly body: Uint8Array;
}

/** A device that registers, and how many of its user are remembered for how long. */
export interface SeenDevice {
  readonly user: string;
  readonly instance: string;
  readonly nowMs: number;
  readonly keptMs: number;
  readonly maxDevices: number;
}

/** What one device tells the others, and how much may wait for each. */
export interface NewCopy {
  readonly user: string;
  /** The instance that tells. */
  readonly from: string;
  readonly body: Uint8Array;
  readonly nowMs: number;
  readonly keptMs: number;
  readonly maxPerDevice: number;
  readonly maxBytesPerDevice: number;
}

const DAY_MS = 24 * 60 * 60 * 1_000;

export function userDeviceProcedures(database: Database) {
  const devices = database.prepare<[string, number], { instance: string; seen_ms: number }>(
    'SELECT instance, seen_ms FROM user_devices WHERE user = ? AND seen_ms > ? ORDER BY seen_ms DESC',
  );
  const upsert = database.prepare<[string, string, number]>(
    `INSERT INTO user_devices (user, instance, seen_ms) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET seen_ms = excluded.seen_ms`,
  );
  const forgetOld = database.prepare<[string, number]>(
    'DELETE FROM user_devices WHERE user = ? AND seen_ms <= ?',
  );
  const forget = database.prepare<[string, string]>(
    'DELETE FROM user_devices WHERE user = ? AND instance = ?',
  );
  const insert = database.prepare<[string, string, Uint8Array, number]>(
    'INSERT INTO device_copies (user, instance, body, expires_ms) VALUES (?, ?, ?, ?)',
  );
  const expire = database.prepare<[string, number]>(
    'DELETE FROM device_copies WHERE user = ? AND expires_ms <= ?',
  );
  const share = database.prepare<[string, string], { n: number; bytes: number }>(
    `SELECT count(*) AS n, coalesce(sum(length(body)), 0) AS bytes FROM device_copies
     WHERE user = ? AND instance = ?`,
  );
  const oldest = database.prepare<[string, string], { id: number; bytes: number }>(
    `SELECT id, length(body) AS bytes FROM device_copies WHERE user = ? AND instance = ? ORDER BY id`,
  );
  const waiting = database.prepare<[string, string, number, number], { id: number; body: Uint8Array }>(
    `SELECT id, body FROM device_copies WHERE user = ? AND instance = ? AND expires_ms > ? ORDER BY id LIMIT ?`,
  );
  const remove = database.prepare<[number]>('DELETE FROM device_copies WHERE id = ?');

  /** Makes room for one more, the oldest first. Returns how many have gone. */
  function makeRoom(
    user: string,
    instance: string,
    added: number,
    ceilings: { maxPerDevice: number; maxBytesPerDevice: number },
  ): number {
    const { n = 0, bytes = 0 } = share.get(user, instance) ?? {};
    let [left, leftBytes] = [n, bytes];
    if (left < ceilings.maxPerDevice && leftBytes + added <= ceilings.maxBytesPerDevice) return 0;
    for (const row of oldest.all(user, instance)) {
      if (left < ceilings.maxPerDevice && leftBytes + added <= ceilings.maxBytesPerDevice) break;
      remove.run(row.id);
      left -= 1;
      leftBytes -= row.bytes;
    }
    return n - left;
  }

  return {
    /** A device that understands copies is there. Returns how many others of its user there are. */
    registerDevice: database.transaction(
      ({ user, instance, nowMs, keptMs, maxDevices }: SeenDevice): number => {
        const known = devices.all(user, nowMs - keptMs);
        const own = known.find((device) => device.instance === instance);
        const others = known.filter((device) => device.instance !== instance);
        // Not with each refresh.
        if (own === undefined || own.seen_ms < nowMs - DAY_MS) {
          forgetOld.run(user, nowMs - keptMs);
          for (const gone of others.splice(maxDevices - 1)) forget.run(user, gone.instance);
          upsert.run(user, instance, nowMs);
        }
        return others.length;
      },
    ),
    /** It does not want to be told any more; what waits for it goes. */
    forgetDevice(input: { user: string; instance: string }): null {
      forget.run(input.user, input.instance);
      return null;
    },
    /** Keeps a copy for each device but the one that sends it. Returns for which, and how many older ones had to go. */
    insertCopies: database.transaction((input: NewCopy): { instances: string[]; dropped: number } => {
      const { user, from, body, nowMs, keptMs } = input;
      expire.run(user, nowMs);
      let dropped = 0;
      const others = devices.all(user, nowMs - keptMs).filter(({ instance }) => instance !== from);
      for (const { instance } of others) {
        dropped += makeRoom(user, instance, body.length, input);
        insert.run(user, instance, body, nowMs + keptMs);
      }
      return { instances: others.map(({ instance }) => instance), dropped };
    }),
    /** The oldest that wait for a device, in order. */
    selectCopies(input: { user: string; instance: string; limit: number; nowMs: number }): WaitingCopy[] {
      return waiting.all(input.user, input.instance, input.nowMs, input.limit);
    },
    deleteCopy(input: { id: number }): null {
      remove.run(input.id);
      return null;
    },
  };
}
