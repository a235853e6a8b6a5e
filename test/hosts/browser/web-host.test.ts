/**
 * The loopback server against everything else on this computer: pages of other sites, other programs, odd requests.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../main/base/log.ts';
import { ApiServer } from '../../../main/hosts/api-server.ts';
import { BrowserAccess } from '../../../main/hosts/browser/access.ts';
import { WebHost } from '../../../main/hosts/browser/web-host.ts';
import type { Commands } from '../../../main/messenger/commands.ts';
import { Feed } from '../../../main/messenger/feed.ts';

let folder: string;
let host: WebHost;
let feed: Feed;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-web-'));
  await mkdir(join(folder, 'window', 'assets'), { recursive: true });
  await writeFile(join(folder, 'window', 'index.html'), '<title>Parley</title>');
  await writeFile(join(folder, 'window', 'assets', 'app-1234.js'), 'run()');
  await writeFile(join(folder, 'window', 'notes.txt'), 'not for the window');
  await writeFile(join(folder, 'secret.html'), 'outside');
  feed = new Feed();
  const commands = { 'app.info': () => Promise.resolve({ version: '1' }) } as unknown as Commands;
  host = await WebHost.start({
    api: new ApiServer({ commands, feed, log: silentLog }),
    log: silentLog,
    rendererFolder: join(folder, 'window'),
  });
});
afterEach(async () => {
  await host[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A request as bytes: nothing of it is tidied up on the way. */
