/**
 * Owns: a client of relays on a free port of the loopback, and what a friendly scripted relay says. Called by: tests of
 * relays. Calls: main/msrp.
 */
import { systemClock, type Clock } from '../../main/base/clock.ts';
import type { MsrpNetworkLimits } from '../../main/base/msrp-network-limits.ts';
import { MsrpEndpoint } from '../../main/msrp/endpoint.ts';
import { MsrpRelayClient } from '../../main/msrp/relay-client.ts';
import { findRelays } from '../../main/msrp/relay-servers.ts';
import type { MsrpSession } from '../../main/msrp/session.ts';
import { MsrpPeerListener, RecordingDelegate, type MsrpPeer, type PeerFrame } from '../support/msrp-peer.ts';
import { path } from './fixture.ts';

const noRecords = () => Promise.resolve([]);

export async function openClient(
  relays: readonly string[],
  options: { clock?: Clock; ca?: readonly string[]; networkLimits?: Partial<MsrpNetworkLimits> } = {},
) {
  const endpoint = new MsrpEndpoint({ clock: systemClock, ...options });
  await endpoint.listen({ host: '127.0.0.1', port: 0 });
  const client = new MsrpRelayClient({
    endpoint,
    user: 'alice',
    password: 'wonder "land"',
    findServers: () => findRelays(relays, 'chat.home.arpa', noRecords),
    localHost: () => '127.0.0.1',
  });
  return {
    endpoint,
    client,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await endpoint[Symbol.asyncDispose]();
    },
  };
}

/** The plain URI under which a scripted relay listens. */
export function relayUri(listener: MsrpPeerListener): string {
  return listener.path.replace('/listener;', ';');
}

export function reply(peer: MsrpPeer, frame: PeerFrame, status: string, ...headers: string[]): void {
  const lines = [
    `MSRP ${frame.id} ${status}`,
    `To-Path: ${frame.headers.get('From-Path') ?? ''}`,
    `From-Path: ${frame.headers.get('To-Path') ?? ''}`,
    ...headers,
  ];
  peer.send(`${lines.join('\r\n')}\r\n-------${frame.id}$\r\n`);
}

export function challenge(nonce: string, more = ''): string {
  return `WWW-Authenticate: Digest realm="relay", nonce="${nonce}", qop="auth", opaque="o=1"${more}`;
}

export const USE_PATH = 'msrps://relay.example:2855/a+b/c=;tcp';

/** Lets a client in as a friendly relay does; returns its frames. */
export async function letIn(peer: MsrpPeer, usePath = USE_PATH, expires = '600'): Promise<PeerFrame[]> {
  const first = await peer.frame();
  reply(peer, first, '401 Unauthorized', challenge('n1'));
  const second = await peer.frame();
  reply(peer, second, '200 OK', `Use-Path: ${usePath}`, `Expires: ${expires}`);
  return [first, second];
}

/** The other end of a session, behind a relay of its own. */
export const REMOTE = 'msrps://r2.example:2855/q;tcp msrps://bob.example:7/b;tcp';

export async function openBehind(networkLimits: Partial<MsrpNetworkLimits> = {}) {
  const relay = await MsrpPeerListener.listen();
  const side = await openClient([relayUri(relay)], { networkLimits });
  const bound = side.client.bind();
  const peer = await relay.accept();
  await letIn(peer);
  const place = await bound;
  const createSession = () => {
    const delegate = new RecordingDelegate();
    const session = side.endpoint.createSession({
      advertisedHost: '127.0.0.1',
      acceptTypes: ['*'],
      delegate,
      encrypted: true,
      relay: place,
    });
    return { session, delegate };
  };
  return {
    peer,
    ...createSession(),
    createSession,
    async [Symbol.asyncDispose]() {
      await side[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
    },
  };
}

export async function visitThrough({
  session,
  peer,
}: {
  session: MsrpSession;
  peer: MsrpPeer;
}): Promise<void> {
  const visited = session.visit(path(REMOTE));
  reply(peer, await peer.frame(), '200 OK');
  await visited;
}
