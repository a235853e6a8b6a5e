/**
 * Owns: a PostgreSQL of Debian's with files of its own, for the tests of one file; and the engines on which a contract is
 * tested. Called by: test/imserver, test/interop/kamailio. Calls: initdb, postgres.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { keptPort } from './free-port.ts';

const VERSIONS = '/usr/lib/postgresql';
const version = existsSync(VERSIONS)
  ? readdirSync(VERSIONS)
      .filter((name) => existsSync(join(VERSIONS, name, 'bin', 'initdb')))
      .sort((a, b) => Number(b) - Number(a))[0]
  : undefined;

/** Why PostgreSQL cannot be run here, or `undefined`. */
export const postgresMissing: string | undefined =
  version === undefined
    ? `${VERSIONS} has no PostgreSQL (Debian package postgresql): nothing is tested on it`
    : undefined;
if (postgresMissing !== undefined) console.log(`skipped: ${postgresMissing}`);

const USER = 'parley';
const PASSWORD = 'of the database';

/** It refuses to run as root. */
function ownIds(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** A running PostgreSQL; what is committed is forced to the disk. */
export class Postgres implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #log = '';

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
  }

  static async start(): Promise<Postgres> {
    const folder = await mkdtemp('/tmp/parley-pg-');
    const { uid, gid } = ownIds();
    if (uid !== undefined && gid !== undefined) await chown(folder, uid, gid);
    const postgres = new Postgres(folder, await keptPort());
    postgres.#run('initdb', [
      ...['-D', join(folder, 'data'), '-U', USER, '--auth=trust', '--no-sync'],
      ...['--encoding=UTF8', '--locale=C.UTF-8'],
    ]);
    await postgres.resume();
    await postgres.ask('postgres', `ALTER ROLE ${USER} PASSWORD '${PASSWORD}'`);
    return postgres;
  }

  /** Starts it on its files and its port; resolves when it answers. */
  async resume(): Promise<void> {
    const child = spawn(
      join(VERSIONS, version ?? '', 'bin', 'postgres'),
      [
        ...['-D', join(this.#folder, 'data'), '-p', String(this.port), '-h', '127.0.0.1'],
        ...['-k', this.#folder, '-c', 'fsync=on', '-c', 'shared_buffers=32MB', '-c', 'max_connections=60'],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], ...ownIds() },
    );
    this.#child = child;
    const ready = Promise.withResolvers<void>();
    child.stderr.on('data', (chunk: Buffer) => {
      this.#log += chunk.toString('utf8');
      if (chunk.includes('ready to accept connections')) ready.resolve();
    });
    child.once('exit', () => {
      ready.reject(new Error(`PostgreSQL ended:\n${this.#log}`));
    });
    await ready.promise;
  }

  /** As if its power had been cut. */
  async cut(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGQUIT');
    await ended;
  }

  /** An empty database of its own. */
  async database(): Promise<string> {
    const name = `t${randomBytes(6).toString('hex')}`;
    await this.ask('postgres', `CREATE DATABASE ${name}`);
    return this.#urlOf(name);
  }

  /** A database whose tables lie in this folder, which is empty. */
  async databaseIn(folder: string): Promise<string> {
    const { uid, gid } = ownIds();
    if (uid !== undefined && gid !== undefined) await chown(folder, uid, gid);
    const name = `s${randomBytes(6).toString('hex')}`;
    await this.ask('postgres', `CREATE TABLESPACE ${name} LOCATION '${folder}'`);
    await this.ask('postgres', `CREATE DATABASE ${name} TABLESPACE ${name}`);
    return this.#urlOf(name);
  }

  #urlOf(name: string): string {
    return `postgresql://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.port}/${name}`;
  }

  /** Runs a statement in a database, given by name or URL. */
  async ask<Row extends object>(database: string, sql: string): Promise<Row[]> {
    const url = database.includes('/') ? database : `postgresql://${USER}@127.0.0.1:${this.port}/${database}`;
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #run(program: string, args: readonly string[]): void {
    execFileSync(join(VERSIONS, version ?? '', 'bin', program), args, { stdio: 'pipe', ...ownIds() });
  }
}

/** An engine of the IM Server's store. */
export interface Engine {
  readonly name: string;
  /** Within `ENGINE_START_MS`, before the first test. */
  readonly start: () => Promise<void>;
  /** Key `storage` of a configuration, with nothing in it yet. */
  readonly storage: () => Promise<Readonly<Record<string, unknown>> | undefined>;
  readonly stop: () => Promise<void>;
}

/** Making its files and starting it, on a machine that is busy. */
export const ENGINE_START_MS = 60_000;
let started: Postgres | undefined;

/** What is the same on both. */
export const ENGINES: readonly Engine[] = [
  {
    name: 'SQLite',
    start: () => Promise.resolve(),
    storage: () => Promise.resolve(undefined),
    stop: () => Promise.resolve(),
  },
  ...(postgresMissing === undefined
    ? [
        {
          name: 'PostgreSQL',
          start: async () => {
            started = await Postgres.start();
          },
          storage: async () => ({ engine: 'postgresql', url: await started?.database() }),
          stop: async () => {
            await started?.[Symbol.asyncDispose]();
            started = undefined;
          },
        },
      ]
    : []),
];
