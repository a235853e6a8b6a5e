/**
 * Owns: how the header block of a message lies on disk: what many have in common once, of each only what is its own.
 * Called by: messages.ts, export-rows.ts. Calls: message-keys.ts, SQLite.
 *
 * A shape is the block with its values taken out, except of headers that say the same in every message of a person. What
 * can be made of the row of the message (its id, its time as that program writes times) is made of it; the rest stands
 * behind the number of the shape. Between two Parleys a message needs nothing but that number.
 */
import type { Database } from './database.ts';
import { wireKey } from './message-keys.ts';

/** As it stands in the column: a number, or the number and lines with what the shape leaves open. */
export type StoredHeaders = number | bigint | string | null;

/** What of a block can be made of the row. */
export interface HeaderSource {
  readonly wireId: string;
  readonly sentAtMs: number;
}

/** Say the same in every message of a person; whatever else there is may be part of one message and goes with it. */
const STABLE: ReadonlySet<string> = new Set([
  'from',
  'to',
  'cc',
  'ns',
  'require',
  'imdn.disposition-notification',
  'content-type',
  'content-transfer-encoding',
  'mime-version',
]);

/** Begins what a shape leaves open: `i` the id, `d` the time, `v` a value, `m` this character itself. */
const MARK = '\u0001';
const LINE = /^([^:\s]+:[ \t]*)(.*?)(\r?\n)$/s;
const HOLE = /\u0001(?:([ivm])|d(\d)([^;]*);)/g;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d{1,3}))?(Z|[+-]\d\d:\d\d)$/;

/** Takes a block apart. */
export function toShape(block: string, source: HeaderSource): { shape: string; values: string[] } {
  const values: string[] = [];
  const shape = block.split(/(?<=\n)/).map((line) => {
    const [, name = '', value = '', end = ''] = LINE.exec(line) ?? [];
    const key = name.slice(0, name.indexOf(':')).toLowerCase();
    if (key === '' || STABLE.has(key)) return line.replaceAll(MARK, `${MARK}m`);
    return `${name.replaceAll(MARK, `${MARK}m`)}${openPlace(value, source, values)}${end}`;
  });
  return { shape: shape.join(''), values };
}

function openPlace(value: string, { wireId, sentAtMs }: HeaderSource, values: string[]): string {
  if (value === wireId) return `${MARK}i`;
  const [, digits = '', zone] = TIME.exec(value) ?? [];
  if (zone !== undefined && timeText(sentAtMs, digits.length, zone) === value) {
    return `${MARK}d${digits.length}${zone};`;
  }
  values.push(value);
  return `${MARK}v`;
}

/** Puts a block together again. */
export function fromShape(shape: string, values: readonly string[], source: HeaderSource): string {
  let next = 0;
  return shape.replace(HOLE, (_all, kind: string | undefined, digits: string, zone: string) => {
    if (kind === 'i') return source.wireId;
    if (kind === 'm') return MARK;
    if (kind === 'v') return values[next++] ?? '';
    return timeText(source.sentAtMs, Number(digits), zone) ?? '';
  });
}

const HOUR_MS = 3_600_000;
/** The hour that was written last: messages come in order. */
let lastHour = { startMs: Number.NaN, text: '' };

/** As `toISOString` has it. */
function isoText(ms: number): string | undefined {
  const startMs = Math.floor(ms / HOUR_MS) * HOUR_MS;
  if (startMs !== lastHour.startMs) {
    const date = new Date(startMs);
    if (Number.isNaN(date.getTime())) return undefined;
    lastHour = { startMs, text: date.toISOString().slice(0, -'00:00.000Z'.length) };
  }
  const rest = ms - startMs;
  const two = (value: number): string => (value < 10 ? `0${value}` : `${value}`);
  const millis = rest % 1_000;
  const fraction = millis < 10 ? `00${millis}` : millis < 100 ? `0${millis}` : `${millis}`;
  return `${lastHour.text}${two(Math.floor(rest / 60_000))}:${two(Math.floor(rest / 1_000) % 60)}.${fraction}Z`;
}

/** RFC 3339 with so many digits behind the second; undefined when there is no such time. */
function timeText(ms: number, digits: number, zone: string): string | undefined {
  if (zone === 'Z' && digits === 3) return isoText(ms);
  const [, sign = '', hours = '0', minutes = '0'] = /^([+-])(\d\d):(\d\d)$/.exec(zone) ?? [];
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === '-' ? -1 : 1);
  const local = new Date(ms + offsetMs);
  if (Number.isNaN(local.getTime())) return undefined;
  const text = local.toISOString().slice(0, -1);
  return `${text.slice(0, text.length - (digits === 0 ? 4 : 3 - digits))}${zone}`;
}

/** What stands in the column, apart. */
export function readStoredHeaders(
  stored: StoredHeaders,
  shape: string | null,
  source: HeaderSource,
): string | null {
  if (stored === null || shape === null) return null;
  return fromShape(shape, typeof stored === 'string' ? stored.split('\n').slice(1) : [], source);
}

/** Joins the shape of a message `m` to it. */
export const SHAPE_JOIN = 'LEFT JOIN header_shapes h ON h.key = CAST(m.headers AS INTEGER)';

