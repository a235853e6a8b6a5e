/**
 * Owns: what each node has that others need to know, and finding out that a node is dead: while it lives it holds an
 * advisory lock on its own name, which PostgreSQL frees with its connection. Called by: postgres-store.ts.
 * Calls: postgres-pool.ts, postgres-link.ts.
 */
import { systemClock, type Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { POSTGRES_LIMITS, type PostgresLimits } from '../../base/postgres-limits.ts';
import type { NodeThing, NodeThings } from '../server-store.ts';
import type { PostgresLink } from './postgres-link.ts';
import type { PostgresPool } from './postgres-pool.ts';

const MAX_PUT_AGAIN = 1_000;

/** The things of one node, and a look at those of others. */
export class PostgresNodeThings implements NodeThings, Disposable {
  readonly #pool: PostgresPool;
  readonly #link: Pick<PostgresLink, 'claimNode'>;
  readonly #log: Log;
  readonly #limits: PostgresLimits;
  readonly #own = new Map<string, NodeThing>();
  readonly #listeners = new Set<(things: readonly NodeThing[]) => void>();
  #timer: Timer | undefined;
  #ended = false;

  constructor(options: {
    pool: PostgresPool;
    link: Pick<PostgresLink, 'claimNode'>;
    log: Log;
    limits?: PostgresLimits | undefined;
  }) {
    this.#pool = options.pool;
    this.#link = options.link;
    this.#log = options.log;
    this.#limits = options.limits ?? POSTGRES_LIMITS;
  }

  async put(thing: NodeThing): Promise<void> {
    this.#own.set(`${thing.kind} ${thing.key}`, thing);
    await this.#write([thing]);
  }

  async remove({ kind, key }: Pick<NodeThing, 'kind' | 'key'>): Promise<void> {
    if (!this.#own.delete(`${kind} ${key}`)) return;
    await this.#pool.transact(async (run, tell) => {
      await run('SET LOCAL synchronous_commit TO off');
      await run('DELETE FROM node_things WHERE node = $1 AND kind = $2 AND key = $3', [
        this.#pool.node,
        kind,
        key,
      ]);
      if (kind !== 'subscription') await tell({ kind: 'thing', thing: kind, key });
    });
  }

  selectOthers(kind: NodeThing['kind'], key?: string): Promise<NodeThing[]> {
    return this.#pool.run(
      `SELECT kind, key, content FROM node_things
       WHERE node <> $1 AND kind = $2 AND ($3::text IS NULL OR key = $3)`,
      [this.#pool.node, kind, key ?? null],
    );
  }

  onOrphans(listen: (things: readonly NodeThing[]) => void): () => void {
    this.#listeners.add(listen);
    this.#lookLater();
    return () => this.#listeners.delete(listen);
  }

  /** The connection was gone for a while: others may have taken this node for dead. */
  async putAgain(): Promise<void> {
    const own = [...this.#own.values()];
    for (let from = 0; from < own.length; from += MAX_PUT_AGAIN) {
      await this.#write(own.slice(from, from + MAX_PUT_AGAIN));
    }
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#timer?.[Symbol.dispose]();
  }

  async #write(things: readonly NodeThing[]): Promise<void> {
    await this.#pool.transact(async (run, tell) => {
      await run('SET LOCAL synchronous_commit TO off');
      await run(
        `INSERT INTO node_things (node, kind, key, content)
         SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[])
         ON CONFLICT (node, kind, key) DO UPDATE SET content = excluded.content`,
        [
          this.#pool.node,
          things.map(({ kind }) => kind),
          things.map(({ key }) => key),
          things.map(({ content }) => content),
        ],
      );
      for (const { kind, key } of things) {
        // What nobody else looks at need not be told.
        if (kind !== 'subscription') await tell({ kind: 'thing', thing: kind, key });
      }
    });
  }

  #lookLater(): void {
    if (this.#ended || this.#timer !== undefined) return;
    this.#timer = systemClock.startTimer(this.#limits.deadNodeMs, () => {
      this.#timer = undefined;
      this.#look()
        .catch((error: unknown) => {
          this.#log.info('nodes.not-looked-at', { error });
        })
        .finally(() => {
          this.#lookLater();
        });
    });
  }

  async #look(): Promise<void> {
    const nodes = await this.#pool.run<{ node: string }>(
      'SELECT DISTINCT node FROM node_things WHERE node <> $1',
      [this.#pool.node],
    );
    for (const { node } of nodes) {
      await using claim = await this.#link.claimNode(node);
      if (claim !== undefined) await this.#inherit(node);
    }
  }

  async #inherit(node: string): Promise<void> {
    const things = await this.#pool.transact(async (run, tell) => {
      const taken = await run<NodeThing>(
        'DELETE FROM node_things WHERE node = $1 RETURNING kind, key, content',
        [node],
      );
      const told = taken
        .filter(({ kind }) => kind !== 'subscription')
        .map(({ kind, key }) => ({ kind, key }));
      for (const { kind, key } of told) await tell({ kind: 'thing', thing: kind, key });
      return taken;
    });
    if (things.length === 0) return;
    this.#log.warn('nodes.dead', { node, things: things.length });
    for (const listen of this.#listeners) listen(things);
  }
}
