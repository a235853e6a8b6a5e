/**
 * Owns: the connections to PostgreSQL that statements run on: their number, their timers, and what an error means.
 * Called by: the tables beside it, postgres-store.ts. Calls: pg.
 */
import pg from 'pg';
import type { Log } from '../../base/log.ts';
import { POSTGRES_LIMITS, type PostgresLimits } from '../../base/postgres-limits.ts';
import { StoreError } from '../database.ts';
import type { StoreNews } from '../server-store.ts';

/** The channel on which nodes tell each other what they have changed. */
export const NEWS_CHANNEL = 'parley_imserver';

export interface PostgresPlace {
  /** `postgresql://user:password@host:port/database`, with `sslmode` and the like. */
  readonly url: string;
  readonly connections: number;
  readonly limits?: PostgresLimits;
}

/** Runs one statement. Rejects with StoreError. */
export type Run = <Row extends object>(sql: string, values?: readonly unknown[]) => Promise<Row[]>;

const INT8 = 20;

/** Whole numbers are numbers: none of ours is beyond 2^53. */
const types = new pg.TypeOverrides();
types.setTypeParser(INT8, Number);

/** What every connection is opened with. A node that is gone without a word is noticed by PostgreSQL as well. */
export function connectionOptions({ url, limits = POSTGRES_LIMITS }: PostgresPlace): pg.ClientConfig {
  const { connectMs, statementMs, peerGoneMs } = limits;
  const idleS = Math.ceil(peerGoneMs / 3_000);
  return {
    connectionString: url,
    types,
    application_name: 'parley-imserver',
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    statement_timeout: statementMs,
    lock_timeout: statementMs,
    query_timeout: statementMs + 1_000,
    idle_in_transaction_session_timeout: statementMs,
    options: `-c tcp_keepalives_idle=${idleS} -c tcp_keepalives_interval=${idleS} -c tcp_keepalives_count=2 -c tcp_user_timeout=${peerGoneMs}`,
  };
}

/** What went wrong, without the address and the password of the database. */
export function asPostgresError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const { code = '' } = (error ?? {}) as { code?: string };
  const text = error instanceof Error && error.message !== '' ? error.message : code || String(error);
  if (code === '53100')
    return new StoreError('STORE_FULL', `The disk of PostgreSQL is full (${text}).`, error);
  if (code.startsWith('28') || code === '3D000') {
    return new StoreError(
      'STORE_FAILED',
      `PostgreSQL does not let the server in (${text}). Check storage.url.`,
      error,
    );
  }
  return new StoreError('STORE_FAILED', `PostgreSQL did not do it (${text}).`, error);
}

/** A pool with a ceiling for those who wait as well. */
export class PostgresPool implements AsyncDisposable {
  readonly #pool: pg.Pool;
  readonly #limits: PostgresLimits;
  readonly #log: Log;
  readonly #receiveLost = (error: Error): void => {
    this.#log.warn('postgres.connection-lost', { error });
  };
  /** Which node this is, so that it does not listen to itself. */
  readonly node: string;

  constructor(place: PostgresPlace, node: string, log: Log) {
    this.node = node;
    this.#log = log;
    this.#limits = place.limits ?? POSTGRES_LIMITS;
    this.#pool = new pg.Pool({
      ...connectionOptions(place),
      max: place.connections,
      idleTimeoutMillis: this.#limits.idleMs,
    });
    // Of a connection that nobody uses at the moment; the next statement gets another.
    this.#pool.on('error', this.#receiveLost);
  }

  readonly run: Run = async <Row extends object>(sql: string, values: readonly unknown[] = []) => {
    this.#admit();
    try {
      return (await this.#pool.query<Row>(sql, [...values])).rows;
    } catch (error) {
      throw asPostgresError(error);
    }
  };

  /** Runs a statement that changes something; the other nodes hear of it when it is on disk, unless it changed nothing. */
  async change(sql: string, values: readonly unknown[], news: StoreNews): Promise<void> {
    const count = values.length;
    await this.run(
      `WITH done AS (${sql} RETURNING 1)
       SELECT pg_notify($${count + 1}, $${count + 2}) FROM (SELECT count(*) AS n FROM done) AS d WHERE n > 0`,
      [...values, NEWS_CHANNEL, this.#letter(news)],
    );
  }

  /** Everything that `work` does is done, or nothing. What it tells is told when it is on disk. Rejects with StoreError. */
  async transact<Result>(
    work: (run: Run, tell: (news: StoreNews) => Promise<void>) => Promise<Result>,
  ): Promise<Result> {
    this.#admit();
    let client: pg.PoolClient | undefined;
    try {
      client = await this.#pool.connect();
      const used = client;
      // When it breaks between two statements the next one says so; nobody listening would end the process.
      used.on('error', this.#receiveLost);
      const run: Run = async <Row extends object>(sql: string, values: readonly unknown[] = []) =>
        (await used.query<Row>(sql, [...values])).rows;
      await run('BEGIN');
      const result = await work(run, async (news) => {
        await run('SELECT pg_notify($1, $2)', [NEWS_CHANNEL, this.#letter(news)]);
      });
      await run('COMMIT');
      client.off('error', this.#receiveLost);
      client.release();
      return result;
    } catch (error) {
      // Closing the connection undoes it, whatever state it is in.
      client?.release(true);
      throw asPostgresError(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }

  #letter(news: StoreNews): string {
    return JSON.stringify({ node: this.node, ...news });
  }

  /** A database that does not answer must not gather requests without end. */
  #admit(): void {
    if (this.#pool.waitingCount >= this.#limits.maxWaiting) {
      throw new StoreError('STORE_FAILED', 'PostgreSQL does not keep up: too much waits for it.');
    }
  }
}
