/**
 * Owns: from a URI to transport, address and port (RFC 3263; numeric hosts and address look-up only).
 * Called by: outbound requests and responses. Calls: node:dns.
 */
import { lookup } from 'node:dns/promises';
import { ProtocolError } from '../../base/protocol-error.ts';
import { addressOfHost, isNumericHost, type SipUri } from '../uri.ts';
import type { Soon } from './soon.ts';
import type { TransportName } from './transport.ts';

/** Where a message goes: a numeric address. */
export interface Target {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
}

const DEFAULT_PORT = 5_060;

/**
 * The transport that a URI asks for (RFC 3263 §4.1; UDP when it says nothing).
 * @throws ProtocolError 416 for `sips` and `tel`, `SIP_TRANSPORT` for a transport that we do not have.
 */
export function transportOf(uri: SipUri): TransportName {
  if (uri.scheme !== 'sip') throw new ProtocolError('SIP_URI_SCHEME', 416, `no transport for ${uri.scheme}:`);
  const name = uri.params.get('transport')?.toLowerCase() ?? 'udp';
  if (name !== 'udp' && name !== 'tcp') throw new ProtocolError('SIP_TRANSPORT', 503, `no transport ${name}`);
  return name;
}

/** Finds the address of a URI. A numeric host gives a value at once; a failed look-up rejects. */
export function resolveTarget(uri: SipUri): Soon<Target> {
  const transport = transportOf(uri);
  const maddr = uri.params.get('maddr') ?? '';
  const host = maddr === '' ? uri.host : maddr;
  const port = uri.port ?? DEFAULT_PORT;
  if (port === 0) throw new ProtocolError('SIP_TRANSPORT', 503, 'port 0');
  if (isNumericHost(host)) return { transport, address: addressOfHost(host), port };
  return lookup(host).then(({ address }) => ({ transport, address, port }));
}
