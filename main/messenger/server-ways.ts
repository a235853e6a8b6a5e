/**
 * Owns: which ways lead to the server of an account, and in which order they are tried.
 * Called by: account-link.ts, connection-report.ts, messenger.ts. Calls: sip/uri.ts.
 */
import type { ServerWay } from '../sip/agent/registration-flow.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import { addressOfHost, formatSipUri, parseSipUri, type SipUri } from '../sip/uri.ts';
import type { AccountTransport } from '../../shared/domain/account.ts';

/** What an account says of its server. */
export interface ServerPlace {
  readonly address: string;
  /** `host`, `host:port` or a SIP URI; empty: found by the domain of the address. */
  readonly server: string;
  readonly transport?: AccountTransport;
  /** Outbound proxies, written like a server; at most two. */
  readonly proxies?: readonly string[];
  /** The transport that worked last: tried first. */
  readonly lastTransport?: string;
}

type Transport = 'tls' | 'tcp' | 'udp';

const ORDER: readonly Transport[] = ['tls', 'tcp', 'udp'];
/** A port that was written down is that of TCP unless it is the one of TLS: TLS there would wait in vain for an answer. */
const ORDER_OF_PORT: readonly Transport[] = ['tcp', 'tls', 'udp'];
const TLS_PORT = 5_061;
const MAX_FLOWS = 2;

/**
 * The flows of an account: one for each outbound proxy, else one to the server itself; each with its ways in the order
 * in which they are tried. Throws ProtocolError when a server or proxy cannot be read.
 */
export function serverFlows(place: ServerPlace): ServerWay[][] {
  const { server, proxies = [] } = place;
  const given = proxies.filter((proxy) => proxy !== '').slice(0, MAX_FLOWS);
  if (given.length === 0) return [waysTo(server === '' ? domainOf(place.address) : server, place)];
  const behind = server === '' ? '' : `, <${looseRoute(readServer(server))}>`;
  return given.map((proxy) =>
    waysTo(proxy, place).map(({ nextHop }) => ({
      nextHop,
      route: `<${looseRoute(parseSipUri(nextHop))}>${behind}`,
    })),
  );
}

/** Host and port as the user would write them: of the first proxy, or the server. */
export function serverName(place: ServerPlace): string {
  const { host, port } = readServer(firstOf(place));
  return port === undefined ? host : `${host}:${port}`;
}

/** True when everything on the way is on this computer. */
export function isLocalPlace(place: ServerPlace): boolean {
  const hosts = serverFlows(place).flatMap((ways) => ways.map(({ nextHop }) => parseSipUri(nextHop).host));
  return hosts.map(addressOfHost).every((host) => {
    return host === 'localhost' || host === '::1' || host.startsWith('127.');
  });
}

/** The transport of a way, in lower case. */
export function transportOfWay({ nextHop }: ServerWay): string {
  const uri = parseSipUri(nextHop);
  return uri.params.get('transport')?.toLowerCase() ?? (uri.scheme === 'sips' ? 'tls' : 'udp');
}

function firstOf({ address, server, proxies = [] }: ServerPlace): string {
  return proxies.find((proxy) => proxy !== '') ?? (server === '' ? domainOf(address) : server);
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1);
}

function readServer(text: string): SipUri {
  const uri = parseSipUri(/^sips?:/i.test(text) ? text : `sip:${text}`);
  if (uri.host === '') throw new ProtocolError('SIP_BAD_URI', 400, 'a server without a name');
  return uri;
}

/** A URI with a transport says all; else what the account says; else one after the other, what worked last first. */
function waysTo(text: string, { transport = 'auto', lastTransport }: ServerPlace): ServerWay[] {
  const uri = readServer(text);
  if (uri.params.has('transport') || uri.scheme === 'sips') return [{ nextHop: formatSipUri(uri) }];
  const order = uri.port === undefined || uri.port === TLS_PORT ? ORDER : ORDER_OF_PORT;
  const tried = transport === 'auto' ? order : [transport];
  const sorted = [...tried].sort((a, b) => Number(b === lastTransport) - Number(a === lastTransport));
  return sorted.map((one) => ({
    nextHop: formatSipUri({ ...uri, params: new Map([...uri.params, ['transport', one]]) }),
  }));
}

function looseRoute(uri: SipUri): string {
  return formatSipUri({ ...uri, params: new Map([...uri.params, ['lr', '']]) });
}

/** Loopback while every server is on this computer: then nothing else can reach us, and no firewall asks. */
export function bindAddressFor(accounts: readonly ServerPlace[]): string {
  return accounts.every(isLocalPlace) ? '127.0.0.1' : '0.0.0.0';
}
