/**
 * Owns: under which address a server sees us, and our Contact with it. Called by: registration-flow.ts.
 * Calls: sip/headers.ts, sip/uri.ts.
 */
import { ProtocolError } from '../../base/protocol-error.ts';
import { formatNameAddr, parseNameAddr, parseVia } from '../headers.ts';
import type { SipResponse } from '../message.ts';
import { addressOfHost, formatSipUri, hostOfAddress, parseSipUri } from '../uri.ts';

/** An address and port. */
export interface SeenAt {
  readonly address: string;
  readonly port: number;
}

/**
 * Where the server saw our request come from: `received` and `rport` of the top Via (RFC 3581 §4), else what we wrote
 * into it. Undefined when it says nothing that can be used.
 */
export function seenAt(response: SipResponse): (SeenAt & { readonly overUdp: boolean }) | undefined {
  const text = response.headers.list('via')[0];
  if (text === undefined) return undefined;
  try {
    const via = parseVia(text);
    const port = Number(via.params.get('rport') || (via.port ?? 5_060));
    const address = addressOfHost(via.params.get('received') ?? via.host);
    if (!Number.isInteger(port) || port < 1 || port > 65_535 || address === '') return undefined;
    return { address, port, overUdp: via.transport === 'UDP' };
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** `contact` (a name-addr) with this address and port, for this transport. Without an address its own host stays. */
export function contactAt(contact: string, transport: string, at: SeenAt | undefined): string {
  const nameAddr = parseNameAddr(contact);
  const uri = parseSipUri(nameAddr.uri);
  const moved = at === undefined ? uri : { ...uri, host: hostOfAddress(at.address), port: at.port };
  const params = new Map([
    ['transport', transport],
    ...[...uri.params].filter(([name]) => name !== 'transport'),
  ]);
  return formatNameAddr({ ...nameAddr, uri: formatSipUri({ ...moved, params }) });
}