function ask(
  requestLine: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const { promise, resolve } = Promise.withResolvers<{ status: number; text: string }>();
  const socket = connect(host.port, '127.0.0.1');
  let text = '';
  const all = { Host: `127.0.0.1:${host.port}`, Connection: 'close', ...headers };
  socket.on('data', (chunk) => {
    text += chunk.toString('utf8');
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), text });
  });
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  socket.write(`${requestLine} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  return promise;
}

/** What `redeem` needs of a request. */
const request = { socket: { localPort: 1 } } as unknown as IncomingMessage;

/** The cookie of a window that was opened with a link. */
async function openWindow(): Promise<string> {
  const url = new URL(host.issueUrl());
  const { status, text } = await ask(`GET ${url.pathname}${url.search}`);
  expect(status).toBe(303);
  return /^set-cookie: ([^;]+)/im.exec(text)?.[1] ?? '';
}

describe('files', () => {
  it('a link opens one window, once; its cookie is for this page only', async () => {
    const { search } = new URL(host.issueUrl());
    const first = await ask(`GET /${search}`);
    expect(first.status).toBe(303);
    expect(first.text).toMatch(/^set-cookie: parley-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/\r$/im);
    expect(first.text).toMatch(/^location: \/\r$/im);
    const second = await ask(`GET /${search}`);
    expect(second.status).toBe(403);
    expect(second.text).toContain('This link has been used already.');
    const cookie = await openWindow();
    expect((await ask('GET /', { Cookie: cookie })).text).toContain('<title>Parley</title>');
    // The link again in the window that has the cookie: a reload, not an attack.
    expect((await ask(`GET /${search}`, { Cookie: cookie })).status).toBe(303);
  });

  it('a link that was not used in time is worth nothing', () => {
    let now = 0;
    const access = new BrowserAccess(() => now);
    const [early, late] = [access.issueToken(), access.issueToken()];
    now = 5 * 60_000;
    expect(access.redeem(early, request)).toBeDefined();
    now += 1;
    expect(access.redeem(late, request)).toBeUndefined();
    expect(access.redeem('', request)).toBeUndefined();
  });

  it('only so many links wait: the oldest goes', () => {
    const access = new BrowserAccess(() => 0);
    const tokens = Array.from({ length: 33 }, () => access.issueToken());
    expect(access.redeem(tokens[32]!, request)).toBeDefined();
    expect(access.redeem(tokens[0]!, request)).toBeUndefined();
    expect(access.redeem(tokens[31]!, request)).toBeDefined();
  });

  it.each(['', 'parley-PORT=', 'parley-PORT=wrong', 'other=1; parley-PORT=0'])(
    'without the cookie nothing is served: "%s"',
    async (cookie) => {
      for (const path of ['/', '/assets/app-1234.js']) {
        const { status, text } = await ask(
          `GET ${path}`,
          cookie === '' ? {} : { Cookie: cookie.replace('PORT', String(host.port)) },
        );
        expect(status).toBe(403);
        expect(text).not.toMatch(/title|run\(\)/);
      }
    },
  );

  it('another name that points here is refused (DNS rebinding)', async () => {
    const cookie = await openWindow();
    for (const name of [
      `evil.example:${host.port}`,
      'localhost',
      `127.0.0.1.nip.io:${host.port}`,
      `127.0.0.1:${host.port + 1}`,
    ]) {
      expect((await ask('GET /', { Host: name, Cookie: cookie })).status).toBe(421);
    }
    expect((await ask('GET /', { Host: `localhost:${host.port}`, Cookie: cookie })).status).toBe(200);
  });

  it.each([
    '/../secret.html',
    '/%2e%2e/secret.html',
    '/..%2fsecret.html',
    '/assets/../../secret.html',
    '/%2e%2e%2fsecret.html',
    '/..%5csecret.html',
    '/notes.txt',
    '/assets',
    '/assets/',
    '/index.html%00.js',
    '/%',
    '/%c0%ae%c0%ae/secret.html',
  ])('%s is no file of the window', async (path) => {
    const cookie = await openWindow();
    const { status, text } = await ask(`GET ${path}`, { Cookie: cookie });
    expect(status).toBe(404);
    expect(text).not.toContain('outside');
  });

  it('what is served may run nothing else', async () => {
    const cookie = await openWindow();
    const page = await ask('GET /', { Cookie: cookie });
    expect(page.text).toMatch(/^content-security-policy: default-src 'none'; script-src 'self';/im);
    expect(page.text).toMatch(/^x-content-type-options: nosniff\r$/im);
    expect(page.text).toMatch(/^cache-control: no-store\r$/im);
    expect((await ask('GET /assets/app-1234.js', { Cookie: cookie })).text).toMatch(
      /^cache-control: .*immutable\r$/im,
    );
    expect((await ask('POST /', { Cookie: cookie })).status).toBe(405);
    expect((await ask('HEAD /', { Cookie: cookie })).text).not.toContain('<title>');
  });

  it.each(['GET //', 'GET http://[', 'GET *', 'GET \\\\'])('%s does not end the program', async (line) => {
    const cookie = await openWindow();
    expect((await ask(line, { Cookie: cookie })).status).toBeGreaterThanOrEqual(400);
    expect((await ask('GET /', { Cookie: cookie })).status).toBe(200);
  });
});

describe('the WebSocket', () => {
  const upgrade = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  const origin = () => `http://127.0.0.1:${host.port}`;
  const bearer = () => ({ Authorization: `Bearer ${host.access.bearer}` });

  it.each([
    ['a page of another site with our cookie', () => ({ Origin: 'https://evil.example' }), true],
    ['a page of another site that names itself null', () => ({ Origin: 'null' }), true],
    ['a page of this computer on another port', () => ({ Origin: 'http://127.0.0.1:1' }), true],
    ['our page without its cookie', () => ({ Origin: origin() }), false],
    ['a program with the cookie but no bearer', () => ({}), true],
    ['a program with a wrong bearer', () => ({ Authorization: 'Bearer wrong' }), false],
    ['a name that points here', () => ({ Host: `evil.example:${host.port}`, ...bearer() }), false],
  ])('refuses %s', async (_what, headers, withCookie) => {
    const cookie = await openWindow();
    const answer = await ask('GET /ipc', {
      ...upgrade,
      ...headers(),
      ...(withCookie ? { Cookie: cookie } : {}),
    });
    expect(answer.status).toBe(403);
  });

  it.each(['GET //', 'GET http://[', 'GET /other', 'GET /ipc/../x'])(
    '%s as an upgrade is refused and does not end the program',
    async (line) => {
      expect((await ask(line, { ...upgrade, ...bearer() })).status).toBe(403);
      expect((await ask('GET /')).status).toBe(403);
    },
  );

  async function open(): Promise<{ socket: WebSocket; next: () => Promise<unknown> }> {
    const socket = new WebSocket(`ws://127.0.0.1:${host.port}/ipc`, { headers: bearer() });
    const received: unknown[] = [];
    let arrived = Promise.withResolvers<void>();
    socket.on('message', (data: Buffer) => {
      received.push(JSON.parse(data.toString('utf8')));
      arrived.resolve();
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    const next = async () => {
      while (received.length === 0) {
        arrived = Promise.withResolvers();
        await arrived.promise;
      }
      return received.shift();
    };
    return { socket, next };
  }

  it('answers calls and pushes events, each in its envelope', async () => {
    const { socket, next } = await open();
    socket.send(JSON.stringify({ id: 'x', call: 'app.info' }));
    expect(await next()).toEqual({ id: 'x', ok: true, value: { version: '1' } });
    feed.publish('imserver.changed', { running: true });
    expect(await next()).toEqual({ seq: 1, event: 'imserver.changed', data: { running: true } });
    for (const bad of ['no json', '[]', Buffer.from([1, 2, 3])]) {
      socket.send(bad);
      expect(await next()).toMatchObject({ id: 0, ok: false, code: 'invalid-input' });
    }
    socket.terminate();
  });

  it('a message over the limit ends the connection, not the program', async () => {
    const { socket } = await open();
    socket.on('error', () => undefined);
    const closed = new Promise<number>((done) => socket.once('close', done));
    socket.send('x'.repeat(4 * 1024 * 1024 + 1));
    expect(await closed).toBe(1009);
    const again = await open();
    again.socket.terminate();
  });

  it('more windows than there may be are told so', async () => {
    const all = [];
    for (let index = 0; index < 16; index++) all.push(await open());
    const { socket } = await open();
    expect(await new Promise<number>((done) => socket.once('close', done))).toBe(4_002);
    for (const one of all) one.socket.terminate();
  });
});
