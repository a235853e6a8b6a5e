/**
 * Owns: the peer process of the MSRP bench and our endpoint that talks to it.
 * Called by: load.ts. Calls: peer.ts as a process, main/msrp.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MsrpEndpoint } from '../../../main/msrp/endpoint.ts';
import type { MsrpSession } from '../../../main/msrp/session.ts';
import { parseMsrpPath } from '../../../main/msrp/uri.ts';
import { selfSigned, type Certificate } from '../../support/certificates.ts';
import { BENCH_LIMITS, type PeerReply, type PeerRequest, type SessionKind } from './peer-protocol.ts';

const AT_ONCE = 500;
const ONE_OF_MANY: SessionKind = { encrypted: false, files: false };

type ReplyTo<Ask> = Ask extends 'sessions'
  ? Extract<PeerReply, { paths: unknown }>
  : Ask extends 'memory'
    ? Extract<PeerReply, { rss: unknown }>
    : Extract<PeerReply, { received: unknown }>;

/** Two processes: this one sends, the other one takes. */
export class Stand implements AsyncDisposable {
  readonly endpoint = new MsrpEndpoint({ limits: BENCH_LIMITS });
  readonly ports: Extract<PeerReply, { raw: unknown }>;
  readonly certificate: Certificate;
  readonly #peer: ChildProcess;

  private constructor(
    peer: ChildProcess,
    ports: Extract<PeerReply, { raw: unknown }>,
    certificate: Certificate,
  ) {
    this.#peer = peer;
    this.ports = ports;
    this.certificate = certificate;
  }

  static async start(): Promise<Stand> {
    const certificate = selfSigned(['IP:127.0.0.1']);
    const peer = fork(
      fileURLToPath(new URL('peer.ts', import.meta.url)),
      [certificate.key, certificate.cert],
      { execArgv: ['--expose-gc'] },
    );
    const [ports] = (await once(peer, 'message')) as [Extract<PeerReply, { raw: unknown }>];
    const stand = new Stand(peer, ports, certificate);
    await stand.endpoint.identity();
    await stand.endpoint.listen({ host: '127.0.0.1', port: 0 });
    return stand;
  }

  /** Sessions that are bound to one of the peer each, which has visited; ten share a connection. */
  async openSessions(count: number, kind: SessionKind = ONE_OF_MANY): Promise<MsrpSession[]> {
    const opened: MsrpSession[] = [];
    // Who has visited is not kept waiting for the answer.
    while (opened.length < count) {
      opened.push(...(await this.#openSome(Math.min(count - opened.length, AT_ONCE), kind)));
    }
    return opened;
  }

  async #openSome(count: number, kind: SessionKind): Promise<MsrpSession[]> {
    const ours = Array.from({ length: count }, () =>
      this.endpoint.createSession({
        advertisedHost: '127.0.0.1',
        acceptTypes: ['*'],
        ...(kind.encrypted ? { encrypted: true, unprovenAllowed: true } : {}),
        delegate: {
          receiveMessage: () => Promise.resolve(),
          receiveReport: () => undefined,
          receiveVisit: () => undefined,
          receiveClose: () => undefined,
        },
      }),
    );
    const { paths } = await this.ask('sessions', {
      ask: 'sessions',
      ...kind,
      paths: ours.map(({ localPath }) => localPath[0]?.text ?? ''),
    });
    for (const [index, session] of ours.entries()) {
      await session.acceptAnswer(parseMsrpPath(paths[index] ?? '', 16), { connectToAnswerer: false });
    }
    return ours;
  }

  async ask<Ask extends PeerRequest['ask']>(_ask: Ask, request: PeerRequest): Promise<ReplyTo<Ask>> {
    this.#peer.send(request);
    const [reply] = (await once(this.#peer, 'message')) as [ReplyTo<Ask>];
    return reply;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#peer, 'exit');
    this.#peer.disconnect();
    await ended;
    await this.endpoint[Symbol.asyncDispose]();
  }
}
