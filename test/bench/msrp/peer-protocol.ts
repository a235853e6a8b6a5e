/**
 * Owns: what the two processes of the MSRP bench say to each other, and the ceilings that both raise.
 * Called by: stand.ts, peer.ts. Calls: nothing.
 */
import type { MsrpLimits } from '../../../main/base/limits.ts';

/** `paths`: those of our sessions; the peer makes one for each and visits, as who is invited does. `files`: it takes files. */
export type PeerRequest =
  | ({ readonly ask: 'sessions'; readonly paths: readonly string[] } & SessionKind)
  | { readonly ask: 'memory' }
  | { readonly ask: 'received' };

/** A session that takes files has a connection of its own, as in the product. */
export interface SessionKind {
  readonly encrypted: boolean;
  readonly files: boolean;
}

export type PeerReply =
  | { readonly raw: number; readonly echo: number; readonly tls: number }
  | { readonly paths: readonly string[] }
  | { readonly bytes: number; readonly rss: number }
  | { readonly received: readonly number[] };

/** What is a file here: the peer counts its bytes and keeps nothing. */
export const FILE_TYPE = 'application/octet-stream';

/** One address plays a thousand people here, and is slow when it does so. */
export const BENCH_LIMITS: Partial<MsrpLimits> = {
  maxConnectionsPerAddress: 4_000,
  visitTimeoutMs: 30_000,
  awaitVisitMs: 600_000,
};
