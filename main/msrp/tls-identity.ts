/**
 * Owns: the self-signed certificate that an endpoint shows; it lives in memory and is never written anywhere.
 * Called by: tls-context.ts. Calls: @peculiar/x509, loaded when the first certificate is made.
 */
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
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const { crypto } = globalThis;

/** Makes a key pair (ECDSA, P-256) and a certificate for it that names nobody (RFC 4975 §14.4, RFC 8122). */
export async function createMsrpIdentity(): Promise<MsrpIdentity> {
  await import('reflect-metadata');
  const { X509CertificateGenerator } = await import('@peculiar/x509');
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=msrp',
      notBefore: new Date(Date.now() + VALID_FROM_DAYS * DAY_MS),
      notAfter: new Date(Date.now() + VALID_TO_DAYS * DAY_MS),
      signingAlgorithm: ALGORITHM,
      keys,
    },
    crypto,
  );
  const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    cert: certificate.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`,
    fingerprint: formatFingerprint(new Uint8Array(certificate.rawData)),
  };
}
