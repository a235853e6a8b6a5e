/**
 * Owns: an endpoint on a free port of the loopback with one session, for tests.
 * Called by: test/msrp. Calls: main/msrp.
 */
import { systemClock, type Clock } from '../../main/base/clock.ts';
import type { MsrpLimits } from '../../main/base/limits.ts';
import type { WireTap } from '../../main/base/wire-tap.ts';
import { MsrpEndpoint } from '../../main/msrp/endpoint.ts';
import type { MsrpSession } from '../../main/msrp/session.ts';
import { parseMsrpPath, type MsrpUri } from '../../main/msrp/uri.ts';
import { MsrpPeer, RecordingDelegate } from '../support/msrp-peer.ts';

export interface Side extends AsyncDisposable {
  readonly endpoint: MsrpEndpoint;
  readonly session: MsrpSession;
  readonly delegate: RecordingDelegate;
  readonly port: number;
  /** The session's URI. */
  readonly uri: string;
  createSession(): { session: MsrpSession; delegate: RecordingDelegate; uri: string };
}

export async function openSide(
  options: {
    limits?: Partial<MsrpLimits>;
    clock?: Clock;
    tap?: WireTap;
    acceptTypes?: readonly string[];
  } = {},
): Promise<Side> {
  const { limits = {}, clock = systemClock, acceptTypes = ['*'] } = options;
  const endpoint = new MsrpEndpoint({ limits, clock, ...(options.tap ? { tap: options.tap } : {}) });
  const { port } = await endpoint.listen({ host: '127.0.0.1', port: 0 });
  const createSession = () => {
    const delegate = new RecordingDelegate();
    const session = endpoint.createSession({ advertisedHost: '127.0.0.1', acceptTypes, delegate });
    return { session, delegate, uri: session.localPath[0]!.text };
  };
  return {
    endpoint,
    port,
    createSession,
    ...createSession(),
    [Symbol.asyncDispose]: () => endpoint[Symbol.asyncDispose](),
  };
}

export function path(text: string): readonly MsrpUri[] {
  return parseMsrpPath(text, 16);
}

/** Two sides whose sessions are bound: `b` visited `a`. */
export async function openPair(options: Parameters<typeof openSide>[0] = {}) {
  const a = await openSide(options);
  const b = await openSide(options);
  await b.session.visit(a.session.localPath);
  await a.session.acceptAnswer(b.session.localPath, { connectToAnswerer: false });
  return {
    a,
    b,
    async [Symbol.asyncDispose]() {
      b.session.destroy();
      await a[Symbol.asyncDispose]();
      await b[Symbol.asyncDispose]();
    },
  };
}

/** A side whose session is bound to a scripted peer. */
export async function openWithPeer(options: Parameters<typeof openSide>[0] = {}) {
  const side = await openSide(options);
  const peer = await MsrpPeer.connect(side.port);
  await peer.visit(side.uri);
  await side.session.acceptAnswer(path(peer.path), { connectToAnswerer: false });
  return {
    side,
    peer,
    async [Symbol.asyncDispose]() {
      await peer[Symbol.asyncDispose]();
      await side[Symbol.asyncDispose]();
    },
  };
}

let serial = 1000;

export function text(body: string | Buffer, extra: { successReport?: boolean } = {}) {
  return { messageId: `msg${++serial}`, contentType: 'text/plain', body: Buffer.from(body), ...extra };
}
