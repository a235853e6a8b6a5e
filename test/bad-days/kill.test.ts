/**
 * Programs that are ended like in a power cut while both people write: whatever was accepted from a user arrives
 * exactly once and in the order of writing, on both disks.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { Program } from '../../main/hosts/headless/child-process.ts';
import {
  introduce,
  startPlayer,
  startServer,
  type Player,
} from '../../main/hosts/headless/flow-conversation.ts';
import { IpcClient } from '../../main/hosts/headless/ipc-client.ts';

const PASSWORDS = { bob: 'secret of bob', tom: 'secret of tom' };
const DOMAIN = 'chat.home.arpa';
const PATIENCE_MS = 60_000;

/** One side of the play; its program may be another one after each round. */
class Side {
  readonly name: string;
  readonly folder: string;
  player: Player;
  conversationId = '' as ConversationId;
  /** Texts whose `message.send` was answered: from then on Parley is responsible for them. */
  readonly accepted: string[] = [];
  #count = 0;

  constructor(name: string, folder: string, player: Player) {
    this.name = name;
    this.folder = folder;
    this.player = player;
  }

  /** One more numbered message. What was not answered before the program died may or may not be on disk. */
  async say(): Promise<void> {
    const text = `${this.name} number ${String((this.#count += 1)).padStart(4, '0')}`;
    await this.player.client.call('message.send', { conversationId: this.conversationId, text });
    this.accepted.push(text);
  }

  async kill(): Promise<void> {
    await this.player.program.kill();
    await this.player.client[Symbol.asyncDispose]();
  }

  /** Again on the same profile: the account is there and signs in by itself. */
  async restart(): Promise<void> {
    const program = await Program.start('main.ts', ['--profile', join(this.folder, this.name)]);
    const client = await IpcClient.connect(program.ready as { url: string; token: string });
    const { account } = this.player;
    this.player = {
      program,
      client,
      account,
      [Symbol.asyncDispose]: async () => {
        await client[Symbol.asyncDispose]();
        await program[Symbol.asyncDispose]();
      },
    };
  }

  async all(): Promise<Message[]> {
    const all: Message[] = [];
    for (let after = 0; ; after = all.at(-1)?.position ?? 0) {
      const page = await this.player.client.call('message.list', {
        conversationId: this.conversationId,
        after,
        limit: 200,
      });
      all.push(...page.messages);
      if (!page.hasAfter) return all;
    }
  }

  async texts(direction: 'in' | 'out'): Promise<string[]> {
    return (await this.all()).filter((message) => message.direction === direction).map(({ text }) => text);
  }

  /** Waits until everything that `other` has on its disk as written is on ours as received. */
  async untilComplete(other: Side): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const [written, arrived] = [await other.texts('out'), await this.texts('in')];
      if (arrived.length >= written.length) return;
      const left = deadline - Date.now();
      if (left <= 0) {
        const states = (await other.all()).filter(({ direction }) => direction === 'out').slice(-12);
        throw new Error(
          `${this.name} has ${arrived.length} of ${written.length}; last of ${other.name}: ${states.map(({ text, state }) => `${text} ${state}`).join(', ')}`,
        );
      }
      await this.player.client
        .waitFor('message.added', ({ message }) => message.direction === 'in', Math.min(left, 1_000))
        .catch(() => undefined);
    }
  }
}

let folder: string;
let server: Program;
let port: number;
let bob: Side;
let tom: Side;

async function restartServer(): Promise<void> {
  server = await Program.start('../../imserver/main.ts', [
    ...['--data', join(folder, 'imserver'), '--domain', DOMAIN, '--port', String(port)],
  ]);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-kill-'));
  const started = await startServer(folder, PASSWORDS);
  server = started.program;
  const uri = started.sip.find((one) => one.endsWith('transport=tcp')) ?? '';
  port = Number(/:(\d+);/.exec(uri)?.[1]);
  const [one, other] = await Promise.all([
    startPlayer(folder, 'bob', PASSWORDS.bob, uri),
    startPlayer(folder, 'tom', PASSWORDS.tom, uri),
  ]);
  bob = new Side('bob', folder, one);
  tom = new Side('tom', folder, other);
  const { ofBob, ofTom } = await introduce(one, other);
  bob.conversationId = ofBob;
  tom.conversationId = ofTom;
}, 60_000);

afterAll(async () => {
  await bob.player[Symbol.asyncDispose]();
  await tom.player[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

/** Both write `count` messages, as fast as they are accepted, until one of the programs is gone. */
async function bothWrite(count: number, halfway: () => Promise<void>): Promise<void> {
  const killAfter = 1 + Math.floor(Math.random() * count);
  const reached = Promise.withResolvers<void>();
  const write = async (side: Side) => {
    for (let index = 1; index <= count; index++) {
      try {
        await side.say();
      } catch {
        break;
      }
      if (side === bob && index === killAfter) reached.resolve();
    }
    reached.resolve();
  };
  await Promise.all([write(bob), write(tom), reached.promise.then(halfway)]);
}

/** Nothing lost, nothing doubled, in order; found by reading and by searching. */
async function expectComplete(from: Side, to: Side): Promise<void> {
  const written = await from.texts('out');
  expect(await to.texts('in')).toEqual(written);
  expect(written).toEqual([...written].sort());
  expect(new Set(written).size).toBe(written.length);
  expect(written.filter((text) => from.accepted.includes(text))).toEqual(from.accepted);
  const newest = from.accepted.at(-1) ?? '';
  const { hits } = await to.player.client.call('search.query', { text: newest, limit: 10 });
  expect(hits.filter(({ message }) => message.text === newest && message.direction === 'in')).toHaveLength(1);
}

const ROUNDS = ['tom', 'bob', 'server', 'tom', 'server', 'bob'] as const;

it.each(ROUNDS.map((victim, index) => [index + 1, victim] as const))(
  'round %i: %s is killed while both write',
  async (_round, victim) => {
    await bothWrite(25, async () => {
      if (victim === 'server') {
        await server.kill();
        await restartServer();
        return;
      }
      const side = victim === 'bob' ? bob : tom;
      await side.kill();
      await side.restart();
    });
    await Promise.all([bob.say(), tom.say()]);
    await Promise.all([tom.untilComplete(bob), bob.untilComplete(tom)]);
    await expectComplete(bob, tom);
    await expectComplete(tom, bob);
  },
  90_000,
);

it('both and the server are killed at once', async () => {
  await bothWrite(15, async () => {
    await Promise.all([bob.kill(), tom.kill(), server.kill()]);
    await restartServer();
    await Promise.all([bob.restart(), tom.restart()]);
  });
  await Promise.all([bob.say(), tom.say()]);
  await Promise.all([tom.untilComplete(bob), bob.untilComplete(tom)]);
  await expectComplete(bob, tom);
  await expectComplete(tom, bob);
}, 90_000);

it('a second copy on one profile ends with a sentence and changes nothing', async () => {
  const before = await bob.all();
  await expect(Program.start('main.ts', ['--profile', join(folder, 'bob')])).rejects.toThrow(
    /Parley is running on .*bob already\. Use that one, or end it first\./,
  );
  expect(await bob.all()).toEqual(before);
});
