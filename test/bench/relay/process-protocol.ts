/**
 * Owns: what the processes of the relay bench say to each other. Called by: load.ts, relay-process.ts, receiver.ts.
 * Calls: nothing.
 */

/** Who is behind the relay, with which password. */
export const BENCH_USERS = { sender: 'bench-sender', receiver: 'bench-receiver' } as const;

export interface RelayReady {
  /** Plain, and over TLS with its fingerprint. */
  readonly uris: readonly string[];
  readonly announcement: string;
}

export type ReceiverRequest =
  | { readonly ask: 'bind'; readonly relay: RelayReady; readonly encrypted: boolean }
  | { readonly ask: 'sessions'; readonly paths: readonly string[] };

export type ReceiverReply =
  { readonly raw: number } | { readonly bound: true } | { readonly paths: readonly string[] };
