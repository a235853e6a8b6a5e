/**
 * The IM Server on a drachtio server of its own process. What runs here in that place is our engine by itself, which
 * speaks the same control protocol: a real one is not to be had where the tests run.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Program } from '../../main/hosts/headless/child-process.ts';
import { ImServer } from '../../main/imserver/imserver.ts';
import { checkServerConfig } from '../../main/imserver/server-config.ts';
import { silentLog } from '../../main/base/log.ts';
import { createGroup, groupOf, untilLine } from '../support/group-people.ts';
import { freePort } from '../support/free-port.ts';
import { openPair, World } from '../support/im-world.ts';

const SECRET = 'shared';

let drachtio: Program;
let admin: { host: string; port: number };

beforeEach(async () => {
  drachtio = await Program.start('../../sip/engine/main.ts', [
    ...['--admin', '127.0.0.1:0', '--sip', '127.0.0.1:0', '--secret', SECRET],
  ]);
  ({ admin } = drachtio.ready as { admin: typeof admin });
});
afterEach(async () => {
  await drachtio[Symbol.asyncDispose]();
});

const options = () => ({ drachtio: { host: '127.0.0.1', port: admin.port, secret: SECRET } });

it('two people talk, one is away and gets his messages later, and a group works', async () => {
  await using world = await World.open(['bob', 'tom'], options());
  const { bob, tom, ofBob, ofTom } = await openPair(world);
  await bob.becomes(await bob.send(ofBob, 'Hello'), 'delivered');
  await tom.becomes(await tom.send(ofTom, 'Hi'), 'delivered');
  expect(await bob.session(ofBob, 'open')).toMatchObject({ encrypted: true });
  const group = await createGroup(bob, 'Trip', ['tom']);
  await groupOf(tom, 'Trip');
  await bob.send(group, 'to the sea');
  await untilLine(tom, await groupOf(tom, 'Trip'), 'bob: to the sea');
  await tom[Symbol.asyncDispose]();
  await bob.becomes(await bob.send(ofBob, 'For later'), 'waiting');
  const again = await world.openPerson('tom');
  expect(await again.received(ofTom, 2)).toEqual(['Hello', 'For later']);
});

it('says what is wrong: nobody there, another secret', async () => {
  const data = await mkdtemp(join(tmpdir(), 'parley-drachtio-'));
  const start = (port: number, secret: string) =>
    ImServer.start({
      config: checkServerConfig({ data, drachtio: { port, secret } }, 'test'),
      log: silentLog,
    });
  try {
    await expect(start(admin.port, 'another')).rejects.toThrow(
      /drachtio: 127\.0\.0\.1:\d+: .*refused the secret/,
    );
    const nobody = await freePort();
    await expect(start(nobody, SECRET)).rejects.toThrow(
      `drachtio: the drachtio server at 127.0.0.1:${nobody} does not answer`,
    );
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});
