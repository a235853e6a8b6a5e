/**
 * The bot of docs/automation.md, run as it stands in the text.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Program } from '../../main/hosts/headless/child-process.ts';
import { startPlayer, startServer, type Player } from '../../main/hosts/headless/flow-conversation.ts';

const root = join(import.meta.dirname, '..', '..');
const parts = new AsyncDisposableStack();
let folder: string;
let bob: Player;

beforeAll(async () => {
  // Beside the project's modules, since the bot imports ws.
  folder = await mkdtemp(join(root, 'node_modules', '.parley-bot-'));
  parts.defer(() => rm(folder, { recursive: true, force: true }));
  const started = await startServer(folder, { bob: 'pass-of-bob', bot: 'pass-of-bot' });
  parts.use(started.program);
  const uri = started.sip[1]!;
  const headless = parts.use(await Program.start('main.ts', ['--profile', join(folder, 'bot')]));
  bob = parts.use(await startPlayer(folder, 'bob', 'pass-of-bob', uri));
  const { url, token } = headless.ready as { url: string; token: string };
  const text = await readFile(join(root, 'docs', 'automation.md'), 'utf8');
  const [, code] = /```js bot\n([\s\S]*?)```/.exec(text) ?? [];
  await writeFile(join(folder, 'bot.mjs'), code ?? '');
  const bot = spawn(process.execPath, [join(folder, 'bot.mjs')], {
    stdio: 'inherit',
    env: {
      PARLEY_URL: url,
      PARLEY_TOKEN: token,
      ADDRESS: 'bot@chat.home.arpa',
      PASSWORD: 'pass-of-bot',
      SERVER: uri,
    },
  });
  parts.defer(async () => {
    const exited = new Promise((done) => bot.once('exit', done));
    bot.kill();
    await exited;
  });
}, 60_000);

afterAll(() => parts.disposeAsync());

it('answers the first message of somebody whom it does not know', async () => {
  const { client, account } = bob;
  const { id } = await client.call('conversation.open', {
    accountId: account.id,
    address: 'bot@chat.home.arpa',
  });
  const answer = client.waitFor('message.added', ({ message }) => message.direction === 'in');
  await client.call('message.send', { conversationId: id, text: 'Is anybody there?' });
  expect((await answer).message.text).toBe('You said: Is anybody there?');
}, 60_000);

it('is about ten lines long, as the text says', async () => {
  const lines = (await readFile(join(folder, 'bot.mjs'), 'utf8')).trim().split('\n');
  expect(lines.length).toBeLessThanOrEqual(12);
});
