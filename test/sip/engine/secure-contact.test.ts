import { describe, expect, it } from 'vitest';
import { Authority, hasOpenssl } from '../../support/certificates.ts';
import { SipPeer } from '../../support/sip-peer.ts';
import { SDP, startBench } from './bench.ts';

const canMake = hasOpenssl();
if (!canMake) console.log('skipped: there is no openssl to make certificates, sips: requests are not tested');

describe('sips: wants a sips: Contact (RFC 3261 §8.1.1.8, §12.1.1)', () => {
  it.skipIf(!canMake)('§8.1.1.8: in a request, for its Request-URI and for its first Route', async () => {
    const authority = new Authority('Secure Contact');
    await using bench = await startBench({ tls: { ca: [authority.cert] } });
    const { app } = bench;
    const listener = bench.own(await SipPeer.tlsListener(authority.issue({ names: ['IP:127.0.0.1'] })));
    const there = `127.0.0.1:${listener.port}`;
    await app.request(`INVITE sips:x@${there}`, [], SDP);
    expect((await listener.request('INVITE')).header('Contact')).toMatch(/^<sips:127\.0\.0\.1:\d+>$/);
    const own = ['Contact: "Me, too" <sip:me@localhost;transport=tls;ob>;+sip.instance="<urn:x>"'];
    await app.request('SUBSCRIBE sip:x@nowhere.test', [...own, `Route: <sips:${there};lr>`, 'Event: x']);
    expect((await listener.request('SUBSCRIBE')).header('Contact')).toMatch(
      /^"Me, too" <sips:me@127\.0\.0\.1:\d+;ob>;\+sip\.instance="<urn:x>"$/,
    );
    // Without sips: it stays as it is.
    await app.request(`INVITE sip:x@${there};transport=tls`, [], SDP);
    expect((await listener.request('INVITE')).header('Contact')).toMatch(/^<sip:/);
  });

  it.each([
    ['the Request-URI', { uri: 'sips:app@127.0.0.1' }, 'sips'],
    ['the first Record-Route', { headers: ['Record-Route: <sips:p.test;lr>, <sip:q.test;lr>'] }, 'sips'],
    ['the Contact, where there is no Record-Route', { contact: '"sip:" <sips:peer@127.0.0.1>' }, 'sips'],
    [
      'the Contact behind a Record-Route (which counts alone)',
      { contact: '<sips:peer@127.0.0.1>', headers: ['Record-Route: <sip:p.test;lr;x=sips:>'] },
      'sip',
    ],
    ['nothing', { contact: '"<sips:" <sip:peer@127.0.0.1;x=sips:y>' }, 'sip'],
  ])('§12.1.1: in a response, for %s', async (_what, fields, scheme) => {
    await using bench = await startBench();
    const peer = await bench.tcpPeer();
    await peer.send(peer.build('INVITE', { body: SDP, ...fields }));
    const { transactionId } = await bench.app.sip('INVITE');
    await bench.app.respond(transactionId, 200, 'OK', [], SDP);
    expect((await peer.response(200, 'INVITE')).header('Contact')).toMatch(
      new RegExp(`^<${scheme}:127\\.0\\.0\\.1:${bench.port}`),
    );
  });
});
