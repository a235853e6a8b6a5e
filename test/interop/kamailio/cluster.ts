/**
 * Owns: a whole installation on this machine: PostgreSQL, nodes of the IM Server as processes of their own, and Kamailio
 * with the files of build/deploy, in which only addresses and ports are filled in.
 * Called by: nodes.test.ts. Calls: support/postgres.ts, kamailio.ts, main/imserver/main.ts.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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
import { MODULES, runKamailio } from './kamailio.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const DEPLOY = join(ROOT, 'build/deploy/kamailio');

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
    const [port, tlsPort, inner, relayPort] = [
      await keptPort(),
      await keptPort(),
      await keptPort(),
      await keptPort(),
    ];
    const kamailio = started.use(
      await runKamailio(
        port,
        authority.issue({ names: [`DNS:${DOMAIN}`, 'DNS:localhost', 'IP:127.0.0.1'] }),
        (place) => `include_file "${place}/kamailio.cfg"\n`,
        async (place) => {
          const list = nodes.map((node) => `1 sip:127.0.0.1:${node.port};transport=tcp\n`).join('');
          await writeFile(join(place, 'dispatcher.list'), list);
          await writeFile(join(place, 'kamailio.cfg'), await readFile(join(DEPLOY, 'kamailio.cfg')));
          const local = fillIn(await readFile(join(DEPLOY, 'local.cfg'), 'utf8'), {
            CHAT_DOMAIN: DOMAIN,
            EDGE_ADDRESS: '127.0.0.1',
            EDGE_PORT: String(port),
            EDGE_TLS_PORT: String(tlsPort),
            TLS_CERTIFICATE: `${place}/cert.pem`,
            TLS_KEY: `${place}/key.pem`,
            INNER_ADDRESS: '127.0.0.1',
            INNER_PORT: String(inner),
            MODULE_FOLDER: `${MODULES}/`,
            DISPATCHER_LIST: `${place}/dispatcher.list`,
            USERS_DATABASE: url.replace('postgresql:', 'postgres:'),
            MSRP_RELAY_PORT: String(relayPort),
            MSRP_RELAY_NAME: '127.0.0.1',
          });
          const words = (options.define ?? []).map((word) => `#!define ${word}\n`);
          await writeFile(join(place, 'local.cfg'), [...words, local].join(''));
        },
      ),
    );
    const all = started.move();
    return new Cluster({ postgres, url, nodes, authority, port, tlsPort, relayPort, log: kamailio.log }, () =>
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

/** Each value stands in a line of its own; one that is missing there would be a mistake in the file. */
function fillIn(text: string, values: Readonly<Record<string, string>>): string {
  return Object.entries(values).reduce((filled, [name, value]) => {
    const line = new RegExp(`^(#!substdef "!${name}!)[^!]*(!g")$`, 'm');
    if (!line.test(filled)) throw new Error(`local.cfg has no ${name}`);
    return filled.replace(line, (_all, before: string, after: string) => `${before}${value}${after}`);
  }, text);
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
