/**
 * Owns: ceilings and timers of an IM Server's connections to PostgreSQL. Called by: store/postgres. Calls: nothing.
 */
export const POSTGRES_LIMITS = {
  /** Opening a connection, and waiting for one of the pool that is free. */
  connectMs: 3_000,
  /** One statement, or one wait for a lock. A SIP transaction has 32 s, and its client asks again after 500 ms. */
  statementMs: 5_000,
  /** A connection that nobody has used for this long is closed. */
  idleMs: 60_000,
  /** Statements that wait for a connection. What comes beyond them is refused at once, and its sender keeps it. */
  maxWaiting: 2_000,
  /** PostgreSQL frees what a node had claimed when nothing of it was heard for this long. */
  peerGoneMs: 9_000,
  /** The connection for news: a sign of life this often, and when it is lost, a new one after so long. */
  aliveMs: 5_000,
  /** Whether another node is dead is looked at this often. */
  deadNodeMs: 1_000,
  reconnectFirstMs: 200,
  reconnectMaxMs: 2_000,
  /** Queues that one node delivers at the same time: each is a lock in PostgreSQL's shared table. */
  maxClaims: 1_000,
} as const;

export type PostgresLimits = { readonly [Name in keyof typeof POSTGRES_LIMITS]: number };
