import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { hasOpenssl, selfSigned } from '../../support/certificates.ts';
import { ControlPeer } from '../../support/control-peer.ts';
import { SipPeer } from '../../support/sip-peer.ts';

const MAIN = fileURLToPath(new URL('../../../main/sip/engine/main.ts', import.meta.url));

function start(...args: string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [MAIN, ...args], { stdio: 'pipe' });
}

async function outcome(
  child: ChildProcessWithoutNullStreams,
): Promise<{ code: number | null; errors: string }> {
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.stdout.resume();
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, errors };
}

interface Ready {
  admin: { host: string; port: number };
  sip: { transport: string; host: string; port: number }[];
}

describe('the engine alone', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('says where it is, serves, and ends with %s', async (signal) => {
    const child = start('--secret', 's', '--admin', '127.0.0.1:0', '--sip', '127.0.0.1:0');
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const ready = JSON.parse(line) as Ready;
    const port = ready.sip[0]?.port ?? 0;
    expect(ready.sip).toEqual([
      { transport: 'tcp', host: '127.0.0.1', port },
      { transport: 'udp', host: '127.0.0.1', port },
    ]);
    using app = await ControlPeer.open(ready.admin, 's', ['options']);
    await using peer = await SipPeer.udp();
    await using stream = await SipPeer.tcp(port);
    await stream.fence(0);
    await peer.send(peer.build('OPTIONS'), port);
    await app.respond((await app.sip('OPTIONS')).transactionId, 200);
    await peer.response(200, 'OPTIONS');
    child.kill(signal);
    expect(await outcome(child)).toEqual({ code: 0, errors: '' });
  });

  it.each([
    [[], '--secret is missing'],
    [['--secret', 'a|b'], '--secret must not contain'],
    [['--secret', 's', '--sip', 'nowhere'], '--sip takes HOST:PORT, not nowhere'],
    [['--secret', 's', '--admin', '127.0.0.1:70000'], '--admin takes HOST:PORT'],
    [['--secret', 's', '--log', 'loud'], '--log takes'],
    [['--secret', 's', '--tls', '127.0.0.1:0'], '--tls needs --cert and --key'],
    [['--secret', 's', '--cert', 'x'], '--cert and --key belong together'],
    [['--secret', 's', '--ca', '/no/such/file'], '--ca: ENOENT'],
    [['--what'], '--what'],
  ])('%j is a usage error', async (args, text) => {
    const { code, errors } = await outcome(start(...args));
    expect(code).toBe(2);
    expect(errors).toContain(text);
  });

  it.skipIf(!hasOpenssl())('speaks TLS with --tls, --cert and --key', async () => {
    const { cert, key } = selfSigned(['IP:127.0.0.1']);
    const folder = await mkdtemp(join(tmpdir(), 'engine-'));
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    await writeFile(certFile, cert);
    await writeFile(keyFile, key);
    const places = ['--admin', '127.0.0.1:0', '--sip', '127.0.0.1:0', '--tls', '127.0.0.1:0'];
    const child = start('--secret', 's', ...places, '--cert', certFile, '--key', keyFile, '--ca', certFile);
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { sip } = JSON.parse(line) as Ready;
    const tls = sip.find(({ transport }) => transport === 'tls');
    await using peer = await SipPeer.tls(tls?.port ?? 0, { ca: cert, rejectUnauthorized: true });
    await peer.fence(0);
    child.kill('SIGTERM');
    expect(await outcome(child)).toEqual({ code: 0, errors: '' });
    await rm(folder, { recursive: true });
  });

  it('a port in use is said in one line', async () => {
    await using taken = await SipPeer.tcpListener();
    const { code, errors } = await outcome(
      start('--secret', 's', '--admin', '127.0.0.1:0', '--sip', `127.0.0.1:${taken.port}`),
    );
    expect(code).toBe(1);
    expect(errors).toMatch(/^cannot run: .*EADDRINUSE.*\n$/);
  });
});
