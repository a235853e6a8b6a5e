/**
 * Owns: whether an exported history is complete and as it was written. Called by: hosts/headless/history.ts.
 * Calls: export-source.ts.
 */
import { StoreError } from '../../store/database.ts';
import { ArchiveSource } from './archive-source.ts';
import { ExportError } from './export-error.ts';
import type { Manifest } from './export-format.ts';
import { openExport } from './export-source.ts';

/** Problems that are listed; the rest is left out. */
const MAX_PROBLEMS = 20;

/**
 * Checks every file and every line of a folder or an archive. An empty list: it is complete and nothing was changed.
 * Rejects with ExportError.
 */
export async function verifyExport(
  path: string,
  passphrase?: string,
): Promise<{ manifest: Manifest; problems: string[] }> {
  await using source = await openExport(path, passphrase);
  const { manifest } = source;
  const problems: string[] = [];
  for await (const problem of source.damage()) {
    problems.push(problem);
    if (problems.length >= MAX_PROBLEMS) return { manifest, problems };
  }
  if (manifest.chain === null) return { manifest, problems };
  const counts = { conversations: 0, sessions: 0, messages: 0 };
  const lines =
    source instanceof ArchiveSource
      ? source.lines((problem) => {
          if (problems.length < MAX_PROBLEMS) problems.push(problem);
        })
      : source.lines();
  try {
    for await (const line of lines) if (line.type !== 'export') counts[`${line.type}s`] += 1;
  } catch (error) {
    if (!(error instanceof ExportError || error instanceof StoreError)) throw error;
    problems.push(error.message);
    return { manifest, problems };
  }
  for (const kind of ['conversations', 'sessions', 'messages'] as const) {
    if (counts[kind] !== manifest.counts[kind]) {
      problems.push(`${counts[kind]} ${kind} instead of ${manifest.counts[kind]}`);
    }
  }
  return { manifest, problems };
}
