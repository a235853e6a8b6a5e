/**
 * Owns: which relays there are: as the settings name them, or as DNS does (RFC 4976 §5.1).
 * Called by: the messenger. Calls: a resolver that is handed in.
 */
import { MSRP_NETWORK_LIMITS } from '../base/msrp-network-limits.ts';
import { parseFingerprint, type MsrpFingerprint } from './fingerprint.ts';
import { buildMsrpUri, parseMsrpUri, type MsrpUri } from './uri.ts';

/** One relay to try. `name` is whom its certificate has to be issued for. */
export interface RelayServer {
  readonly uri: MsrpUri;
  readonly name: string;
  /** Its certificate, where the server that told of it has said which: then no authority is asked. */
  readonly fingerprint?: MsrpFingerprint;
}

/** One record of `_msrps._tcp`. */
export interface RelayRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** Asks DNS for SRV records; an empty list when there are none. */
export type ResolveRelays = (service: string) => Promise<readonly RelayRecord[]>;

/** RFC 4975 recommends it; nobody listens elsewhere without saying so. */
const USUAL_PORT = 2_855;

/**
 * The relays in the order in which they are tried. `written` are `msrps://host:port`, `host:port` or names to look up;
 * without any the domain is looked up. Texts that name no relay are left out. Plain `msrp:` has to be written so.
 */
export async function findRelays(
  written: readonly string[],
  domain: string,
  resolve: ResolveRelays,
): Promise<readonly RelayServer[]> {
  const found: RelayServer[] = [];
  for (const text of written.length > 0 ? written : [domain]) {
    const { scheme, host, port } = parseRelay(text) ?? {};
    if (scheme === undefined || host === undefined) continue;
    const records = port === undefined && scheme === 'msrps' ? await resolve(`_msrps._tcp.${host}`) : [];
    for (const record of inOrder(records)) found.push(serverAt('msrps', record.name, record.port, host));
    // A domain that nobody wrote down as a relay is one only if DNS says so.
    if (records.length === 0 && written.length > 0) {
      found.push(serverAt(scheme, host, port ?? USUAL_PORT, host));
    }
  }
  return found.slice(0, MSRP_NETWORK_LIMITS.maxRelays);
}

const ANNOUNCED = /^(msrps:\/\/\S+) fingerprint="([^"]+)"$/;

/**
 * The relay that an IM Server announces (`RELAY_HEADER` of sip/agent), which came from `serverAddress`. Undefined for what
 * is none, and for one without TLS.
 */
export function announcedRelay(text: string | undefined, serverAddress: string): RelayServer | undefined {
  const [, uri = '', hex = ''] = ANNOUNCED.exec(text ?? '') ?? [];
  const parsed = parseRelay(uri);
  const fingerprint = parseFingerprint(hex);
  if (parsed?.port === undefined || fingerprint === undefined) return undefined;
  const isAny = parsed.host === '0.0.0.0' || parsed.host === '::';
  const host = isAny ? serverAddress : parsed.host;
  return { ...serverAt('msrps', host, parsed.port, host), fingerprint };
}

function parseRelay(
  text: string,
): { scheme: 'msrp' | 'msrps'; host: string; port: number | undefined } | undefined {
  const trimmed = text.trim().replace(/;.*$/, '');
  const full = /^msrps?:\/\//i.test(trimmed) ? trimmed : `msrps://${trimmed}`;
  try {
    const { scheme, host, port } = parseMsrpUri(`${full};tcp`);
    return { scheme, host, port };
  } catch {
    return undefined;
  }
}

function serverAt(scheme: 'msrp' | 'msrps', host: string, port: number, name: string): RelayServer {
  const built = buildMsrpUri({ scheme, host: host.replace(/\.$/, ''), port, sessionId: '' });
  return { uri: parseMsrpUri(built.text.replace('/;', ';')), name };
}

/** By priority, and in one priority by lot, heavier ones more often first (RFC 2782). */
function inOrder(records: readonly RelayRecord[]): readonly RelayRecord[] {
  const drawn = records.map((record) => ({
    record,
    lot: Math.random() ** (1 / Math.max(record.weight, 0.01)),
  }));
  drawn.sort((a, b) => a.record.priority - b.record.priority || b.lot - a.lot);
  return drawn.map(({ record }) => record);
}
