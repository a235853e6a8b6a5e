/**
 * Owns: an export to be read, whichever form it has: a folder with JSON Lines, or an archive.
 * Called by: import.ts, verify.ts. Calls: archive-source.ts, export-folder.ts.
 */
import { stat } from 'node:fs/promises';
import { ArchiveSource } from './archive-source.ts';
import type { Attachments } from './attachments.ts';
import type { ExportLine, Manifest } from './export-format.ts';
import { FolderSource } from './export-folder.ts';

/** What both have. */
export interface ExportSource extends AsyncDisposable {
  readonly manifest: Manifest;
  /** Every line, checked against the chain. Rejects with ExportError at the first that is wrong. */
  lines(): AsyncGenerator<ExportLine>;
  /** The bytes of a file, by its path inside the export. */
  readonly attachments: Attachments;
}

/** Rejects with ExportError when it is no export, or needs a passphrase that was not given. */
export async function openExport(path: string, passphrase?: string): Promise<FolderSource | ArchiveSource> {
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  return isFile ? ArchiveSource.open(path, passphrase) : FolderSource.open(path);
}
