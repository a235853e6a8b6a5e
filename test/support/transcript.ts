/**
 * Owns: reading the recordings of a real drachtio server: who sent what to whom, and when.
 * Called by: test/support/transcript-replay.ts, test/sip/engine/transcripts.test.ts. Calls: node:fs.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Something that was sent, or a note of the recorder. `text` has CRLF line ends. */
export interface TranscriptEntry {
  readonly atMs: number;
  readonly from: string;
  readonly to: string;
  /** Empty for a note; then `note` has the text. */
  readonly text: string;
  readonly note: string;
}

const ENTRY = /^\+(\d+)ms (?:-- (.*)|(.+) > (.+))$/;

/** The first `Content-Length` that it names, or the length that a frame announces. */
function announcedBytes(text: string): number | undefined {
  const frame = /^(\d+)#/.exec(text);
  if (frame !== null) return frame[0].length + Number(frame[1]);
  const length = /\r\nContent-Length: *(\d+)/i.exec(text);
  const headEnd = text.indexOf('\r\n\r\n');
  return length === null || headEnd < 0 ? undefined : headEnd + 4 + Number(length[1]);
}

/** Undoes what the recorder did to make a message readable. */
function restore(lines: readonly string[]): string {
  const [first = ''] = lines;
  if (first.startsWith('"')) return JSON.parse(first) as string;
  let text = lines.join('\r\n').replace(/\((\d+) x\)/g, (_, count: string) => 'x'.repeat(Number(count)));
  const isFrame = /^\d+#/.test(text);
  if (isFrame && lines.length === 1) return text;
  if (!text.includes('\r\n\r\n')) text += text.endsWith('\r\n') ? '\r\n' : '\r\n\r\n';
  const announced = announcedBytes(text);
  if (announced !== undefined && Buffer.byteLength(text) < announced) text += '\r\n';
  return text;
}

/** Reads one recording. */
export function parseTranscript(source: string): TranscriptEntry[] {
  const entries: TranscriptEntry[] = [];
  let head: RegExpExecArray | null = null;
  let lines: string[] = [];
  const flush = (): void => {
    if (head === null) return;
    const [, at = '0', note = '', from = '', to = ''] = head;
    const text = from === '' ? '' : restore(lines);
    entries.push({ atMs: Number(at), from, to, text, note });
    lines = [];
  };
  for (const line of source.split('\n')) {
    const match = ENTRY.exec(line);
    if (match !== null) {
      flush();
      head = match;
    } else if (head !== null && line.startsWith('    ')) lines.push(line.slice(4));
  }
  flush();
  return entries;
}

/** The recordings in a folder, by file name; none when there is no such folder. */
export function readTranscripts(folder: string): Map<string, TranscriptEntry[]> {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith('.txt'));
  } catch {
    return new Map();
  }
  return new Map(
    names.sort().map((name) => [name, parseTranscript(readFileSync(join(folder, name), 'utf8'))]),
  );
}
