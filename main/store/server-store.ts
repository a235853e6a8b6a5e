/**
 * Owns: the one face of what an IM Server keeps, whichever engine lies behind it. Called by: imserver-store.ts and, through
 * it, everything of the IM Server. Calls: nothing. Engines: sqlite-server-store.ts,
 * postgres/postgres-store.ts.
 */
import type { ImServerProcedures } from './imserver-tables.ts';
import type { ProcedureInput, ProcedureOutput } from './store-thread.ts';

/** What another node of the same server has changed. After a gap nobody knows what was missed: `everything`. */
export type StoreNews =
  | { readonly kind: 'bindings' | 'rules' | 'asks'; readonly user: string }
  | { readonly kind: 'room'; readonly room: number }
  /** Something was said in a room, up to this position. */
  | { readonly kind: 'said'; readonly room: number; readonly position: number }
  | { readonly kind: 'users' | 'everything' };

/** Everything is on disk when a call has resolved. */
export interface ServerStore extends AsyncDisposable {
  /** Runs one procedure. Rejects with StoreError; then nothing of it was stored. */
  call<Name extends keyof ImServerProcedures>(
    procedure: Name,
    input: ProcedureInput<ImServerProcedures, Name>,
  ): Promise<ProcedureOutput<ImServerProcedures, Name>>;
  /** `listen` hears what other nodes have changed, in their order. Returns the release. */
  onNews(listen: (news: StoreNews) => void): () => void;
  /**
   * Only one node delivers what waits for a recipient. Undefined: another one does. What a node had claimed is free again
   * when the node is dead. Rejects with StoreError.
   */
  claimQueue(recipient: string): Promise<QueueClaim | undefined>;
  /** Whether other nodes may use it as well. */
  readonly isShared: boolean;
  /** Random, and the same at all nodes. */
  readonly secret: Buffer;
}

/** Disposing of it gives it back, and never rejects. */
export interface QueueClaim extends AsyncDisposable {
  /** False: the connection that held it is gone, and another node may have it. */
  isHeld(): boolean;
}
