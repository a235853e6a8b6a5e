/**
 * Owns: how the ids of a message lie on disk: short, found by a number, and read back as they were.
 * Called by: messages.ts, transfers.ts, export-rows.ts, browse.ts, search.ts. Calls: SQLite, node:crypto.
 *
 * 32 hexadecimal digits (what Parley makes) are 16 bytes, a UUID is 17, everything else is text. The id of a message is
 * stored only when it cannot be said otherwise: most are their id on the wire, or the place of the message.
 */
import { hash } from 'node:crypto';
import type { MessageId } from '../../shared/domain/ids.ts';
import type { Database } from './database.ts';

/** As it stands in a column. */
export type PackedId = Buffer | string;

/** In the column of the own id: it is the id on the wire. */
export const SAME_AS_WIRE = 0;

const HEX = /^[0-9a-f]{32}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const PLACE = /^at-[1-9]\d{0,15}$/;
const HEX_BYTES = 16;
/** The last byte of a packed UUID. */
const UUID_MARK = 0xd0;

/** The same as `PACKED_SQL` does. */
export function packId(id: string): PackedId {
  if (HEX.test(id)) return Buffer.from(id, 'hex');
  if (!UUID.test(id)) return id;
  return Buffer.concat([Buffer.from(id.replaceAll('-', ''), 'hex'), Buffer.of(UUID_MARK)]);
}

export function unpackId(packed: PackedId): string {
  if (typeof packed === 'string') return packed;
  const hex = packed.toString('hex', 0, HEX_BYTES);
  if (packed.length === HEX_BYTES) return hex;
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** {@link packId} for a column, in SQL. */
export function packedSql(column: string): string {
  const uuid = `${column} GLOB '${[8, 4, 4, 4, 12].map((count) => '[0-9a-f]'.repeat(count)).join('-')}'`;
  return `CASE WHEN length(${column}) = 32 AND ${column} NOT GLOB '*[^0-9a-f]*' THEN unhex(${column})
    WHEN ${uuid} THEN unhex(replace(${column}, '-', '') || '${UUID_MARK.toString(16)}') ELSE ${column} END`;
}

/**
 * A number for an id on the wire, to find it by: 32 bits, so that few share one; of a hash, so that nobody can choose
 * ids that do.
 */
export function wireKey(wireId: string): number {
  // As a string: a buffer for each would take longer than the hash.
  const bytes = hash('sha1', wireId, 'binary');
  const at = (index: number): number => bytes.charCodeAt(index);
  return (at(0) << 24) | (at(1) << 16) | (at(2) << 8) | at(3);
}

/** The id of a message that has none of its own. */
export function placeId(position: number): MessageId {
  return `at-${position}` as MessageId;
}

/** The position that such an id names; undefined for any other. */
export function positionOfPlaceId(id: string): number | undefined {
  return PLACE.test(id) ? Number(id.slice(3)) : undefined;
}

/** The columns that the id of a message is read from. */
export interface IdColumns {
  position: number;
  wire_id: PackedId;
  own_id: PackedId | number | null;
}

export function messageIdOf({ position, wire_id, own_id }: IdColumns): MessageId {
  if (own_id === null) return placeId(position);
  return unpackId(typeof own_id === 'number' ? wire_id : own_id) as MessageId;
}

/** Finds where the message with an id lies; undefined when there is none. */
export function messagePositions(database: Database): (id: string) => number | undefined {
  const byWireId = database.prepare<[number, PackedId], { position: number }>(
    `SELECT position FROM messages WHERE wire_key = ? AND wire_id = ? AND id = ${SAME_AS_WIRE}`,
  );
  const byId = database.prepare<[PackedId], { position: number }>(
    'SELECT position FROM messages WHERE id = ? AND id IS NOT NULL AND id <> 0',
  );
  const byPlace = database.prepare<[number], { position: number }>(
    'SELECT position FROM messages WHERE position = ? AND id IS NULL',
  );
  return (id) => {
    const place = positionOfPlaceId(id);
    if (place !== undefined) return byPlace.get(place)?.position;
    const packed = packId(id);
    return (byWireId.get(wireKey(id), packed) ?? byId.get(packed))?.position;
  };
}
