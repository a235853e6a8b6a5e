/**
 * Owns: statements of an IM Server's store: registrations and deferred messages. Called by: worker.ts.
 * Calls: room-tables.ts, room-files.ts, kept-files.ts, contact-tables.ts, user-devices.ts, SQLite.
 */
import { contactProcedures } from './contact-tables.ts';
import type { Database } from './database.ts';
import { keptFileProcedures } from './kept-files.ts';
import { roomFileProcedures } from './room-files.ts';
import { roomProcedures } from './room-tables.ts';
import { userDeviceProcedures } from './user-devices.ts';

/** One contact of a registered user. */
export interface Binding {
  readonly user: string;
  /** Contact URI as registered. */
  readonly contact: string;
  /** `+sip.instance` and `reg-id` (RFC 5626): which device it is; empty when it did not say. */
  readonly instance: string;
  readonly callId: string;
  readonly cseq: number;
  /** Next hop to reach it: the source of the REGISTER as a SIP URI. */
  readonly source: string;
  /** What the device calls itself (`+sip.description`, RFC 3840 §9); empty when it did not say. */
  readonly description: string;
  readonly expiresMs: number;
}

/** A message that waits for its recipient. */
export interface DeferredMessage {
  readonly id: number;
  readonly recipient: string;
  readonly sender: string;
  readonly contentType: string;
  readonly body: Uint8Array;
  readonly receivedMs: number;
  readonly expiresMs: number;
}

/** Rows as both engines have them. */
export interface BindingRow {
  user: string;
  contact: string;
  instance: string;
  call_id: string;
  cseq: number;
  source: string;
  description: string;
  expires_ms: number;
}

export interface DeferredRow {
  id: number;
  recipient: string;
  sender: string;
  content_type: string;
  body: Uint8Array;
  received_ms: number;
  expires_ms: number;
}

export function toBinding(row: BindingRow): Binding {
  return {
    user: row.user,
    contact: row.contact,
    instance: row.instance,
    callId: row.call_id,
    cseq: row.cseq,
    source: row.source,
    description: row.description,
    expiresMs: row.expires_ms,
  };
}

export function toDeferred(row: DeferredRow): DeferredMessage {
  return {
    id: row.id,
    recipient: row.recipient,
    sender: row.sender,
    contentType: row.content_type,
    body: row.body,
    receivedMs: row.received_ms,
    expiresMs: row.expires_ms,
  };
}

export function imserverProcedures(database: Database) {
  const upsertBinding = database.prepare<[string, string, string, string, number, string, string, number]>(
    `INSERT INTO bindings (user, contact, instance, call_id, cseq, source, description, expires_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET instance = excluded.instance, call_id = excluded.call_id, cseq = excluded.cseq, source = excluded.source,
       description = excluded.description, expires_ms = excluded.expires_ms`,
  );
  const deleteBinding = database.prepare<[string, string]>(
    'DELETE FROM bindings WHERE user = ? AND contact = ?',
  );
  const deleteUserBindings = database.prepare<[string]>('DELETE FROM bindings WHERE user = ?');
  const expireBindings = database.prepare<[number]>('DELETE FROM bindings WHERE expires_ms <= ?');
  const bindings = database.prepare<[{ user: string | null }], BindingRow>(
    'SELECT * FROM bindings WHERE @user IS NULL OR user = @user',
  );
  const insertDeferred = database.prepare<[string, string, string, Uint8Array, number, number]>(
    `INSERT INTO deferred_messages (recipient, sender, content_type, body, received_ms, expires_ms)
     VALUES (?, ?, ?, ?, ?, ?)`,
  );
  const countFor = database.prepare<[string, number], { n: number }>(
    'SELECT count(*) AS n FROM deferred_messages WHERE recipient = ? AND expires_ms > ?',
  );
  const countFrom = database.prepare<[string, string, number], { n: number }>(
    'SELECT count(*) AS n FROM deferred_messages WHERE recipient = ? AND sender = ? AND expires_ms > ?',
  );
  const deferredFor = database.prepare<[string, number, number], DeferredRow>(
    'SELECT * FROM deferred_messages WHERE recipient = ? AND expires_ms > ? ORDER BY id LIMIT ?',
  );
  const expired = database.prepare<[number, number], DeferredRow>(
    'SELECT * FROM deferred_messages WHERE expires_ms <= ? LIMIT ?',
  );
  const waitingFor = database.prepare<[string, number], { n: number }>(
    'SELECT count(*) AS n FROM (SELECT 1 FROM deferred_messages WHERE recipient = ? AND expires_ms > ? LIMIT 1)',
  );
  const countAll = database.prepare<[], { n: number }>('SELECT count(*) AS n FROM deferred_messages');
  const deleteDeferred = database.prepare<[number]>('DELETE FROM deferred_messages WHERE id = ?');

  return {
    ...roomProcedures(database),
    ...userDeviceProcedures(database),
    ...keptFileProcedures(database),
    ...roomFileProcedures(database),
    ...contactProcedures(database),
    upsertBinding(binding: Binding): null {
      const { user, contact, instance, callId, cseq, source, description, expiresMs } = binding;
      upsertBinding.run(user, contact, instance, callId, cseq, source, description, expiresMs);
      return null;
    },
    deleteBinding(input: { user: string; contact?: string | undefined }): null {
      if (input.contact === undefined) deleteUserBindings.run(input.user);
      else deleteBinding.run(input.user, input.contact);
      return null;
    },
    /** Bindings of all users, or of one, that are still valid at `nowMs`; the others are deleted. */
    selectBindings(input: { nowMs: number; user?: string }): Binding[] {
      expireBindings.run(input.nowMs);
      return bindings.all({ user: input.user ?? null }).map(toBinding);
    },
    /** Keeps a message, unless the recipient's or the sender's share is used up. */
    insertDeferred: database.transaction(
      (
        input: Omit<DeferredMessage, 'id'> & { maxPerRecipient: number; maxPerSender: number },
      ): 'stored' | 'full' => {
        const { recipient, sender, contentType, body, receivedMs, expiresMs } = input;
        // What has expired uses up nobody's share.
        if ((countFor.get(recipient, receivedMs)?.n ?? 0) >= input.maxPerRecipient) return 'full';
        if ((countFrom.get(recipient, sender, receivedMs)?.n ?? 0) >= input.maxPerSender) return 'full';
        insertDeferred.run(recipient, sender, contentType, body, receivedMs, expiresMs);
        return 'stored';
      },
    ),
    /** The oldest that wait for a recipient, in order. */
    selectDeferred(input: { recipient: string; limit: number; nowMs: number }): DeferredMessage[] {
      return deferredFor.all(input.recipient, input.nowMs, input.limit).map(toDeferred);
    },
    /** Those whose time is over, of all recipients. */
    selectExpired(input: { limit: number; nowMs: number }): DeferredMessage[] {
      return expired.all(input.nowMs, input.limit).map(toDeferred);
    },
    /** Whether anything waits for a recipient. */
    hasDeferred(input: { recipient: string; nowMs: number }): boolean {
      return (waitingFor.get(input.recipient, input.nowMs)?.n ?? 0) > 0;
    },
    /** All that wait, expired ones that nobody has cleared away included. */
    countDeferred(): number {
      return countAll.get()?.n ?? 0;
    },
    deleteDeferred(input: { id: number }): null {
      deleteDeferred.run(input.id);
      return null;
    },
  };
}

export type ImServerProcedures = ReturnType<typeof imserverProcedures>;
