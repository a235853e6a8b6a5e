import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOMAIN, World } from '../../support/im-world.ts';
import { RawDevice } from '../../support/raw-device.ts';
import { Baresip, baresipMissing } from './baresip.ts';

if (baresipMissing !== undefined) console.log(`skipped: ${baresipMissing}`);

describe.skipIf(baresipMissing !== undefined)('baresip at the IM Server (RFC 3428)', () => {
  let world: World;
  beforeAll(async () => {
    // It knows MD5 only, and gives up when anything else is offered beside it.
    world = await World.open(['bob', 'ann'], { digest: ['MD5'] });
    await world.server.users.add('eve', 'softphone');
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it('writes to a messenger, and is written to', async () => {
    await using bob = await world.join('bob');
    const withEve = await bob.meet('eve');
    await using eve = await Baresip.start({
      account: `<sip:eve@${DOMAIN};transport=udp>;auth_pass=softphone;outbound="sip:127.0.0.1:${world.port};transport=udp";regint=60`,
      contact: `<sip:bob@${DOMAIN}>`,
    });
    await eve.wrote('200 OK');
    eve.sendMessage('hello from a softphone');
    expect(await bob.received(withEve, 1)).toEqual(['hello from a softphone']);
    // Plain text is what it takes; our own messengers wrap theirs.
    const ann = world.own(await RawDevice.open('ann', world.port));
    const answer = await ann.ask('MESSAGE', {
      algorithm: 'MD5',
      uri: `sip:eve@${DOMAIN}`,
      to: `<sip:eve@${DOMAIN}>`,
      contentType: 'text/plain',
      body: 'hello from a server',
    });
    // 200, not 202: the softphone itself has said that it has it.
    expect(answer.status).toBe(200);
  });
});
