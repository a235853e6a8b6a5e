/**
 * Owns: the self-signed certificate that an endpoint shows; it lives in memory and is never written anywhere.
 * Called by: tls-context.ts. Calls: certificate.ts, node:crypto.
 */
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { createCertificate } from './certificate.ts';
import { formatFingerprint } from './fingerprint.ts';

/** Certificate and key as PEM text, and the value of `a=fingerprint` that announces it. */
export interface MsrpIdentity {
  readonly cert: string;
  readonly key: string;
  readonly fingerprint: string;
}

const DAY_MS = 86_400_000;
/** Peers compare the fingerprint; the dates only have to hold while the program runs, on clocks that are a bit off. */
const VALID_FROM_DAYS = -2;
const VALID_TO_DAYS = 365;
const PEM_LINE = 64;
const generateInPool = promisify(generateKeyPair);

/** Makes a key pair (ECDSA, P-256) and a certificate for it that names nobody (RFC 4975 §14.4, RFC 8122). */
export async function createMsrpIdentity(): Promise<MsrpIdentity> {
  const { publicKey, privateKey } = await generateInPool('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const certificate = await createCertificate(
    {
      commonName: 'msrp',
      notBefore: new Date(Date.now() + VALID_FROM_DAYS * DAY_MS),
      notAfter: new Date(Date.now() + VALID_TO_DAYS * DAY_MS),
      publicKey,
    },
    privateKey,
  );
  return { cert: formatPem(certificate), key: privateKey, fingerprint: formatFingerprint(certificate) };
}

/** RFC 7468 §2: lines of 64 characters. */
function formatPem(certificate: Buffer): string {
  const text = certificate.toString('base64');
  const lines = Array.from({ length: Math.ceil(text.length / PEM_LINE) }, (_, line) =>
    text.slice(line * PEM_LINE, (line + 1) * PEM_LINE),
  );
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
