/** What lies in build/deploy for whoever runs an IM Server: each path, port and name in it is one that there is. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { SERVER_FLAGS } from '../../build/server-flags.mjs';
import { readConfig } from '../../main/imserver/config-sources.ts';
import { Authority, hasOpenssl } from '../support/certificates.ts';
import { RawDevice } from '../support/raw-device.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const DEPLOY = join(ROOT, 'build/deploy');
const UNIT = join(DEPLOY, 'parley-imserver.service');

const missing = hasOpenssl() ? undefined : 'openssl is not installed: the unit is not started';
if (missing !== undefined) console.log(`skipped: ${missing}`);
const noSystemd = spawnSync('systemd-analyze', ['--version']).error !== undefined;
if (noSystemd) console.log('skipped: systemd-analyze is not installed: the unit is not verified');

interface Service {
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks?: Readonly<Record<string, { readonly ipv4_address?: string }>>;
  readonly depends_on?: readonly string[] | Readonly<Record<string, unknown>>;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: {
    readonly inner: { readonly ipam: { readonly config: readonly { gateway: string }[] } };
  };
}

/** Values of a key of the unit, in their order. */
async function unitValues(key: string): Promise<string[]> {
  const lines = (await readFile(UNIT, 'utf8')).split('\n');
  return lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1));
}

