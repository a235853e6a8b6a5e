import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConnectionReport } from '../../shared/domain/connection-report.ts';
import { hasOpenssl, selfSigned } from '../support/certificates.ts';
import { DOMAIN, passwordOf, World, type Person } from '../support/im-world.ts';
import { MsrpPeerListener } from '../support/msrp-peer.ts';

let world: World;
let bob: Person;
beforeEach(async () => {
  world = await World.open(['bob']);
  bob = await world.openPerson('bob');
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const form = (
  server: string,
  password = passwordOf('bob'),
  transport: 'auto' | 'tls' | 'tcp' | 'udp' = 'auto',
) => ({
  address: `bob@${DOMAIN}`,
  password,
  server,
  transport,
  proxies: [],
});
const outcomes = ({ steps }: ConnectionReport) => steps.map(({ step, outcome }) => `${step}: ${outcome}`);
const detail = ({ steps }: ConnectionReport, wanted: string) =>
  steps.find(({ step }) => step === wanted)?.detail ?? '';

describe('the connection report', () => {
  it('of what a form has: every step in order, and nothing is registered (RFC 3261 §10.2.3)', async () => {
    const report = await bob.commands['account.diagnose'](form(`127.0.0.1:${world.port}`));
    expect(outcomes(report)).toEqual([
      'name: skipped',
      'address: ok',
      'connect: ok',
      'tls: skipped',
      'challenge: ok',
      'registration: ok',
      'messages-in: ok',
      'messages-out: ok',
    ]);
    expect(detail(report, 'challenge')).toContain(`${DOMAIN}: SHA-256, MD5`);
    expect(detail(report, 'messages-in')).toContain('cannot be tested from here');
    expect(world.server.registrar.isOnline('bob')).toBe(false);
    expect(world.wire.map(({ text }) => text).join('')).not.toContain(passwordOf('bob'));
  });

  it('looks at the listener as a peer over TLS would, and at the relay', async () => {
    await using relay = await MsrpPeerListener.listen();
    await bob.commands['settings.set']({
      key: 'messages.relays',
      value: [relay.path.replace('/listener', '')],
    });
    const asked = bob.commands['account.diagnose'](form(`127.0.0.1:${world.port}`));
    const peer = await relay.accept();
    const auth = await peer.frame();
    expect(auth.kind).toBe('AUTH');
    peer.send(
      `MSRP ${auth.id} 200 OK\r\nTo-Path: ${auth.headers.get('From-Path')!}\r\nFrom-Path: ${auth.headers.get('To-Path')!}\r\nUse-Path: msrps://r.example:1/x;tcp\r\n-------${auth.id}$\r\n`,
    );
    const report = await asked;
    expect(detail(report, 'messages-in')).toContain('for encrypted messages (TLSv1.3) as well');
    expect(detail(report, 'messages-out')).toContain('The relay 127.0.0.1 lets you in.');
  });

  it('only through a relay, and none is known: says so', async () => {
    await bob.commands['settings.set']({ key: 'messages.path', value: 'relay' });
    const report = await bob.commands['account.diagnose'](form(`127.0.0.1:${world.port}`));
    expect(outcomes(report)).toContain('messages-out: failed');
    expect(detail(report, 'messages-out')).toBe('No relay lets you in: no relay is known.');
  });

  it('of a running account: its registration stays as it is', async () => {
    await bob.signIn(world.uri);
    const before = world.server.registrar.devicesOf('bob').map(({ contact }) => contact);
    const { id } = await bob.account();
    const report = await bob.commands['account.diagnose']({ accountId: id });
    expect(outcomes(report).filter((outcome) => outcome.endsWith('failed'))).toEqual([]);
    expect(world.server.registrar.devicesOf('bob').map(({ contact }) => contact)).toEqual(before);
    expect((await bob.account()).connection.status).toBe('online');
  });

  it('over UDP: what cannot be tested is said', async () => {
    const report = await bob.commands['account.diagnose'](
      form(`127.0.0.1:${world.port}`, passwordOf('bob'), 'udp'),
    );
    expect(outcomes(report)).toContain('connect: skipped');
    expect(outcomes(report)).toContain('registration: ok');
    expect(outcomes(report)).toContain('messages-out: skipped');
  });

  it('says that the password is wrong', async () => {
    const report = await bob.commands['account.diagnose'](form(`127.0.0.1:${world.port}`, 'wrong'));
    expect(outcomes(report).slice(4, 7)).toEqual([
      'challenge: ok',
      'registration: failed',
      'messages-in: skipped',
    ]);
    expect(detail(report, 'registration')).toContain('password');
    expect(detail(report, 'registration')).not.toContain('wrong');
  });

  it('says that nobody listens, on which transports, and what to look at', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((done) => server.close(done));
    const report = await bob.commands['account.diagnose'](form(`127.0.0.1:${port}`, 'x', 'tcp'));
    expect(outcomes(report).slice(1, 4)).toEqual(['address: ok', 'connect: failed', 'tls: skipped']);
    expect(detail(report, 'connect')).toBe(
      `connection to 127.0.0.1:${port} refused. Check server, port and firewall.`,
    );
  });

  it('says that a name does not exist', async () => {
    const report = await bob.commands['account.diagnose'](form('nobody.invalid:5060'));
    expect(outcomes(report).slice(0, 2)).toEqual(['name: failed', 'address: skipped']);
    expect(detail(report, 'name')).toContain('nobody.invalid was not found');
  });

  it.runIf(hasOpenssl())('shows a certificate that is not trusted, and stops there (RFC 5922)', async () => {
    const server = createTlsServer(selfSigned(['DNS:other.example.org']), (socket) =>
      socket.on('error', () => 0),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const report = await bob.commands['account.diagnose'](form(`127.0.0.1:${port}`, 'x', 'tls'));
    expect(outcomes(report).slice(2, 5)).toEqual(['connect: ok', 'tls: failed', 'challenge: skipped']);
    expect(detail(report, 'tls')).toMatch(
      /self-signed.*certificate for DNS:other\.example\.org.*valid until/,
    );
    // And the account itself does not go there without encryption instead.
    await bob.commands['account.add']({ ...form(`127.0.0.1:${port}`, 'x', 'tls'), displayName: '' });
    await bob.until('refused', async () => (await bob.account()).connection.status === 'refused');
    const { connection } = await bob.account();
    expect(connection).toMatchObject({ status: 'refused', code: 'certificate' });
    await new Promise((done) => server.close(done));
  });

  it(
    'a server that takes the connection and says nothing: over within twenty seconds',
    { timeout: 30_000 },
    async () => {
      const server = createServer((socket) => socket.on('error', () => 0).resume()).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const beganMs = performance.now();
      const report = await bob.commands['account.diagnose'](form(`127.0.0.1:${port}`, 'x', 'tcp'));
      expect(performance.now() - beganMs).toBeLessThan(20_000);
      expect(outcomes(report)).toContain('challenge: failed');
      expect(detail(report, 'challenge')).toContain('right server and port');
      await new Promise((done) => {
        server.close(done);
      });
    },
  );
});
