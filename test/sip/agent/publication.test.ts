import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../../../main/base/lifetime.ts';
import { Publication } from '../../../main/sip/agent/publication.ts';
import { DigestClient } from '../../../main/sip/digest.ts';
import { openEmbeddedAgent } from '../../../main/sip/embedded-agent.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { SipPeer, type PeerMessage } from '../../support/sip-peer.ts';

let lifetime: Lifetime;
let server: SipPeer;
let clock: ManualClock;
let publication: Publication;
let statuses: string[];

beforeEach(async () => {
  lifetime = new Lifetime();
  clock = new ManualClock();
  const changes: string[] = [];
  statuses = changes;
  server = lifetime.own(await SipPeer.udp());
  const { agent } = await openEmbeddedAgent({ runFolder: tmpdir(), host: '127.0.0.1', port: 0 }, lifetime);
  publication = new Publication({
    agent,
    event: 'presence',
    contentType: 'application/pidf+xml',
    resource: 'sip:bob@example.org',
    clock,
    random: () => 0,
    route: () => ({
      from: '"Bob" <sip:bob@example.org>',
      way: { nextHop: `sip:127.0.0.1:${server.port};transport=udp` },
      digest: new DigestClient({ user: 'bob', password: 'secret' }),
    }),
    receiveStatus: ({ status }) => changes.push(status),
  });
});
afterEach(async () => {
  publication.stop();
  await lifetime[Symbol.asyncDispose]();
});

const asked = () => server.request('PUBLISH');
const fieldsOf = (publish: PeerMessage) => [
  publish.header('SIP-If-Match'),
  publish.header('Expires'),
  publish.body,
];
const pending = (count: number) => expect.poll(() => clock.pending).toBe(count);

async function grant(publish: PeerMessage, etag: string, seconds = 1_800): Promise<void> {
  await server.answer(publish, 200, { headers: [`SIP-ETag: ${etag}`, `Expires: ${seconds}`] });
}

/** Published and granted for so many seconds. */
async function begin(seconds = 1_800): Promise<PeerMessage> {
  publication.publish('one');
  publication.start();
  const publish = await asked();
  await grant(publish, 'a', seconds);
  await pending(1);
  return publish;
}

describe('a publication (RFC 3903 §4)', () => {
  it('waits for a server, says whose state it is and what kind', async () => {
    const publish = await begin();
    expect(publish.startLine).toBe('PUBLISH sip:bob@example.org SIP/2.0');
    expect(fieldsOf(publish)).toEqual(['', '1800', 'one']);
    expect([publish.header('Event'), publish.header('Content-Type')]).toEqual([
      'presence',
      'application/pidf+xml',
    ]);
    expect(statuses).toEqual(['published']);
  });

  it('is refreshed without its content before its time is over, with the newest tag', async () => {
    await begin(100);
    clock.advance(80_000);
    const refresh = await asked();
    expect(fieldsOf(refresh)).toEqual(['a', '1800', '']);
    await grant(refresh, 'b', 100);
    await pending(1);
    clock.advance(80_000);
    expect(fieldsOf(await asked())).toEqual(['b', '1800', '']);
  });

  it('is changed on the condition that it is the one that we know; of several changes the last one goes out', async () => {
    await begin();
    publication.publish('two');
    const change = await asked();
    publication.publish('three');
    publication.publish('four');
    expect(fieldsOf(change)).toEqual(['a', '1800', 'two']);
    await grant(change, 'b');
    const next = await asked();
    expect(fieldsOf(next)).toEqual(['b', '1800', 'four']);
    await grant(next, 'c');
    await pending(1);
    publication.publish('four');
    expect(server.log.filter(({ startLine }) => startLine.startsWith('PUBLISH'))).toHaveLength(3);
  });

  it('that the server does not know any more (412) is a first one again', async () => {
    await begin(100);
    clock.advance(80_000);
    await server.answer(await asked(), 412);
    const anew = await asked();
    expect(fieldsOf(anew)).toEqual(['', '1800', 'one']);
    await grant(anew, 'z');
    await pending(1);
    expect(statuses).toEqual(['published']);
  });

  it('lives longer when the server wants that (423)', async () => {
    publication.publish('one');
    publication.start();
    await server.answer(await asked(), 423, { headers: ['Min-Expires: 7200'] });
    expect(fieldsOf(await asked())).toEqual(['', '7200', 'one']);
  });

  it('is taken back with Expires 0 when there is nothing to say, and when we leave', async () => {
    await begin();
    publication.publish(undefined);
    const end = await asked();
    expect(fieldsOf(end)).toEqual(['a', '0', '']);
    await server.answer(end, 200, { headers: ['Expires: 0'] });
    await expect.poll(() => publication.status.status).toBe('none');
    publication.publish('again');
    await grant(await asked(), 'b');
    await pending(1);
    const left = publication[Symbol.asyncDispose]();
    const last = await asked();
    expect(fieldsOf(last)).toEqual(['b', '0', '']);
    await server.answer(last, 200);
    await left;
  });

  it.each([405, 489, 403])('is not tried again after %s, until the account signs in anew', async (status) => {
    publication.publish('one');
    publication.start();
    await server.answer(await asked(), status);
    await expect.poll(() => publication.status).toEqual({ status: 'refused', code: status });
    publication.publish('two');
    expect(clock.pending).toBe(0);
    publication.start();
    expect(fieldsOf(await asked())).toEqual(['', '1800', 'two']);
  });

  it('is tried again after a failure, later each time, and not before the server says', async () => {
    publication.publish('one');
    publication.start();
    await server.answer(await asked(), 503);
    await pending(1);
    clock.advance(1_999);
    expect(clock.pending).toBe(1);
    clock.advance(1);
    await server.answer(await asked(), 500, { headers: ['Retry-After: 60'] });
    await pending(1);
    clock.advance(59_999);
    expect(clock.pending).toBe(1);
    clock.advance(1);
    expect(fieldsOf(await asked())).toEqual(['', '1800', 'one']);
  });

  it('goes with everything it says to a server that is there anew, and may be known there', async () => {
    await begin();
    publication.stop();
    publication.publish('two');
    expect(clock.pending).toBe(0);
    publication.start();
    expect(fieldsOf(await asked())).toEqual(['a', '1800', 'two']);
  });
});