describe.skipIf(missing !== undefined)('the systemd unit', () => {
  let folder: string;
  let child: ChildProcess | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-unit-'));
  });
  afterEach(async () => {
    child?.kill('SIGKILL');
    await rm(folder, { recursive: true });
  });

  /** Where things lie on this machine instead of on an installed one. */
  const placed = (text: string) =>
    text
      .replaceAll('/usr/bin/node', process.execPath)
      .replaceAll('/opt/parley', ROOT)
      .replaceAll('/etc/parley', folder)
      .replaceAll('/var/lib/parley-imserver', join(folder, 'data'));

  it('starts with its command, configuration and environment, reloads, drains and stops', async () => {
    const { cert, key } = new Authority('Unit CA').issue({ names: ['DNS:chat.example.org'] });
    await writeFile(join(folder, 'imserver-cert.pem'), cert);
    await writeFile(join(folder, 'imserver-key.pem'), key);
    await writeFile(
      join(folder, 'imserver.json'),
      placed(await readFile(join(DEPLOY, 'imserver.json'), 'utf8')),
    );
    // As in the unit's environment file: what is this machine's own goes over the configuration.
    const variables = ['PORT', 'TLS_PORT', 'RELAY_PORT', 'METRICS_PORT'].map((name) => [
      `PARLEY_IMSERVER_${name}`,
      '0',
    ]);
    await writeFile(
      join(folder, 'imserver.env'),
      variables.map(([name, value]) => `${name}=${value}\n`).join(''),
    );
    const [file = ''] = await unitValues('EnvironmentFile');
    const environment = Object.fromEntries(
      (await readFile(placed(file.replace(/^-/, '')), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => line.split('=') as [string, string]),
    );
    const [start = ''] = await unitValues('ExecStart');
    const run = (command: string) => {
      const [program = '', ...args] = placed(command.replace(/^-/, '')).split(' ');
      return spawn(program, args, { cwd: '/', env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    };
    child = run(start);
    let log = '';
    child.stderr?.on('data', (bytes: Buffer) => (log += bytes.toString()));
    const ended = once(child, 'exit');
    const [line] = (await Promise.race([
      once(createInterface({ input: child.stdout ?? process.stdin }), 'line'),
      ended.then(() => Promise.reject(new Error(log))),
    ])) as [string];
    const said = JSON.parse(line) as { sip: string[]; domain: string; relays: string[]; metrics: string };
    expect(said.domain).toBe('chat.example.org');
    expect(said.sip.map((uri) => uri.split('transport=')[1])).toEqual(['udp', 'tcp', 'tls']);
    expect(said.relays).toHaveLength(1);
    expect((await fetch(`${said.metrics}/readyz`)).status).toBe(200);
    await using device = await RawDevice.open('bob', Number(/:(\d+);/.exec(said.sip[0] ?? '')?.[1]));
    const asked = { uri: 'sip:chat.example.org', callId: 'options', cseq: 1 };
    expect((await device.transact('OPTIONS', asked)).status).toBe(200);
    const [reload = ''] = await unitValues('ExecReload');
    expect(reload).toBe('/bin/kill -HUP $MAINPID');
    child.kill('SIGHUP');
    const [stop = ''] = await unitValues('ExecStop');
    const drain = run(stop);
    expect(await once(drain, 'exit')).toEqual([0, null]);
    expect((await fetch(`${said.metrics}/readyz`)).status).toBe(503);
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(log).not.toContain('"error"');
  });

  it.skipIf(noSystemd)('is one that systemd takes without a word', () => {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', UNIT], { encoding: 'utf8' });
    // Whether this machine has the program at its place is no business of the unit's.
    const words = `${stdout}${stderr}`
      .split('\n')
      .filter((line) => line !== '' && !line.includes('/usr/bin/node'));
    expect(words).toEqual([]);
    expect([0, 1]).toContain(status);
  });
});

it('unit and compose file start Node as npm run imserver does', async () => {
  const flags = ` ${SERVER_FLAGS.join(' ')} `;
  expect(await unitValues('ExecStart')).toEqual([expect.stringContaining(flags)]);
  expect(await readFile(join(DEPLOY, 'compose.yaml'), 'utf8')).toContain(flags);
});

describe('the compose file', () => {
  const read = async () =>
    parse(await readFile(join(DEPLOY, 'compose.yaml'), 'utf8'), { merge: true }) as Compose;
  /** `${NAME:?}` is what whoever starts it has set. */
  const filled = (text: string) =>
    text.replace(/\$\{(CHAT_DOMAIN|DATABASE_PASSWORD):\?\}/g, 'chat.example.org');

  it('gives each node a configuration that it takes, on ports that are published', async () => {
    const { services } = await read();
    for (const name of ['node1', 'node2']) {
      const { environment = {}, ports = [], command = '' } = services[name] ?? {};
      const values = Object.entries(environment).map(([key, value]) => [key, filled(value)]);
      const config = await readConfig({}, Object.fromEntries(values) as Record<string, string>);
      expect(ports).toEqual([config.relay, config.rooms].map(({ port }) => `${port}:${port}`));
      expect([config.domain, config.storage.engine]).toEqual(['chat.example.org', 'postgresql']);
      expect(existsSync(join(ROOT, command.split(' ').at(-1) ?? ''))).toBe(true);
    }
  });

  it('names addresses, volumes, services and files that there are', async () => {
    const { services, volumes, networks } = await read();
    const addressOf = (name: string) => services[name]?.networks?.['inner']?.ipv4_address;
    const [inner] = networks.inner.ipam.config;
    const { PARLEY_IMSERVER_STORAGE_URL: url = '', PARLEY_IMSERVER_TRUSTEDFRONTS: front } =
      services['node1']?.environment ?? {};
    expect(url).toContain(`@${addressOf('database')}/`);
    // Kamailio has the network of the computer: nodes see it at the gateway.
    expect(front).toBe(inner?.gateway);
    const list = await readFile(join(DEPLOY, 'kamailio/dispatcher.list'), 'utf8');
    for (const name of ['node1', 'node2'])
      expect(list).toContain(`sip:${addressOf(name)}:5060;transport=tcp`);
    for (const { volumes: used = [], depends_on = [] } of Object.values(services)) {
      for (const volume of used) {
        const [from = ''] = volume.split(':');
        // Certificates are the administrator's own (step 1 at the top of the file).
        if (from.startsWith('./certs')) continue;
        if (from.startsWith('.')) expect(existsSync(join(DEPLOY, from)), from).toBe(true);
        else expect(Object.keys(volumes)).toContain(from);
      }
      const needed = Array.isArray(depends_on) ? depends_on : Object.keys(depends_on);
      for (const name of needed as string[]) expect(Object.keys(services)).toContain(name);
    }
  });
});

it.each(['imserver.json', 'imserver-node.json'])('%s is a configuration', async (name) => {
  const url = 'postgresql://parley:secret@10.0.0.20/parley';
  const environment = name === 'imserver-node.json' ? { PARLEY_IMSERVER_STORAGE_URL: url } : {};
  const config = await readConfig({ config: join(DEPLOY, name) }, environment);
  expect(config.data).toBe('/var/lib/parley-imserver');
});
