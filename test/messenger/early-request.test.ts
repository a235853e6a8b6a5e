/** A server whose first message overtakes its answer to our REGISTER: between two proxies nothing keeps their order. */
import { afterEach, expect, it } from 'vitest';
import { World, DOMAIN } from '../support/im-world.ts';
import { SipPeer } from '../support/sip-peer.ts';

let world: World;
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

it('is kept until the answer is there, and then taken', async () => {
  world = await World.open([]);
  await using server = await SipPeer.udp();
  const bob = await world.openPerson('bob');
  await bob.addAccount(`sip:127.0.0.1:${server.port};transport=udp`);
  const register = await server.request('REGISTER');
  const contact = /<([^>]+)>/.exec(register.header('Contact'))?.[1] ?? '';
  await server.send(
    server.build('MESSAGE', {
      uri: contact,
      from: `<sip:tom@${DOMAIN}>;tag=1`,
      to: `<sip:bob@${DOMAIN}>`,
      contentType: 'text/plain',
      body: 'earlier than you think',
    }),
    register.port,
  );
  // It has been read: what is sent after it over the same socket is answered.
  await server.fence(register.port);
  expect(bob.events.some(({ event }) => event === 'conversation.changed')).toBe(false);
  await server.answer(register, 200, { headers: [`Contact: ${register.header('Contact')}`] });
  expect((await server.response(200, 'MESSAGE')).status).toBe(200);
  expect(await bob.received(await bob.meet('tom'), 1)).toEqual(['earlier than you think']);
});
