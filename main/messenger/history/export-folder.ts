/**
 * Owns: an export in a folder as the lines that it was made of, and whether it is still what was written.
 * Called by: export-source.ts, verify.ts. Calls: export-format.ts, node:fs.
 */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import * as v from 'valibot';
import { filesOnDisk, type Attachments } from './attachments.ts';
import { ExportError } from './export-error.ts';
import {
  FIRST_CHAIN,
  hashFile,
  LINES_FILE,
  lineSchema,
  MANIFEST_FILE,
  manifestSchema,
  nextChain,
  splitLine,
  type ExportLine,
  type Manifest,
} from './export-format.ts';

/** Of a file that is none of ours one line may be all of it. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** A folder. */
export class FolderSource implements AsyncDisposable {
  readonly manifest: Manifest;
  readonly #folder: string;

  private constructor(folder: string, manifest: Manifest) {
    this.#folder = folder;
    this.manifest = manifest;
  }

  /** Rejects with ExportError when there is no manifest, or it is none of ours. */
  static async open(folder: string): Promise<FolderSource> {
    let text: string;
    try {
      text = await readFile(join(folder, MANIFEST_FILE), 'utf8');
    } catch {
      throw new ExportError(`${folder}: no ${MANIFEST_FILE} there. Is the export finished?`);
    }
    try {
      return new FolderSource(folder, v.parse(manifestSchema, JSON.parse(text)));
    } catch (error) {
      throw new ExportError(`${MANIFEST_FILE}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  readonly attachments: Attachments = (path) => {
    if (!isInside(path)) throw Object.assign(new Error(`${path} lies outside`), { code: 'ENOENT' });
    return filesOnDisk(join(this.#folder, path));
  };

  /** Every line, checked against the chain. Rejects with ExportError at the first that is wrong. */
  async *lines(): AsyncGenerator<ExportLine> {
    const { chain: lastChain, format } = this.manifest;
    if (lastChain === null) {
      throw new ExportError(`An export as ${format} is for people to read; take one in JSON Lines in.`);
    }
    let chain = FIRST_CHAIN;
    let number = 0;
    for await (const written of linesOf(join(this.#folder, LINES_FILE))) {
      number += 1;
      const wrong = (what: string): ExportError => new ExportError(`${LINES_FILE}, line ${number}: ${what}`);
      const parts = splitLine(written);
      if (parts === undefined) throw wrong('has no chain');
      chain = nextChain(chain, parts.text);
      if (chain !== parts.chain) throw wrong('was changed, or one before it is missing');
      yield parseLine(parts.text, wrong);
    }
    if (chain !== lastChain) throw new ExportError(`${LINES_FILE}: its end is missing after line ${number}`);
  }

  /** What is wrong with its files. */
  async *damage(signal?: AbortSignal): AsyncGenerator<string> {
    for (const { path, bytes, sha256 } of this.manifest.files) {
      signal?.throwIfAborted();
      if (!isInside(path)) {
        yield `${path}: lies outside of the export`;
        continue;
      }
      const found = await hashFile(join(this.#folder, path)).catch(() => undefined);
      if (found === undefined) yield `${path}: is missing`;
      else if (found.sha256 !== sha256) {
        yield `${path}: was changed (${found.bytes} bytes instead of ${bytes}, or others)`;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A folder is nothing that could be left open.
  }
}

const LINE_FEED = 0x0a;
const READ_BYTES = 256 * 1024;

/** The lines of a file, of either kind of end: looked for in its bytes, which takes half the time. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let begun: Buffer = Buffer.alloc(0);
  for await (const read of createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>) {
    const bytes = begun.length === 0 ? read : Buffer.concat([begun, read]);
    let start = 0;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
      yield withoutReturn(bytes.toString('utf8', start, end));
      start = end + 1;
    }
    begun = bytes.subarray(start);
    if (begun.length > MAX_LINE_BYTES) throw new ExportError(`${path}: a line is longer than any of ours`);
  }
  if (begun.length > 0) yield withoutReturn(begun.toString('utf8'));
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

function parseLine(text: string, wrong: (what: string) => ExportError): ExportLine {
  try {
    return v.parse(lineSchema, JSON.parse(text));
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error));
  }
}

/** A path in a manifest is somebody else's word. */
function isInside(path: string): boolean {
  const plain = normalize(path);
  return !isAbsolute(plain) && !plain.startsWith('..') && !/^[A-Za-z]:/.test(plain);
}
