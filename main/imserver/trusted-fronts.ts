/**
 * Owns: where a request really comes from when a proxy in front of the server has passed it on. Called by: credentials.ts.
 * Calls: sip/uri.ts.
 */
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import { addressOfHost, isNumericHost, plainAddress, tryParseSipUri } from '../sip/uri.ts';

/** What a front says of its client: `sip:192.0.2.7:40123;transport=tls`. */
const CLIENT_ADDRESS_HEADER = 'X-Client-Address';

/** Where a client is. */
export interface ClientAddress {
  /** IPv6 without brackets. */
  readonly address: string;
  /** `udp`, `tcp` or `tls`. */
  readonly transport: string;
  /** Both and the port as a SIP URI. */
  readonly uri: string;
}

/** The client of a request: who sent it, or whom a trusted front names. From anybody else the header says nothing. */
export function clientOf(
  request: Pick<AgentServerRequest, 'source' | 'sourceUri' | 'message'>,
  fronts: readonly string[],
): ClientAddress {
  const { address, transport } = request.source;
  const sender = { address: plain(address), transport: transport.toLowerCase(), uri: request.sourceUri };
  if (!fronts.some((front) => plain(front) === sender.address)) return sender;
  const uri = request.message.headers.get(CLIENT_ADDRESS_HEADER)?.trim() ?? '';
  const named = tryParseSipUri(uri);
  if (named === undefined) return sender;
  const host = plain(addressOfHost(named.host));
  if (!isNumericHost(named.host) && !host.includes(':')) return sender;
  return { address: host, transport: named.params.get('transport')?.toLowerCase() ?? 'udp', uri };
}

function plain(address: string): string {
  return plainAddress(address.toLowerCase());
}
