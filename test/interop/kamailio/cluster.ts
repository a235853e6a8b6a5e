/**
 * Owns: a whole installation on this machine: PostgreSQL, nodes of the IM Server as processes of their own, and Kamailio
 * with the files of build/deploy, in which only addresses and ports are filled in.
 * Called by: nodes.test.ts. Calls: support/postgres.ts, front.ts, main/imserver/main.ts.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { silentLog } from '../../../main/base/log.ts';
import { readConfig } from '../../../main/imserver/config-sources.ts';
import { openUsers } from '../../../main/imserver/imserver-store.ts';
import { Authority } from '../../support/certificates.ts';
import { keptPort } from '../../support/free-port.ts';
import { DOMAIN, passwordOf } from '../../support/im-world.ts';
import { Postgres } from '../../support/postgres.ts';
import { startFront } from './front.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

/** One node, which can be killed and started again on its port. */
export class ClusterNode {
  readonly port: number;
  readonly #config: string;
  #child: ChildProcess | undefined;
  /** What it has written to standard error. */
  log = '';

  constructor(config: string, port: number) {
    this.#config = config;
    this.port = port;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, ['main/imserver/main.ts', '--config', this.#config], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stderr.on('data', (chunk: Buffer) => (this.log += chunk.toString('utf8')));
    const ended = once(child, 'exit').then(() => {
      throw new Error(`the node ended:\n${this.log}`);
    });
    ended.catch(() => undefined);
    await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended]);
  }

  /** kill -9: it can say nothing to anybody. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}

/** Everything is up when it is there. */
export class Cluster implements AsyncDisposable {
  readonly postgres: Postgres;
  /** Of the nodes' database. */
  readonly url: string;
  readonly nodes: readonly ClusterNode[];
  readonly authority: Authority;
  readonly port: number;
  readonly tlsPort: number;
  readonly relayPort: number;
  /** What Kamailio has written. */
  readonly log: () => string;
  readonly #stop: () => Promise<void>;

  private constructor(
    parts: Omit<Cluster, 'uri' | 'tlsUri' | typeof Symbol.asyncDispose>,
    stop: () => Promise<void>,
  ) {
    this.postgres = parts.postgres;
    this.url = parts.url;
    this.nodes = parts.nodes;
    this.authority = parts.authority;
    this.port = parts.port;
    this.tlsPort = parts.tlsPort;
    this.relayPort = parts.relayPort;
    this.log = parts.log;
    this.#stop = stop;
  }

  /** `define`: words of local.cfg that are switched on. */
  static async start(users: readonly string[], options: { nodes?: number; define?: readonly string[] } = {}) {
    await using started = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), 'parley-cluster-'));
    started.defer(() => rm(folder, { recursive: true, force: true }));
    const postgres = started.use(await Postgres.start());
    const url = await postgres.database();
    const nodes: ClusterNode[] = [];
    const configs: string[] = [];
    for (let index = 0; index < (options.nodes ?? 2); index++) {
      const port = await keptPort();
      const file = join(folder, `node-${index}.json`);
      const data = join(folder, `node-${index}`);
      await mkdir(data);
      const storage = { engine: 'postgresql', url };
      const trustedFronts = ['127.0.0.1'];
      const config = { domain: DOMAIN, port, data, storage, trustedFronts, rooms: { plain: true } };
      await writeFile(file, JSON.stringify(config));
      configs.push(file);
      const node = new ClusterNode(file, port);
      started.defer(() => node.kill());
      nodes.push(node);
    }
    // Both at once: one of them makes the schema.
    await Promise.all(nodes.map((node) => node.start()));
    const [first, ...others] = users;
    const [config] = configs;
    if (config !== undefined && first !== undefined) {
      await addUser(config, first);
      await using opened = await openUsers(await readConfig({ config }, {}), silentLog);
      for (const user of others) await opened.users.add(user, passwordOf(user));
    }
    const authority = new Authority('Cluster CA');
    const front = started.use(
      await startFront({
        domain: DOMAIN,
        certificate: authority.issue({ names: [`DNS:${DOMAIN}`, 'DNS:localhost', 'IP:127.0.0.1'] }),
        nodes: nodes.map(({ port }) => port),
        usersDatabase: url.replace('postgresql:', 'postgres:'),
        define: options.define,
      }),
    );
    const { port, tlsPort, relayPort, log } = front;
    const all = started.move();
    return new Cluster({ postgres, url, nodes, authority, port, tlsPort, relayPort, log }, () =>
      all.disposeAsync(),
    );
  }

  get uri(): string {
    return `sip:127.0.0.1:${this.port};transport=tcp`;
  }

  get tlsUri(): string {
    return `sip:127.0.0.1:${this.tlsPort};transport=tls`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }
}

/** With the command that an administrator has. */
async function addUser(config: string, user: string): Promise<void> {
  const child = spawn(
    process.execPath,
    ['main/imserver/main.ts', 'user', 'add', user, '--password', passwordOf(user), '--config', config],
    { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${user} was not added`);
}
