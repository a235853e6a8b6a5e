/**
 * Owns: what an archive has beside the tables of a history: its manifest, its files, its chain. Called by: archive-writing.ts,
 * archive-reading.ts, archive-opening.ts. Calls: SQLite.
 *
 * An archive is a database like a history, so that what reads and searches one reads and searches the other. Its log is
 * closed when it is finished: it is one file, to be opened where nothing can be written.
 */
import type { Database } from './database.ts';

/** `application_id` of the file: `Prly`. */
export const ARCHIVE_MARK = 0x50_72_6c_79;

/** Files lie in pieces of at most so many bytes. */
export const PIECE_BYTES = 256 * 1024;

/**
 * `plan`: what is to be written, `progress`: how far it is; both until it is finished. `manifest`: set when it is.
 * `archive_marks`: the chain behind the message at a position, every few hundred messages.
 */
const TABLES = `
CREATE TABLE archive (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  plan TEXT,
  progress TEXT,
  manifest TEXT
) STRICT;
CREATE TABLE archive_files (
  position INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,
  first_piece INTEGER NOT NULL,
  pieces INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL
) STRICT;
CREATE TABLE archive_pieces (id INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TABLE archive_marks (position INTEGER PRIMARY KEY, chain TEXT NOT NULL) STRICT;
`;

export function hasArchiveTables(database: Database): boolean {
  const table = database.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'archive'");
  return table.get() !== undefined;
}

/** Makes them when they are not there. */
export function addArchiveTables(database: Database): void {
  if (hasArchiveTables(database)) return;
  database.transaction(() => {
    database.exec(TABLES);
    database.pragma(`application_id = ${ARCHIVE_MARK}`);
  })();
}

/** A file of a message in an archive, as its manifest has it. */
export interface ArchivedFile {
  readonly position: number;
  /** Inside the archive: `files/12-plan.pdf`. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}
