/**
 * The conformance suite on our own endpoint, visited and visiting, plain and over TLS.
 */
import { describe, expect, it } from 'vitest';
import { MsrpEndpoint } from '../../../main/msrp/endpoint.ts';
import type { MsrpSession } from '../../../main/msrp/session.ts';
import { path } from '../../msrp/fixture.ts';
import { RecordingDelegate } from '../../support/msrp-peer.ts';
import { PassiveSuite, runActive, type CheckResult } from './suite.ts';

const TYPES = ['message/cpim', 'text/plain'];

async function openEndpoint(encrypted = false): Promise<AsyncDisposable & { session: MsrpSession }> {
  const endpoint = new MsrpEndpoint();
  if (encrypted) await endpoint.identity();
  await endpoint.listen({ host: '127.0.0.1', port: 0 });
  const session = endpoint.createSession({
    advertisedHost: '127.0.0.1',
    acceptTypes: TYPES,
    delegate: new RecordingDelegate(),
    ...(encrypted ? { encrypted, unprovenAllowed: true } : {}),
  });
  return { session, [Symbol.asyncDispose]: () => endpoint[Symbol.asyncDispose]() };
}

let serial = 0;

function sender(session: MsrpSession): (bytes: number) => void {
  return (bytes) => {
    const body = Buffer.alloc(bytes, 'x');
    session
      .sendMessage({ messageId: `conformance${(serial += 1)}`, contentType: 'text/plain', body })
      .catch(() => undefined);
  };
}

/** What was not passed, with the reason; skips of what our endpoint cannot show are named by each test. */
function notPassed(results: readonly CheckResult[]): string[] {
  return results
    .filter(({ outcome }) => outcome !== 'pass')
    .map(({ outcome, section, title, detail, record }) =>
      outcome === 'skip'
        ? `skip ${section}: ${detail}`
        : `${outcome} ${section} ${title}: ${detail}\n${record.join('\n')}`,
    );
}

describe('the conformance suite on our own endpoint', () => {
  it.each([false, true])('as the passive side, which is visited; TLS: %s', async (encrypted) => {
    await using ours = await openEndpoint(encrypted);
    const { session } = ours;
    const own = `${encrypted ? 'msrps' : 'msrp'}://127.0.0.1:9/conformance;tcp`;
    const bound = session.awaitVisit(path(own));
    const results = await runActive(session.uri.text, { askToSend: sender(session), path: own });
    await bound;
    expect(notPassed(results)).toEqual([]);
    expect(results.length).toBeGreaterThan(35);
  });

  it('as the active side, which visits', async () => {
    await using ours = await openEndpoint();
    const { session } = ours;
    await using suite = await PassiveSuite.listen('127.0.0.1');
    const visit = session.visit(path(suite.path));
    const results = await suite.run({ askToSend: sender(session) });
    await visit;
    expect(notPassed(results)).toEqual([
      'skip RFC 4975 §10.10: the endpoint visits; its own address is not tried',
    ]);
  });
});
