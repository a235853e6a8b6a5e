/**
 * Owns: whether an exported history is complete and as it was written. Called by: hosts/headless/history.ts, reader/reading-check.ts.
 * Calls: export-source.ts.
 */
import { StoreError } from '../../store/database.ts';
import { ArchiveSource } from './archive-source.ts';
import { ExportError } from './export-error.ts';
import type { FolderSource } from './export-folder.ts';
import type { Manifest } from './export-format.ts';
import { openExport } from './export-source.ts';

/** Problems that are listed; the rest is left out. */
const MAX_PROBLEMS = 20;
/** Messages between two reports of how far it is. */
const PROGRESS_STEP = 500;

/** Counts of what was looked at: files and messages. */
export type CheckProgress = (done: number, total: number) => void;

/**
 * Checks every file and every line of a folder or an archive. An empty list: it is complete and nothing was changed.
 * Rejects with ExportError.
 */
export async function verifyExport(
  path: string,
  passphrase?: string,
): Promise<{ manifest: Manifest; problems: string[] }> {
  await using source = await openExport(path, passphrase);
  return { manifest: source.manifest, problems: await verifySource(source) };
}

/** The same for one that is open. Rejects with the reason of the signal. */
export async function verifySource(
  source: FolderSource | ArchiveSource,
  { receiveProgress, signal }: { receiveProgress?: CheckProgress; signal?: AbortSignal } = {},
): Promise<string[]> {
  const { manifest } = source;
  const problems: string[] = [];
  for await (const problem of source.damage(signal)) {
    problems.push(problem);
    if (problems.length >= MAX_PROBLEMS) return problems;
  }
  if (manifest.chain === null) return problems;
  const counts = { conversations: 0, sessions: 0, messages: 0 };
  const lines =
    source instanceof ArchiveSource
      ? source.lines((problem) => {
          if (problems.length < MAX_PROBLEMS) problems.push(problem);
        })
      : source.lines();
  try {
    for await (const line of lines) {
      if (line.type === 'export') continue;
      counts[`${line.type}s`] += 1;
      if (line.type !== 'message' || counts.messages % PROGRESS_STEP !== 0) continue;
      signal?.throwIfAborted();
      receiveProgress?.(counts.messages, manifest.counts.messages);
    }
  } catch (error) {
    if (!(error instanceof ExportError || error instanceof StoreError)) throw error;
    problems.push(error.message);
    return problems;
  }
  for (const kind of ['conversations', 'sessions', 'messages'] as const) {
    if (counts[kind] !== manifest.counts[kind]) {
      problems.push(`${counts[kind]} ${kind} instead of ${manifest.counts[kind]}`);
    }
  }
  return problems;
}
