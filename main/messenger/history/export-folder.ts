/**
 * Owns: an export in a folder as the lines that it was made of, and whether it is still what was written.
 * Called by: export-source.ts, verify.ts. Calls: export-format.ts, node:fs.
 */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import { createInterface } from 'node:readline';
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
    const input = createReadStream(join(this.#folder, LINES_FILE));
    const lines = createInterface({ input, crlfDelay: Infinity });
    let chain = FIRST_CHAIN;
    let number = 0;
    for await (const written of lines) {
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
