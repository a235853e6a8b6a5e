/**
 * Owns: one connection to PostgreSQL that stays: over it come the news of other nodes, and it holds what this node has
 * claimed. When it breaks, PostgreSQL frees the claims, and everything is read again when it is back.
 * Called by: postgres-store.ts. Calls: pg.
 */
import pg from 'pg';
import { systemClock, type Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { POSTGRES_LIMITS, type PostgresLimits } from '../../base/postgres-limits.ts';
import type { QueueClaim, StoreNews } from '../server-store.ts';
import { asPostgresError, connectionOptions, NEWS_CHANNEL, type PostgresPlace } from './postgres-pool.ts';

/** Of the advisory locks on queues: the second number is a hash of the recipient. */
const QUEUE_LOCK = 0x71756575;
/** Of the advisory locks by which a node shows that it lives: the second number is a hash of its name. */
const NODE_LOCK = 0x6e6f6465;

export interface PostgresLinkOptions {
  readonly place: PostgresPlace;
  readonly node: string;
  readonly log: Log;
  readonly receiveNews: (news: StoreNews) => void;
}

/** Opens itself again until it is disposed of. */
export class PostgresLink implements AsyncDisposable {
  readonly #options: PostgresLinkOptions;
  readonly #limits: PostgresLimits;
  #client: pg.Client | undefined;
  #timer: Timer | undefined;
  #claims = 0;
  /** The connection does one thing at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  #waitMs: number;

  constructor(options: PostgresLinkOptions) {
    this.#options = options;
    this.#limits = options.place.limits ?? POSTGRES_LIMITS;
    this.#waitMs = this.#limits.reconnectFirstMs;
  }

  /** Resolves when news arrive from now on. Rejects with StoreError. */
  async open(): Promise<void> {
    const client = new pg.Client(connectionOptions(this.#options.place));
    // Without it Node would end the process; what to do is done when the connection ends.
    client.on('error', () => undefined);
    client.on('end', () => {
      this.#receiveLost(client);
    });
    client.on('notification', ({ payload = '' }) => {
      this.#receiveLetter(payload);
    });
    try {
      await client.connect();
      await client.query(`LISTEN ${NEWS_CHANNEL}`);
      await client.query('SELECT pg_advisory_lock_shared($1, hashtext($2))', [NODE_LOCK, this.#options.node]);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw asPostgresError(error);
    }
    if (this.#closed) {
      await client.end();
      return;
    }
    this.#client = client;
    this.#waitMs = this.#limits.reconnectFirstMs;
    this.#checkLater(client);
  }

  /** Undefined: another node has it, or this one has as many as it may. Rejects with StoreError. */
  claim(recipient: string): Promise<QueueClaim | undefined> {
    return this.#claim(QUEUE_LOCK, recipient);
  }

  /** What a dead node has left may be taken while it is held. Undefined: the node lives. Rejects with StoreError. */
  claimNode(node: string): Promise<QueueClaim | undefined> {
    return this.#claim(NODE_LOCK, node);
  }

  async #claim(kind: number, name: string): Promise<QueueClaim | undefined> {
    const client = this.#client;
    if (client === undefined) throw asPostgresError(new Error('there is no connection'));
    if (this.#claims >= this.#limits.maxClaims) return undefined;
    this.#claims++;
    const lock = [kind, name];
    const free = async (): Promise<void> => {
      this.#claims--;
      await this.#ask(client, 'SELECT pg_advisory_unlock($1, hashtext($2)) AS got', lock).catch(
        () => undefined,
      );
    };
    try {
      const { rows } = await this.#ask(client, 'SELECT pg_try_advisory_lock($1, hashtext($2)) AS got', lock);
      if (rows[0]?.got === true) {
        const isHeld = (): boolean => this.#client === client;
        return { isHeld, [Symbol.asyncDispose]: free };
      }
      this.#claims--;
      return undefined;
    } catch (error) {
      this.#claims--;
      throw asPostgresError(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  #ask(client: pg.Client, sql: string, values: unknown[] = []): Promise<pg.QueryResult<{ got: boolean }>> {
    const answer = this.#last.then(() => client.query<{ got: boolean }>(sql, values));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  #receiveLetter(payload: string): void {
    const { node, ...news } = JSON.parse(payload) as StoreNews & { node: string };
    if (node !== this.#options.node) this.#options.receiveNews(news);
  }

  /** A connection whose other end is gone without a word looks like one on which nothing happens. */
  #checkLater(client: pg.Client): void {
    this.#timer = systemClock.startTimer(this.#limits.aliveMs, () => {
      this.#ask(client, 'SELECT true AS got').then(
        () => {
          if (this.#client === client) this.#checkLater(client);
        },
        () => {
          void client.end().catch(() => undefined);
          this.#receiveLost(client);
        },
      );
    });
  }

  #receiveLost(client: pg.Client): void {
    if (this.#closed || this.#client !== client) return;
    this.#client = undefined;
    this.#timer?.[Symbol.dispose]();
    this.#options.log.warn('postgres.link-lost');
    this.#openLater();
  }

  #openLater(): void {
    this.#timer = systemClock.startTimer(this.#waitMs, () => {
      this.#waitMs = Math.min(2 * this.#waitMs, this.#limits.reconnectMaxMs);
      this.open().then(
        () => {
          if (this.#closed) return;
          this.#options.log.warn('postgres.link-back');
          this.#options.receiveNews({ kind: 'everything' });
        },
        () => {
          if (!this.#closed) this.#openLater();
        },
      );
    });
  }
}
