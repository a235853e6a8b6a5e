/**
 * Owns: what crosses between the store's face and its thread.
 * Called by: store-thread.ts, worker.ts. Calls: nothing.
 */
import type { StoreErrorCode } from './database.ts';
import type { RecoveryReport } from './recovery.ts';

/** What takes its time before a history is open. */
export type OpeningTask = 'encrypting' | 'updating' | 'recovering';
/** How far it is; `total` is null when nobody knows. */
export type ReceiveProgress = (task: OpeningTask, done: number, total: number | null) => void;

/** Which tables the thread serves, and where its file is. */
export interface WorkerStart {
  /**
   * `archive`: a messenger's tables that are only read; `archive-writer`: one that is being written. `check`: looks for
   * damage, says what it found and ends. `backup`, `encrypt`: does that and ends.
   */
  readonly kind: 'messenger' | 'imserver' | 'archive' | 'archive-writer' | 'check' | 'backup' | 'encrypt';
  readonly path: string;
  /** What the file is encrypted with. */
  readonly key?: Uint8Array | undefined;
  /** Where a backup goes; of an archive: the folder for a copy. */
  readonly target?: string | undefined;
  /** The newest ticket of each lane of searches, shared with the callers' thread. */
  readonly searches: Int32Array<SharedArrayBuffer>;
}

/** One of several searches of a lane (a search field): only the newest counts. */
export interface SearchTicket {
  readonly lane: number;
  readonly number: number;
}

/** Lanes of searches at once. */
export const SEARCH_LANES = 64;

export interface WorkerRequest {
  readonly id: number;
  readonly procedure: string;
  readonly input: unknown;
}

/** Before the first reply of a thread that opens a history. */
export interface WorkerProgress {
  readonly task: OpeningTask;
  readonly done: number;
  readonly total: number | null;
}

export type WorkerReply =
  | { readonly id: number; readonly ok: true; readonly value: unknown; readonly tookMs: number }
  | { readonly id: number; readonly ok: false; readonly code: StoreErrorCode; readonly message: string };

/** Named functions over one database; the thread runs them one at a time, in the order of arrival. */
export type Procedures = Record<string, (input: never) => unknown>;

/** How a history was found when it was opened. */
export interface OpenReport {
  /** The program ended without closing it: worth a look through the whole file. */
  readonly wasOpen: boolean;
  /** It was damaged, and this was saved. */
  readonly recovered: RecoveryReport | null;
  /** A backup has taken its place; the one before lies here. */
  readonly replaced: string | null;
}