/** A piece of a shape: text that stands there, or what is made of the row. */
type ShapePiece = string | { readonly kind: 'id' } | { readonly kind: 'time'; digits: number; zone: string };

/** A shape that leaves nothing open, ready to be compared with. */
interface MetShape {
  readonly shape: string;
  readonly pieces: readonly ShapePiece[];
  /** The table that it stands in, and where. */
  table: number;
  place: number;
}

function piecesOf(shape: string): ShapePiece[] {
  const pieces: ShapePiece[] = [];
  let end = 0;
  for (const hole of shape.matchAll(HOLE)) {
    const [all, kind, digits = '', zone = ''] = hole as readonly (string | undefined)[];
    pieces.push(shape.slice(end, hole.index));
    if (kind === 'm') pieces.push(MARK);
    else pieces.push(kind === 'i' ? { kind: 'id' } : { kind: 'time', digits: Number(digits), zone });
    end = hole.index + (all?.length ?? 0);
  }
  return [...pieces, shape.slice(end)];
}

/** Is this what the shape says of that row? */
function isOfShape(
  block: string,
  pieces: readonly ShapePiece[],
  { wireId, sentAtMs }: HeaderSource,
): boolean {
  let at = 0;
  for (const piece of pieces) {
    const text =
      typeof piece === 'string'
        ? piece
        : piece.kind === 'id'
          ? wireId
          : timeText(sentAtMs, piece.digits, piece.zone);
    if (text === undefined || !block.startsWith(text, at)) return false;
    at += text.length;
  }
  return at === block.length;
}

/** Authors whose shapes are remembered; with more of them all are forgotten. */
const MAX_MET = 4_096;

/** Shapes of many messages, each once, and of one of them its place among these and what it leaves open. */
export interface ShapeTable {
  readonly shapes: readonly string[];
  /** `author`: a number for who wrote it to whom; his messages most likely share a shape. */
  readonly shapeOf: (
    block: string,
    source: HeaderSource,
    author: number,
  ) => { readonly place: number; readonly values: readonly string[] };
}

const NOTHING_OPEN: readonly string[] = [];

/** Opens one table after the other; whose shape one has met the next ones know. Needs no database. */
export function shapeTables(): () => ShapeTable {
  const met = new Map<number, MetShape>();
  let table = 0;
  return () => {
    table += 1;
    const shapes: string[] = [];
    const places = new Map<string, number>();
    const placeOf = (shape: string): number => {
      const place = places.get(shape) ?? shapes.push(shape) - 1;
      places.set(shape, place);
      return place;
    };
    const shapeOf: ShapeTable['shapeOf'] = (block, source, author) => {
      const before = met.get(author);
      if (before !== undefined && isOfShape(block, before.pieces, source)) {
        if (before.table !== table) Object.assign(before, { table, place: placeOf(before.shape) });
        return { place: before.place, values: NOTHING_OPEN };
      }
      const { shape, values } = toShape(block, source);
      const place = placeOf(shape);
      if (values.length > 0) return { place, values };
      if (met.size >= MAX_MET) met.clear();
      met.set(author, { shape, pieces: piecesOf(shape), table, place });
      return { place, values };
    };
    return { shapes, shapeOf };
  };
}

/** Finds the number of a shape, or gives it one. */
export function shapeKeys(database: Database): (shape: string) => number {
  const byHash = database.prepare<[number], { key: number; shape: string }>(
    'SELECT key, shape FROM header_shapes WHERE hash = ?',
  );
  const insert = database.prepare<[number, string]>('INSERT INTO header_shapes (hash, shape) VALUES (?, ?)');
  return (shape) => {
    const hash = wireKey(shape);
    const there = byHash.all(hash).find((row) => row.shape === shape);
    return there?.key ?? Number(insert.run(hash, shape).lastInsertRowid);
  };
}

/** What is to stand in the column. */
export function toStoredHeaders(key: number, values: readonly string[]): StoredHeaders {
  // A number would be stored as a fraction, in eight bytes.
  return values.length > 0 ? [key, ...values].join('\n') : BigInt(key);
}

/**
 * Keeps a block: what is to stand in the column. `author`: a number for who wrote it to whom, as far as that is known.
 */
export type KeepHeaders = (
  block: string | null | undefined,
  source: HeaderSource,
  author?: number,
) => StoredHeaders;

/** `openBatch`: for many messages of one transaction, whose shapes are looked up once. */
export function headerKeeper(database: Database): { keep: KeepHeaders; openBatch: () => KeepHeaders } {
  const keyOf = shapeKeys(database);
  const openTable = shapeTables();

  function openBatch(): KeepHeaders {
    const { shapes, shapeOf } = openTable();
    // A transaction that was undone has taken its shapes with it: each is looked for in every batch.
    const keys: number[] = [];
    return (block, source, author = 0) => {
      if (block === null || block === undefined) return null;
      const { place, values } = shapeOf(block, source, author);
      const key = (keys[place] ??= keyOf(shapes[place] ?? ''));
      return toStoredHeaders(key, values);
    };
  }

  return { keep: (block, source) => openBatch()(block, source), openBatch };
}
