/**
 * Owns: whether an exported history is complete and as it was written. Called by: hosts/headless/history.ts, import.ts.
 * Calls: export-format.ts, node:fs.
 */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import { createInterface } from 'node:readline';
import * as v from 'valibot';
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

/** An export that is not what it says. `message` says what is wrong, and where. */
export class ExportError extends Error {
  override readonly name = 'ExportError';
}

/** Problems that are listed before the rest is only counted. */
const MAX_PROBLEMS = 20;

/** Checks every file and every line. An empty list: it is complete and nothing was changed. Rejects with ExportError. */
export async function verifyExport(folder: string): Promise<{ manifest: Manifest; problems: string[] }> {
  const manifest = await readManifest(folder);
  const problems: string[] = [];
  for (const { path, bytes, sha256 } of manifest.files) {
    if (!isInside(path)) {
      problems.push(`${path}: lies outside of the export`);
      continue;
    }
    const found = await hashFile(join(folder, path)).catch(() => undefined);
    if (found === undefined) problems.push(`${path}: is missing`);
    else if (found.sha256 !== sha256) {
      problems.push(`${path}: was changed (${found.bytes} bytes instead of ${bytes}, or others)`);
    }
    if (problems.length >= MAX_PROBLEMS) break;
  }
  if (manifest.chain !== null) {
    try {
      const counts = { conversations: 0, sessions: 0, messages: 0 };
      for await (const line of readLines(folder, manifest.chain)) {
        if (line.type !== 'export') counts[`${line.type}s`] += 1;
      }
      for (const kind of ['conversations', 'sessions', 'messages'] as const) {
        if (counts[kind] !== manifest.counts[kind]) {
          problems.push(`${counts[kind]} ${kind} instead of ${manifest.counts[kind]}`);
        }
      }
    } catch (error) {
      if (!(error instanceof ExportError)) throw error;
      problems.push(error.message);
    }
  }
  return { manifest, problems };
}

/** Rejects with ExportError when there is none, or it is none of ours. */
export async function readManifest(folder: string): Promise<Manifest> {
  let text: string;
  try {
    text = await readFile(join(folder, MANIFEST_FILE), 'utf8');
  } catch {
    throw new ExportError(`${folder}: no ${MANIFEST_FILE} there. Is the export finished?`);
  }
  try {
    return v.parse(manifestSchema, JSON.parse(text));
  } catch (error) {
    throw new ExportError(`${MANIFEST_FILE}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Every line, checked against the chain. Rejects with ExportError at the first that is wrong. */
export async function* readLines(folder: string, lastChain: string): AsyncGenerator<ExportLine> {
  const lines = createInterface({ input: createReadStream(join(folder, LINES_FILE)), crlfDelay: Infinity });
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

function parseLine(text: string, wrong: (what: string) => ExportError): ExportLine {
  try {
    return v.parse(lineSchema, JSON.parse(text));
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error));
  }
}

/** A path in a manifest is somebody else's word. */
export function isInside(path: string): boolean {
  const plain = normalize(path);
  return !isAbsolute(plain) && !plain.startsWith('..') && !/^[A-Za-z]:/.test(plain);
}
