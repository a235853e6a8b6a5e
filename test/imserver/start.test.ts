/** Who asks while the server is still starting: its port is open before all of it is there. */
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { DOMAIN, World } from '../support/im-world.ts';
import { newPeerId, SipPeer } from '../support/sip-peer.ts';

it('answers as it would a moment later, or asks to come again (503): never that it does not know his method', async () => {
  await using world = await World.open(['bob']);
  await world.stopServer();
  await using peer = await SipPeer.udp();
  const asked = new Set<string>();
  const starting = world.startServer();
  while (!peer.log.some(({ status }) => status === 401)) {
    const callId = newPeerId();
    asked.add(callId);
    const bob = `<sip:bob@${DOMAIN}>`;
    const fields = { callId, uri: `sip:${DOMAIN}`, from: bob, to: bob, headers: ['Expires: 60'] };
    await peer.send(peer.build('REGISTER', fields), world.port);
    // Often enough to meet each moment of the start, not so often that it were a flood.
    await Promise.race([setTimeout(5), starting.then(() => setTimeout(5))]);
  }
  await starting;
  await peer.fence(world.port);
  const answers = peer.log.filter((answer) => asked.has(answer.header('Call-ID')));
  const [soon, now] = [503, 401].map((status) => answers.filter((answer) => answer.status === status));
  expect(answers).toHaveLength((now?.length ?? 0) + (soon?.length ?? 0));
});
