/**
 * Owns: what an exported history looks like on disk: its lines, its chain and its manifest.
 * Called by: export.ts, verify.ts, import.ts. Calls: node:crypto, node:fs, valibot.
 *
 * `messages.jsonl` holds one JSON object a line. The last member of each is `chain`: SHA-256 over the chain of the line
 * before (64 zeros at the first) and the line without its chain. So no line can be changed, left out or put elsewhere
 * without all that follow being wrong, and the manifest has the last one.
 */
import { createHash, hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import * as v from 'valibot';
import { messageGroupSchema } from '../../../shared/domain/group.ts';
import { exportFormats } from '../../../shared/domain/history.ts';
import { CHANGE_KINDS } from '../../store/change-columns.ts';

export const LINES_FILE = 'messages.jsonl';
export const MANIFEST_FILE = 'manifest.json';
export const FILES_FOLDER = 'files';
export const FIRST_CHAIN = '0'.repeat(64);

const time = v.pipe(v.string(), v.isoTimestamp());
const optionalTime = v.nullable(time);

/** `by`: in a group, who did it; `counts`: nothing later has taken its place. */
const changeSchema = v.object({
  kind: v.picklist(CHANGE_KINDS),
  direction: v.picklist(['in', 'out']),
  by: v.nullable(v.string()),
  text: v.string(),
  at: time,
  wireId: v.string(),
  counts: v.boolean(),
});

export const lineSchema = v.variant('type', [
  v.object({ type: v.literal('export'), version: v.literal(1), madeAt: time, program: v.string() }),
  v.object({
    type: v.literal('conversation'),
    id: v.string(),
    account: v.string(),
    peerAddress: v.string(),
    peerName: v.string(),
    standing: v.picklist(['accepted', 'asked', 'declined']),
    /** Absent: with one person. */
    kind: v.optional(v.picklist(['person', 'group'])),
  }),
  v.object({
    type: v.literal('session'),
    conversation: v.string(),
    direction: v.string(),
    startedAt: time,
    openedAt: optionalTime,
    endedAt: optionalTime,
    end: v.nullable(v.string()),
  }),
  v.object({
    type: v.literal('message'),
    conversation: v.string(),
    direction: v.picklist(['in', 'out']),
    id: v.string(),
    /** Its id between the two messengers. */
    wireId: v.string(),
    sentAt: time,
    storedAt: time,
    state: v.string(),
    /** When it came into its states after it was stored, the first one first. Absent: nobody knows. */
    times: v.optional(v.array(v.object({ state: v.string(), at: time }))),
    failure: v.nullable(v.object({ code: v.string(), message: v.string() })),
    text: v.string(),
    /** In a group: who wrote it, or what has happened. */
    group: v.optional(messageGroupSchema),
    /** The wire id of the message that it answers. */
    replyTo: v.optional(v.string()),
    /** Reactions, other texts, taken back: the oldest first. */
    changes: v.optional(v.array(changeSchema)),
    /** Its header block on the wire (RFC 3862), as it stood there. Exports of before have none. */
    headers: v.optional(v.nullable(v.string()), null),
    file: v.nullable(
      v.object({
        name: v.string(),
        type: v.string(),
        size: v.nullable(v.number()),
        sha256: v.nullable(v.string()),
        /** Inside the export; null when it was not here. */
        path: v.nullable(v.string()),
      }),
    ),
  }),
]);
export type ExportLine = v.InferOutput<typeof lineSchema>;

export const manifestSchema = v.object({
  version: v.literal(1),
  madeAt: time,
  program: v.string(),
  format: v.picklist(exportFormats),
  counts: v.object({
    conversations: v.number(),
    sessions: v.number(),
    messages: v.number(),
    files: v.number(),
  }),
  /** The chain of the last line; null when the format has none. Of an archive: over the lines that it would be. */
  chain: v.nullable(v.string()),
  /** Those of an archive stand in a table of it. */
  files: v.array(v.object({ path: v.string(), bytes: v.number(), sha256: v.string() })),
});
export type Manifest = v.InferOutput<typeof manifestSchema>;

/** What a manifest says about a file. Rejects with the error of the system. */
export async function hashFile(path: string): Promise<{ bytes: number; sha256: string }> {
  const sum = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    sum.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: sum.digest('hex') };
}

/** The chain of a line whose text, without its chain, is this. */
export function nextChain(chain: string, text: string): string {
  return hash('sha256', chain + text, 'hex');
}

/** A line as it is written, and its chain. */
export function formatLine(line: ExportLine, chain: string): { text: string; chain: string } {
  const text = JSON.stringify(line);
  const next = nextChain(chain, text);
  return { text: `${text.slice(0, -1)},"chain":"${next}"}\n`, chain: next };
}

/** Carries a chain on over lines that are written nowhere. */
export function chainOf(begin: string): { add: (line: ExportLine) => void; chain: () => string } {
  let chain = begin;
  return {
    add: (line) => {
      chain = nextChain(chain, JSON.stringify(line));
    },
    chain: () => chain,
  };
}

const CHAIN_MEMBER = /,"chain":"([0-9a-f]{64})"\}$/;

/** Takes a written line apart. Undefined when it has no chain. */
export function splitLine(written: string): { text: string; chain: string } | undefined {
  const match = CHAIN_MEMBER.exec(written);
  const [, chain] = match ?? [];
  return match === null || chain === undefined
    ? undefined
    : { text: `${written.slice(0, match.index)}}`, chain };
}
