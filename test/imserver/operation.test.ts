/** How a server is run: its configuration, its commands, its figures; over its socket, its port and as a process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../main/base/log.ts';
import { askServer } from '../../main/imserver/control-client.ts';
import { ControlServer } from '../../main/imserver/control-server.ts';
import { Authority } from '../support/certificates.ts';
import { checkServerConfig } from '../../main/imserver/server-config.ts';
import { runUserCommand } from '../../main/imserver/user-commands.ts';
import { DOMAIN, openPair, World } from '../support/im-world.ts';
import { RawDevice } from '../support/raw-device.ts';
import { RoomPeer } from '../support/room-peer.ts';

const MAIN = fileURLToPath(new URL('../../main/imserver/main.ts', import.meta.url));

/** Every sample by its name with labels; fails on a line that Prometheus could not read. */
function readMetrics(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || /^# (HELP [a-z_]+ \S.*|TYPE [a-z_]+ (gauge|counter|histogram))$/.test(line)) continue;
    const [, name = '', value] = /^([a-z_]+(?:\{(?:[a-z]+="[^"]*",?)+\})?) ([0-9.e+-]+)$/.exec(line) ?? [];
    expect(name, line).not.toBe('');
    samples.set(name, Number(value));
  }
  return samples;
}

describe('a server in use', () => {
  let world: World;
  let control: ControlServer;
  let data: string;
  beforeAll(async () => {
    world = await World.open(['bob', 'tom', 'eve']);
    data = join(world.folder, 'imserver');
    control = await ControlServer.open({
      server: world.server,
      data,
      metrics: { host: '127.0.0.1', port: 0 },
      log: silentLog,
      reload: () => Promise.resolve({ applied: [], needsRestart: [] }),
    });
  });
  afterAll(async () => {
    await control[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  const fetchText = async (path: string) => {
    const response = await fetch(`${control.metricsUrl}${path}`);
    return { status: response.status, text: await response.text() };
  };

  it('tells who talks, drains without cutting anybody off, and counts', async () => {
    const { bob, tom, ofBob, ofTom } = await openPair(world);
    await bob.becomes(await bob.send(ofBob, 'hello'), 'delivered', 'displayed');
    expect(await askServer(data, 'GET', '/sessions')).toMatchObject([
      { caller: 'bob', called: 'tom', state: 'open' },
    ]);
    expect(await fetchText('/readyz')).toEqual({ status: 200, text: 'ok\n' });
    const before = readMetrics((await fetchText('/metrics')).text);
    expect(before.get('imserver_sessions')).toBe(1);
    expect(before.get('imserver_users_online')).toBe(2);
    expect(before.get('imserver_session_setup_seconds_count')).toBe(1);
    expect(before.get('imserver_session_setup_seconds_bucket{le="+Inf"}')).toBe(1);
    expect(before.get('imserver_request_seconds_count{method="REGISTER"}')).toBeGreaterThanOrEqual(4);
    expect(before.get('imserver_relay_places')).toBe(0);

    expect(await askServer(data, 'POST', '/drain')).toEqual({ draining: true, sessions: 1 });
    expect(await fetchText('/readyz')).toEqual({ status: 503, text: 'draining\n' });
    expect((await fetchText('/healthz')).status).toBe(200);
    // Whoever talks goes on; what somebody would begin with waits with him.
    await tom.becomes(await tom.send(ofTom, 'still here'), 'delivered', 'displayed');
    const eve = await world.join('eve');
    const ofEve = await eve.meet('tom');
    await tom.meet('eve');
    const early = await eve.send(ofEve, 'are you there?');
    await eve.session(ofEve, 'ended');
    const { id } = await bob.session(ofBob, 'open');
    await bob.commands['session.end']({ sessionId: id });
    await bob.session(ofBob, 'ended');
    expect(await askServer(data, 'GET', '/sessions')).toEqual([]);
    expect(await askServer(data, 'POST', '/resume')).toEqual({ draining: false, sessions: 0 });
    await bob.becomes(await bob.send(ofBob, 'again'), 'delivered', 'displayed');
    await eve.becomes(early, 'delivered', 'displayed', 'waiting');
    expect(
      readMetrics((await fetchText('/metrics')).text).get('imserver_sessions_started_total'),
    ).toBeGreaterThanOrEqual(2);
  });

  it('makes, lists and closes rooms; a user cannot be called like one', async () => {
    expect(await askServer(data, 'POST', '/rooms?name=kitchen&title=The+Kitchen')).toEqual({
      room: `kitchen@${DOMAIN}`,
      title: 'The Kitchen',
    });
    const ann = world.own(await RawDevice.join('eve', world.port));
    const answer = await RoomPeer.call(ann, `sip:kitchen@${DOMAIN}`);
    // Without TLS nobody talks there unless the configuration says so.
    expect(answer.status).toBe(488);
    expect(await askServer(data, 'GET', '/rooms')).toMatchObject([
      { room: `kitchen@${DOMAIN}`, title: 'The Kitchen', named: true, owner: null, members: 0 },
    ]);
    const config = checkServerConfig({ domain: DOMAIN, data }, 'test');
    const add = (user: string) =>
      runUserCommand(['add', user], config, { password: 'x', say: () => undefined });
    await expect(add('kitchen')).rejects.toThrow('There is a chat room "kitchen"');
    await expect(add('conference-factory')).rejects.toThrow('reserved');
    await expect(askServer(data, 'POST', '/rooms?name=bob')).rejects.toThrow('Somebody has this address');
    const samples = readMetrics((await fetchText('/metrics')).text);
    expect(samples.get('imserver_rooms')).toBe(1);
    expect(samples.get('imserver_room_messages_total{outcome="stored"}')).toBe(0);
    expect(await askServer(data, 'POST', '/rooms/remove?name=kitchen')).toEqual({});
    expect(await askServer(data, 'GET', '/rooms')).toEqual([]);
    await expect(askServer(data, 'POST', '/rooms/remove?name=kitchen')).rejects.toThrow('no room');
  });

  it('only its own user can ask, and over the port nobody commands', async () => {
    const { socket } = JSON.parse(await readFile(join(data, 'control.json'), 'utf8')) as { socket: string };
    expect((await stat(socket)).mode & 0o777).toBe(0o600);
    expect((await stat(join(data, 'control.json'))).mode & 0o777).toBe(0o600);
    for (const [method, path] of [
      ['POST', '/drain'],
      ['GET', '/sessions'],
      ['POST', '/metrics'],
    ] as const) {
      expect((await fetch(`${control.metricsUrl}${path}`, { method })).status, path).toBe(404);
    }
    const page = await fetch(`${control.metricsUrl}/metrics`, { headers: { Origin: 'http://evil.example' } });
    expect(page.status).toBe(404);
    expect(world.server.draining).toBe(false);
  });
});

describe('the program', () => {
  let folder: string;
  const running: { kill: () => Promise<number | null> }[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-operation-'));
  });
  afterEach(async () => {
    for (const program of running.splice(0)) await program.kill();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs it to its end; `input` is what comes over standard input. */
  async function run(args: readonly string[], { env = {}, input = '' } = {}) {
    const child = spawn(process.execPath, [MAIN, '--data', join(folder, 'data'), ...args], {
      env: { ...process.env, ...env },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (piece: Buffer) => (stdout += piece.toString()));
    child.stderr.on('data', (piece: Buffer) => (stderr += piece.toString()));
    child.stdin.end(input);
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stdout, stderr };
  }

  /** Starts it; resolves with its line when it is ready. */
  async function start(args: readonly string[]) {
    const child = spawn(process.execPath, [MAIN, '--data', join(folder, 'data'), ...args]);
    const exited = once(child, 'exit') as Promise<[number | null]>;
    const log: string[] = [];
    child.stderr.on('data', (piece: Buffer) => log.push(piece.toString()));
    const ready = await new Promise<string>((resolve, reject) => {
      child.stdout.once('data', (piece: Buffer) => resolve(piece.toString()));
      void exited.then(() => reject(new Error(log.join(''))));
    });
    const kill = async (signal: NodeJS.Signals = 'SIGTERM') => {
      child.kill(signal);
      return (await exited)[0];
    };
    running.push({ kill });
    const { sip, metrics } = JSON.parse(ready) as { sip: string[]; metrics: string };
    const port = (uri = '') => Number(/:(\d+);/.exec(uri)?.[1]);
    const tls = port(sip.find((uri) => uri.endsWith('transport=tls')));
    return { child, log, kill, port: port(sip[0]), tls, metrics };
  }

  it('check says every mistake with its place, and where a value came from', async () => {
    const file = join(folder, 'bad.json');
    await writeFile(
      file,
      JSON.stringify({
        $schema: './schema.json',
        domain: 'localhost',
        relay: { port: 'x', nmae: 'a' },
        prot: 1,
      }),
    );
    const bad = await run(['check', '--config', file]);
    expect([bad.code, bad.stdout]).toEqual([1, '']);
    for (const place of ['domain', 'relay.port', 'relay.nmae', 'prot']) {
      expect(bad.stderr).toContain(`\n  ${place}: `);
    }
    expect(bad.stderr).not.toContain('schema');
    const env = { PARLEY_IMSERVER_RELAY_PORT: '2855', PARLEY_IMSERVER_DIGEST: 'MD5, SHA-256' };
    const good = await run(['check', '--port', '5060'], { env });
    expect(good.stderr).toBe('');
    expect(JSON.parse(good.stdout)).toMatchObject({
      port: 5060,
      relay: { port: 2855, enabled: true },
      digest: ['MD5', 'SHA-256'],
    });
    const onDrachtio = await run(['check'], { env: { PARLEY_IMSERVER_DRACHTIO_SECRET: 'do not tell' } });
    expect(JSON.parse(onDrachtio.stdout)).toMatchObject({ drachtio: { port: 9_022 } });
    expect(onDrachtio.stdout).not.toContain('do not tell');
    const schema = JSON.parse((await run(['schema'])).stdout) as {
      additionalProperties: boolean;
      properties: Record<string, { properties?: Record<string, unknown> }>;
    };
    expect(schema.additionalProperties).toBe(false);
    const keys = Object.keys(JSON.parse(good.stdout) as object);
    expect(Object.keys(schema.properties).sort()).toEqual([...keys, 'tls', 'metrics', 'drachtio'].sort());
    expect(schema.properties['relay']?.properties?.['port']).toEqual({
      type: 'integer',
      minimum: 0,
      maximum: 65_535,
      default: 0,
    });
    const typo = await run(['check'], { env: { PARLEY_IMSERVER_PROT: '1' } });
    expect([typo.code, typo.stderr.startsWith('PARLEY_IMSERVER_PROT: there is no such variable')]).toEqual([
      1,
      true,
    ]);
    const gone = await run(['check'], {
      env: { PARLEY_IMSERVER_TLS_CERT: '/no/cert.pem', PARLEY_IMSERVER_TLS_KEY: '/no/key.pem' },
    });
    expect(gone.stderr).toMatch(/^tls: \/no\/cert\.pem cannot be read/);
  });

  it('users are added, disabled and removed while it runs: who is out is signed off at once', async () => {
    expect((await run(['user', 'add', 'tom', '--password-stdin'], { input: 'secret of tom\n' })).code).toBe(
      0,
    );
    const made = JSON.parse((await run(['user', 'add', 'bob'])).stdout) as { password: string };
    expect(made.password).toMatch(/^\S{12}$/);
    const server = await start(['--config', await writeConfig({})]);
    const registrations = async () =>
      readMetrics(await (await fetch(`${server.metrics}/metrics`)).text()).get('imserver_registrations');
    await using tom = await RawDevice.open('tom', server.port);
    expect((await tom.register()).status).toBe(200);
    expect(await registrations()).toBe(1);
    expect((await run(['user', 'disable', 'tom'])).stderr).toBe('');
    expect(await registrations()).toBe(0);
    expect((await tom.register()).status).toBe(401);
    expect((await run(['user', 'list'])).stdout).toContain('tom@chat.home.arpa\t\tdisabled');
    await run(['user', 'enable', 'tom']);
    expect((await tom.register()).status).toBe(200);
    expect(await run(['user', 'passwd', 'nobody'])).toMatchObject({
      code: 1,
      stderr: 'There is no user "nobody".\n',
    });
    // A second one on the same folder would fight over it.
    expect((await run([])).stderr).toMatch(/^A server runs on .* already\./);
    expect(await server.kill()).toBe(0);
    expect(await run(['sessions'])).toMatchObject({
      code: 1,
      stderr: `No server runs on ${join(folder, 'data')}.\n`,
    });
  });

  it('SIGHUP takes up a new certificate and log level, says what has to wait, and drops nobody', async () => {
    const authority = new Authority('Operation CA');
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    const renew = async () => {
      const { cert, key } = authority.issue({ names: ['IP:127.0.0.1'] });
      await Promise.all([writeFile(files.cert, cert), writeFile(files.key, key)]);
      return cert;
    };
    const shown = async (port: number) => {
      const socket = connectTls({ port, host: '127.0.0.1', ca: [authority.cert] });
      await once(socket, 'secureConnect');
      const { raw } = socket.getPeerCertificate();
      socket.destroy();
      return raw.toString('base64');
    };
    const bodyOf = (pem: string) => pem.replaceAll(/-----[^-]+-----|\s/g, '');
    await run(['user', 'add', 'tom', '--password', 'secret of tom']);
    const first = await renew();
    const config = await writeConfig({ tls: { ...files, port: 0 } });
    const server = await start(['--config', config]);
    await using tom = await RawDevice.open('tom', server.port);
    expect((await tom.register()).status).toBe(200);
    expect(await shown(server.tls)).toBe(bodyOf(first));
    const second = await renew();
    await writeConfig({ tls: { ...files, port: 0 }, log: 'info', port: 1 });
    expect(JSON.parse((await run(['reload'])).stdout)).toEqual({ applied: ['log'], needsRestart: ['port'] });
    expect(await shown(server.tls)).toBe(bodyOf(second));
    // What is wrong is said, and the server goes on with what it has.
    await writeFile(config, '{"log": "loud"}');
    const told = once(server.child.stderr, 'data') as Promise<[Buffer]>;
    server.child.kill('SIGHUP');
    expect((await told).toString()).toMatch(/imserver\.not-reloaded.*log: /s);
    expect((await tom.register()).status).toBe(200);
    expect((await fetch(`${server.metrics}/readyz`)).status).toBe(200);
  });

  async function writeConfig(more: object): Promise<string> {
    const path = join(folder, 'imserver.json');
    await writeFile(path, JSON.stringify({ metrics: {}, ...more }));
    return path;
  }
});
