/**
 * Owns: an IM Server's store in PostgreSQL, which several nodes of one server share. Called by: imserver-store.ts.
 * Calls: postgres-link.ts, postgres-procedures.ts, postgres-migrations.ts.
 */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { Lifetime } from '../../base/lifetime.ts';
import type { Log } from '../../base/log.ts';
import type { ImServerProcedures } from '../imserver-tables.ts';
import type { QueueClaim, ServerStore, SharedMemory, StoreNews } from '../server-store.ts';
import type { ProcedureInput, ProcedureOutput } from '../store-thread.ts';
import { PostgresNodeThings } from './node-things.ts';
import { PostgresLink } from './postgres-link.ts';
import { migrate } from './postgres-migrations.ts';
import { asPostgresError, connectionOptions, PostgresPool, type PostgresPlace } from './postgres-pool.ts';
import { postgresProcedures, type PostgresProcedures } from './postgres-procedures.ts';
import { publicationStatements } from './publication-statements.ts';
import { userStatements, type UserStatements } from './user-statements.ts';

/** News come while it is open; after a gap `everything`. */
export class PostgresStore implements ServerStore {
  readonly isShared = true;
  readonly users: UserStatements;
  readonly #procedures: PostgresProcedures;
  readonly #lifetime = new Lifetime();
  readonly #listeners = new Set<(news: StoreNews) => void>();
  readonly shared: SharedMemory;
  readonly #link: PostgresLink;
  /** There was news when nobody listened yet. */
  #hasMissed = false;
  #secret: Buffer = Buffer.alloc(0);

  private constructor(place: PostgresPlace, log: Log) {
    const node = randomUUID();
    const pool = this.#lifetime.own(new PostgresPool(place, node, log));
    this.#procedures = postgresProcedures(pool);
    this.users = userStatements(pool);
    this.#link = this.#lifetime.own(
      new PostgresLink({
        ...{ place, node, log },
        receiveNews: (news) => {
          if (news.kind === 'everything') {
            things.putAgain().catch((error: unknown) => {
              log.warn('nodes.not-put-again', { error });
            });
          }
          this.#hasMissed ||= this.#listeners.size === 0;
          for (const listen of this.#listeners) listen(news);
        },
      }),
    );
    const things = this.#lifetime.own(
      new PostgresNodeThings({ pool, link: this.#link, log, limits: place.limits }),
    );
    this.shared = { ...publicationStatements(pool), things };
  }

  /** Brings the schema up to date. Rejects with StoreError. */
  static async open(place: PostgresPlace, domain: string, log: Log): Promise<PostgresStore> {
    await bringUpToDate(place);
    const store = new PostgresStore(place, log);
    try {
      store.#secret = await store.users.claimDomain(domain);
      await store.#link.open();
      return store;
    } catch (error) {
      await store[Symbol.asyncDispose]();
      throw error;
    }
  }

  get secret(): Buffer {
    return this.#secret;
  }

  call<Name extends keyof ImServerProcedures>(
    procedure: Name,
    input: ProcedureInput<ImServerProcedures, Name>,
  ): Promise<ProcedureOutput<ImServerProcedures, Name>> {
    return this.#procedures[procedure](input);
  }

  onNews(listen: (news: StoreNews) => void): () => void {
    this.#listeners.add(listen);
    if (this.#hasMissed) listen({ kind: 'everything' });
    this.#hasMissed = false;
    return () => this.#listeners.delete(listen);
  }

  claimQueue(recipient: string): Promise<QueueClaim | undefined> {
    return this.#link.claim(recipient);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }
}

async function bringUpToDate(place: PostgresPlace): Promise<void> {
  // A change of a large table takes longer than a statement may otherwise.
  const client = new pg.Client({
    ...connectionOptions(place),
    statement_timeout: 0,
    lock_timeout: 0,
    query_timeout: 0,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await migrate(client);
  } catch (error) {
    throw asPostgresError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}
