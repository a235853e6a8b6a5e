/**
 * Owns: the one face of what an IM Server keeps, whichever engine lies behind it. Called by: imserver-store.ts and, through
 * it, everything of the IM Server. Calls: nothing. Engines: sqlite-server-store.ts,
 * postgres/postgres-store.ts.
 */
import type { PresenceShow } from '../../shared/domain/presence.ts';
import type { ImServerProcedures } from './imserver-tables.ts';
import type { ProcedureInput, ProcedureOutput } from './store-thread.ts';

/** What another node of the same server has changed. After a gap nobody knows what was missed: `everything`. */
export type StoreNews =
  | { readonly kind: 'bindings' | 'rules' | 'asks' | 'presence'; readonly user: string }
  | { readonly kind: 'room'; readonly room: number }
  /** Something of this kind and key that nodes have (`NodeThings`). */
  | { readonly kind: 'thing'; readonly thing: NodeThing['kind']; readonly key: string }
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
  /** What nodes tell each other of what they have in memory; undefined: there is one node. */
  readonly shared: SharedMemory | undefined;
  /** Whether other nodes may use it as well. */
  readonly isShared: boolean;
  /** Random, and the same at all nodes. */
  readonly secret: Buffer;
}

/** What a device has published of its user's presence. */
export interface StoredPublication {
  readonly user: string;
  readonly etag: string;
  readonly show: PresenceShow;
  readonly note: string;
  /** Where the device was, as a SIP URI. */
  readonly source: string;
  /** When its words last changed. */
  readonly changedMs: number;
  readonly expiresMs: number;
}

/** Something that belongs to a node and ends with it: a subscription (others end it in its place), who is in a room. */
export interface NodeThing {
  readonly kind: 'subscription' | 'there';
  readonly key: string;
  /** JSON. */
  readonly content: string;
}

/** What one node knows and the others need, as long as it holds. Everything rejects with StoreError. */
export interface SharedMemory {
  selectPublications(input: { readonly nowMs: number; readonly user?: string }): Promise<StoredPublication[]>;
  /** `removed`: entity-tags that no longer hold. */
  replacePublication(input: {
    readonly user: string;
    readonly put?: StoredPublication;
    readonly removed: readonly string[];
    readonly nowMs: number;
  }): Promise<void>;
  readonly things: NodeThings;
}

/** The things of all nodes. */
export interface NodeThings {
  /** This node has it from now on; it is put there again when PostgreSQL had lost sight of the node. */
  put(thing: NodeThing): Promise<void>;
  remove(thing: Pick<NodeThing, 'kind' | 'key'>): Promise<void>;
  /** What other nodes have of a kind, under one key or all. */
  selectOthers(kind: NodeThing['kind'], key?: string): Promise<NodeThing[]>;
  /** `listen` gets what dead nodes had, each thing at one node only. Returns the release. */
  onOrphans(listen: (things: readonly NodeThing[]) => void): () => void;
}

/** Disposing of it gives it back, and never rejects. */
export interface QueueClaim extends AsyncDisposable {
  /** False: the connection that held it is gone, and another node may have it. */
  isHeld(): boolean;
}
