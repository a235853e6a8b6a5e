/**
 * The flow with somebody else's SIP: sipp registers at the IM Server with digest and calls a messenger through it.
 * sipp speaks no MSRP, so the messages of its side go over an MSRP endpoint of ours.
 */
import { describe, expect, it } from 'vitest';
import { MsrpEndpoint } from '../../main/msrp/endpoint.ts';
import { formatMsrpPath } from '../../main/msrp/uri.ts';
import { DOMAIN, passwordOf, World } from '../support/im-world.ts';
import { freePort } from '../support/free-port.ts';
import { runSipp, sippMissing } from './sipp/run-sipp.ts';

if (sippMissing !== undefined) console.log(`skipped: ${sippMissing}`);

// sipp answers the first challenge only and knows MD5 only (against RFC 8760 §2.4): the server is told to offer it first.
describe.skipIf(sippMissing !== undefined)('sipp is a member of the IM Server', () => {
  it.each(['udp', 'tcp'] as const)('registers, calls and is hung up on, over %s', async (transport) => {
    await using world = await World.open(['bob', 'tom'], { digest: ['MD5', 'SHA-256'] });
    const tom = await world.join('tom');
    const conversation = await tom.meet('bob');
    await using msrp = new MsrpEndpoint();
    const { port } = await msrp.listen({ host: '127.0.0.1', port: 0 });
    const heard = Promise.withResolvers<string>();
    const session = msrp.createSession({
      advertisedHost: '127.0.0.1',
      acceptTypes: ['message/cpim', 'text/plain', '*'],
      delegate: {
        receiveMessage: (message) => {
          heard.resolve(message.body.toString('utf8'));
          return Promise.resolve();
        },
        receiveReport: () => undefined,
        receiveVisit: (fromPath) => void session.acceptAnswer(fromPath, { connectToAnswerer: false }),
        receiveClose: () => undefined,
      },
    });
    const call = runSipp({
      scenario: 'member',
      transport,
      calls: 1,
      port: await freePort(),
      target: `127.0.0.1:${world.port}`,
      credentials: { user: 'bob', password: passwordOf('bob') },
      keys: {
        domain: DOMAIN,
        user: 'bob',
        peer: 'tom',
        msrp_port: String(port),
        msrp_path: formatMsrpPath(session.localPath),
      },
    });
    const opened = await Promise.race([tom.session(conversation, 'open'), call.then(() => undefined)]);
    const message = await tom.send(conversation, 'Hello, sipp');
    expect(await heard.promise).toContain('Hello, sipp');
    await tom.becomes(message, 'delivered');
    await tom.commands['session.end']({ sessionId: opened!.id });
    await call;
    expect(world.server.sessionCount).toBe(0);
  });
});
