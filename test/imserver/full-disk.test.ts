import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOMAIN, World, type ServerOptions } from '../support/im-world.ts';
import { ENGINE_START_MS, Postgres, postgresMissing } from '../support/postgres.ts';
import { RawDevice } from '../support/raw-device.ts';
import { SmallDisk } from '../support/small-disk.ts';

const missing = SmallDisk.missing();
if (missing !== undefined) console.log(`skipped: ${missing}`);

/** What can be kept while what is there already has a few pages left. */
const MOST = 150;

describe.skipIf(missing !== undefined)('the disk is full', () => {
  let postgres: Postgres | undefined;
  beforeAll(async () => {
    if (postgresMissing === undefined) postgres = await Postgres.start();
  }, ENGINE_START_MS);
  afterAll(async () => {
    await postgres?.[Symbol.asyncDispose]();
  });

  const engines: [name: string, megabytes: number, options: (disk: SmallDisk) => Promise<ServerOptions>][] = [
    ['SQLite', 4, (disk) => Promise.resolve({ data: join(disk.folder, 'data') })],
    [
      'PostgreSQL',
      24,
      async (disk) => ({
        storage: { engine: 'postgresql', url: await postgres?.databaseIn(join(disk.folder, 'data')) },
      }),
    ],
  ];
  const here = engines.filter(([name]) => name === 'SQLite' || postgresMissing === undefined);

  it.each(here)(
    'on %s: what cannot be kept is answered 503, all else goes on, and what was accepted is there',
    async (_name, megabytes, optionsOn) => {
      using disk = SmallDisk.mount(megabytes);
      mkdirSync(join(disk.folder, 'data'));
      await using world = await World.open(['bob', 'tom', 'eve'], await optionsOn(disk));
      const bob = world.own(await RawDevice.join('bob', world.port));
      const eve = world.own(await RawDevice.join('eve', world.port));
      const send = (to: string, body: string) =>
        bob.ask('MESSAGE', { uri: `sip:${to}@${DOMAIN}`, to: `<sip:${to}@${DOMAIN}>`, body });
      const accepted: string[] = [];
      const keep = async (number: number) => {
        const body = `${number} ${'x'.repeat(8_000)}`;
        const answer = await send('tom', body);
        if (answer.status === 202) accepted.push(body);
        return answer;
      };
      expect((await keep(0)).status).toBe(202);
      disk.fill();
      let refused = await keep(1);
      for (let number = 2; refused.status === 202 && number < MOST; number++) refused = await keep(number);
      expect([refused.status, refused.header('Retry-After')]).toEqual([503, '10']);
      const [direct, got] = await Promise.all([
        send('eve', 'you are there'),
        eve.next('MESSAGE').then(async (message) => {
          await eve.peer.answer(message, 200);
          return message.body;
        }),
      ]);
      expect([direct.status, got]).toEqual([200, 'you are there']);
      disk.free();
      expect((await keep(MOST)).status).toBe(202);
      const tom = world.own(await RawDevice.join('tom', world.port));
      for (const body of accepted) {
        const message = await tom.next('MESSAGE');
        expect(message.body).toBe(body);
        await tom.peer.answer(message, 200);
      }
      await expect.poll(() => world.server.deferredCount()).toBe(0);
    },
    ENGINE_START_MS,
  );
});
