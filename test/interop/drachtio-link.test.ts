/**
 * The messenger on an engine of another process, reached as a drachtio server is: over TCP with a secret.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Program } from '../../main/hosts/headless/child-process.ts';
import {
  introduce,
  say,
  sessionIn,
  startPlayer,
  startServer,
  type Player,
} from '../../main/hosts/headless/flow-conversation.ts';
import { IpcClient } from '../../main/hosts/headless/ipc-client.ts';

const SECRET = 'secret-of-this-test';
const parts = new AsyncDisposableStack();
let bob: Player;
let tom: Player;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-link-'));
  parts.defer(() => rm(folder, { recursive: true, force: true }));
  const where = ['--admin', '127.0.0.1:0', '--sip', '127.0.0.1:0', '--secret', SECRET];
  const engine = parts.use(await Program.start('../../sip/engine/main.ts', where));
  const { admin } = engine.ready as { admin: { host: string; port: number } };
  const started = await startServer(folder, { bob: 'pass-of-bob', tom: 'pass-of-tom' });
  parts.use(started.program);
  const uri = started.sip[1]!;
  // Bob's profile names the engine before his account is added.
  const profile = await Program.start('main.ts', ['--profile', join(folder, 'bob')]);
  const settings = await IpcClient.connect(profile.ready as { url: string; token: string });
  await settings.call('settings.set', {
    key: 'network.engine',
    value: { kind: 'drachtio', host: admin.host, port: admin.port, secret: SECRET },
  });
  await settings[Symbol.asyncDispose]();
  await profile[Symbol.asyncDispose]();
  bob = parts.use(await startPlayer(folder, 'bob', 'pass-of-bob', uri));
  tom = parts.use(await startPlayer(folder, 'tom', 'pass-of-tom', uri));
}, 60_000);

afterAll(() => parts.disposeAsync());

it('invites and is invited through it', async () => {
  const { ofBob, ofTom } = await introduce(bob, tom);
  const ended = Promise.all([sessionIn(bob, 'ended'), sessionIn(tom, 'ended')]);
  await say(bob, tom, ofBob, 'by way of another engine');
  await say(tom, bob, ofTom, 'and back');
  const [session] = await bob.client.call('session.list', { conversationId: ofBob });
  await bob.client.call('session.end', { sessionId: session!.id });
  await ended;
  await say(tom, bob, ofTom, 'and the other way round');
  const page = await bob.client.call('message.list', { conversationId: ofBob });
  expect(page.messages.map(({ text }) => text)).toEqual([
    'by way of another engine',
    'and back',
    'and the other way round',
  ]);
}, 60_000);
