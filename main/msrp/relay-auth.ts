/**
 * Owns: digest authentication toward MSRP relays: reading a challenge, writing the Authorization of an AUTH.
 * Called by: relay-client.ts. Calls: base/digest.ts. Sources: RFC 4976 §5.1 and §9.1, RFC 7616 §3.4, RFC 8760 §2.4.
 */
import { randomBytes } from 'node:crypto';
import { DIGEST_ALGORITHMS, digestHa1, digestResponse, type DigestAlgorithm } from '../base/digest.ts';

/** What a relay asks for with 401. */
export interface RelayChallenge {
  readonly algorithm: DigestAlgorithm;
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  readonly qop: boolean;
  /** Only the nonce was too old: the password is not in question. */
  readonly stale: boolean;
}

const PARAM = /([A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))/g;

function readChallenge(value: string): RelayChallenge | undefined {
  if (!/^digest\s/i.test(value)) return undefined;
  const params = new Map<string, string>();
  for (const [, name = '', quoted, bare = ''] of value.slice('Digest '.length).matchAll(PARAM)) {
    params.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? bare);
  }
  const named = (params.get('algorithm') ?? 'MD5').toUpperCase();
  const algorithm = DIGEST_ALGORITHMS.find((known) => known === named);
  const [realm, nonce] = [params.get('realm'), params.get('nonce')];
  const qops = params.get('qop')?.split(',');
  const qop = qops?.some((one) => one.trim().toLowerCase() === 'auth');
  if (algorithm === undefined || realm === undefined || nonce === undefined || qop === false)
    return undefined;
  return {
    algorithm,
    realm,
    nonce,
    opaque: params.get('opaque'),
    qop: qop === true,
    stale: params.get('stale')?.toLowerCase() === 'true',
  };
}

/** The first of several WWW-Authenticate values that we can answer, in the order of the relay's preference. */
export function chooseChallenge(values: readonly string[]): RelayChallenge | undefined {
  for (const value of values) {
    const challenge = readChallenge(value);
    if (challenge !== undefined) return challenge;
  }
  return undefined;
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/**
 * The value of Authorization for an AUTH to `uri`, the `count`th with this nonce. One relay wants `uri` in it, another
 * never answers when it is there: `withUri` decides.
 */
export function formatAuthorization(
  challenge: RelayChallenge,
  who: { readonly user: string; readonly password: string },
  request: { readonly uri: string; readonly count: number; readonly withUri: boolean },
): string {
  const { algorithm, realm, nonce, opaque } = challenge;
  const { uri, count, withUri } = request;
  const nc = count.toString(16).padStart(8, '0');
  const cnonce = randomBytes(12).toString('hex');
  const qop = challenge.qop ? { qop: { value: 'auth', nc, cnonce } } : {};
  const ha1 = digestHa1(algorithm, who.user, realm, who.password);
  const response = digestResponse({ algorithm, ha1, nonce, method: 'AUTH', uri, ...qop });
  const params = [
    `username=${quote(who.user)}`,
    `realm=${quote(realm)}`,
    `nonce=${quote(nonce)}`,
    ...(withUri ? [`uri=${quote(uri)}`] : []),
    `response="${response}"`,
    `algorithm=${algorithm}`,
    ...(challenge.qop ? [`cnonce="${cnonce}"`, `nc=${nc}`, 'qop=auth'] : []),
    ...(opaque === undefined ? [] : [`opaque=${quote(opaque)}`]),
  ];
  return `Digest ${params.join(', ')}`;
}
