/**
 * Owns: what a message row shows of answers and changes. Called by: message-rows.ts, message-changes.ts, export-rows.ts.
 * Calls: groups.ts.
 */
import type { Message, Quote, Reaction } from '../../shared/domain/message.ts';
import { personName } from './groups.ts';
import { directionOf, OUT } from './message-kinds.ts';

/** The kinds of message_changes (0012). */
export const REACTION = 0;
export const NO_REACTION = 1;
export const EDIT = 2;
export const TAKE_BACK = 3;

/** Each at its number. */
export const CHANGE_KINDS = ['reaction', 'no-reaction', 'edit', 'takeBack'] as const;

/** Something that has happened to a message, as exports have it. */
export interface ExportedChange {
  readonly kind: (typeof CHANGE_KINDS)[number];
  readonly direction: 'in' | 'out';
  /** In a group: the address of who did it. */
  readonly by: string | null;
  /** Of a reaction the emoji; of an edit the text before it, of what was taken back nothing. */
  readonly text: string;
  readonly atMs: number;
  readonly wireId: string;
  /** Nothing later has taken its place. */
  readonly counts: boolean;
}

/** After `messages m`: what `toExportedChanges` reads. */
export const EXPORTED_CHANGE_COLUMNS = `
  (SELECT r.wire_id FROM replies r WHERE r.position = m.position) AS reply_to,
  (SELECT json_group_array(json_array(x.kind, x.direction,
     (SELECT p.address FROM group_people p WHERE p.key = x.person), x.text, x.at_ms, x.wire_id, x.live) ORDER BY x.key)
   FROM message_changes x WHERE x.target = m.position) AS all_changes`;

export interface ExportedChangeColumns {
  reply_to: string | null;
  all_changes: string | null;
}

type ExportedValues = [number, number, string | null, string, number, string, number];

export function toExportedChanges({ all_changes: json }: ExportedChangeColumns): ExportedChange[] {
  if (json === null || json === '[]') return [];
  return (JSON.parse(json) as ExportedValues[]).map(([kind, direction, by, text, atMs, wireId, live]) => ({
    kind: CHANGE_KINDS[kind] ?? 'no-reaction',
    direction: directionOf(direction),
    by,
    text,
    atMs,
    wireId,
    counts: live === 1,
  }));
}

const QUOTED_CHARS = 160;

/** The columns that a message row brings along: JSON, or NULL. */
export interface ChangeColumns {
  reply: string | null;
  changes: string | null;
}

const NAME = (message: string): string =>
  `(SELECT ${personName('p')} FROM group_messages w JOIN group_people p ON p.key = w.person
    WHERE w.position = ${message}.position)`;

/** After `messages m`: what `toMessageChanges` reads. */
export const CHANGE_COLUMNS = `
  (SELECT json_array(q.position, q.direction, substr(q.text, 1, ${QUOTED_CHARS}), ${NAME('q')})
   FROM replies r LEFT JOIN messages q ON q.position = r.target WHERE r.position = m.position) AS reply,
  (SELECT json_group_array(json_array(x.kind, x.direction, CASE x.kind WHEN ${REACTION} THEN x.text END, x.at_ms,
     (SELECT ${personName('p')} FROM group_people p WHERE p.key = x.person)) ORDER BY x.key)
   FROM message_changes x WHERE x.target = m.position AND x.live = 1) AS changes`;

type QuoteValues = [number | null, number | null, string | null, string | null];
type ChangeValues = [
  kind: number,
  direction: number,
  emoji: string | null,
  atMs: number,
  name: string | null,
];

/** What of it a message shows. */
export function toMessageChanges(
  row: ChangeColumns,
): Pick<Message, 'reply' | 'reactions' | 'editedAtMs' | 'deletedAtMs'> {
  const changes =
    row.changes === null || row.changes === '[]' ? [] : (JSON.parse(row.changes) as ChangeValues[]);
  const reactions = changes.flatMap(([kind, direction, emoji, , name]): Reaction[] =>
    kind === REACTION && emoji !== null ? [{ emoji, isOurs: direction === OUT, name }] : [],
  );
  const atMsOf = (wanted: number) => changes.find(([kind]) => kind === wanted)?.[3];
  const [editedAtMs, deletedAtMs] = [atMsOf(EDIT), atMsOf(TAKE_BACK)];
  return {
    ...(row.reply === null ? {} : { reply: toQuote(JSON.parse(row.reply) as QuoteValues) }),
    ...(reactions.length === 0 ? {} : { reactions }),
    ...(editedAtMs === undefined ? {} : { editedAtMs }),
    ...(deletedAtMs === undefined ? {} : { deletedAtMs }),
  };
}

function toQuote([position, direction, text, name]: QuoteValues): Quote {
  return { position, direction: directionOf(direction ?? 0), text: text ?? '', name };
}
