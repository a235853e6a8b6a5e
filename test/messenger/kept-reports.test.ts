/** A message that comes while we are not signed in is confirmed (RFC 5438) when we are again. */
import { afterEach, expect, it } from 'vitest';
import { DOMAIN, World } from '../support/im-world.ts';
import { SipPeer } from '../support/sip-peer.ts';

let world: World;
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const CPIM = [
  `From: <sip:tom@${DOMAIN}>`,
  `To: <sip:bob@${DOMAIN}>`,
  'NS: imdn <urn:ietf:params:imdn>',
  'imdn.Message-ID: 0123456789abcdef0123456789abcdef',
  'imdn.Disposition-Notification: positive-delivery',
  '',
  'Content-Type: text/plain; charset=utf-8',
  '',
  'are you back?',
].join('\r\n');

it('its report waits for the next registration, and goes out once', async () => {
  world = await World.open([]);
  await using server = await SipPeer.udp();
  const bob = await world.openPerson('bob');
  await bob.addAccount(`sip:127.0.0.1:${server.port};transport=udp`);
  const refused = await server.request('REGISTER');
  await server.answer(refused, 503, { headers: ['Retry-After: 1'] });
  await bob.until('noticed', async () => {
    const { connection } = await bob.account();
    return connection.status === 'connecting' && connection.code === 'unreachable';
  });
  const contact = /<([^>]+)>/.exec(refused.header('Contact'))?.[1] ?? '';
  await server.send(
    server.build('MESSAGE', {
      uri: contact,
      from: `<sip:tom@${DOMAIN}>;tag=1`,
      to: `<sip:bob@${DOMAIN}>`,
      contentType: 'message/cpim',
      body: CPIM,
    }),
    refused.port,
  );
  expect((await server.response(200, 'MESSAGE')).status).toBe(200);
  const register = await server.request('REGISTER');
  expect(server.log.some(({ startLine }) => startLine.startsWith('MESSAGE'))).toBe(false);
  await server.answer(register, 200, { headers: [`Contact: ${register.header('Contact')}`] });
  const report = await server.request('MESSAGE');
  expect(report.body).toContain('<message-id>0123456789abcdef0123456789abcdef</message-id>');
  expect(report.body).toMatch(/<delivered\s*\/>/);
  await server.answer(report, 200);
});
