/**
 * Owns: an endpoint with a place at the relay of the bench. Called by: load.ts, receiver.ts. Calls: main/msrp.
 */
import { MsrpEndpoint } from '../../../main/msrp/endpoint.ts';
import { MsrpRelayClient } from '../../../main/msrp/relay-client.ts';
import { announcedRelay, findRelays } from '../../../main/msrp/relay-servers.ts';
import { BENCH_LIMITS } from '../msrp/peer-protocol.ts';
import { BENCH_USERS, type RelayReady } from './process-protocol.ts';

export interface BenchPlace {
  readonly endpoint: MsrpEndpoint;
  readonly client: MsrpRelayClient;
}

/** Opens one; over TLS its certificate is the announced one. */
export async function openPlace(
  user: keyof typeof BENCH_USERS,
  relay: RelayReady,
  encrypted: boolean,
): Promise<BenchPlace> {
  const endpoint = new MsrpEndpoint({ limits: BENCH_LIMITS });
  await endpoint.listen({ host: '127.0.0.1', port: 0 });
  const announced = announcedRelay(relay.announcement, '127.0.0.1');
  const plain = relay.uris.filter((uri) => uri.startsWith('msrp:'));
  const client = new MsrpRelayClient({
    endpoint,
    user,
    password: BENCH_USERS[user],
    findServers: () =>
      encrypted && announced
        ? Promise.resolve([announced])
        : findRelays(plain, '', () => Promise.resolve([])),
    localHost: () => '127.0.0.1',
  });
  return { endpoint, client };
}
