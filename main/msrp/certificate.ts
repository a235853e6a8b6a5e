/**
 * Owns: one shape of certificate in DER: X.509 v3, self-signed with ECDSA on P-256 and SHA-256 (RFC 5280, RFC 5758).
 * Called by: tls-identity.ts. Calls: node:crypto.
 */
import { randomBytes, sign } from 'node:crypto';
import { promisify } from 'node:util';

/** What a certificate says. Dates are written with seconds. */
export interface CertificateContent {
  /** The common name of who it is for, and of who made it. */
  readonly commonName: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Buffer;
}

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const SET = 0x31;
const EXPLICIT_0 = 0xa0;
/** Object identifiers, tag and length included: 2.5.4.3 (RFC 5280 A.1), and 1.2.840.10045.4.3.2 (RFC 5758 §3.2). */
const COMMON_NAME = Buffer.from('0603550403', 'hex');
const ECDSA_WITH_SHA256 = der(SEQUENCE, Buffer.from('06082a8648ce3d040302', 'hex'));
const VERSION_3 = der(EXPLICIT_0, der(INTEGER, Buffer.of(2)));
const SERIAL_BYTES = 16;
/** RFC 5280 §4.1.2.5: from this year on dates have four digits for the year. */
const GENERALIZED_FROM_YEAR = 2050;
const signInPool = promisify(sign);

/** The certificate in DER, signed with `privateKey` (PEM), away from the event loop. */
export async function createCertificate(content: CertificateContent, privateKey: string): Promise<Buffer> {
  const { commonName, notBefore, notAfter, publicKey } = content;
  const named = der(SEQUENCE, COMMON_NAME, der(UTF8_STRING, Buffer.from(commonName)));
  const name = der(SEQUENCE, der(SET, named));
  const validity = der(SEQUENCE, derTime(notBefore), derTime(notAfter));
  const toSign = der(SEQUENCE, VERSION_3, derSerial(), ECDSA_WITH_SHA256, name, validity, name, publicKey);
  const signature = await signInPool('sha256', toSign, privateKey);
  return der(SEQUENCE, toSign, ECDSA_WITH_SHA256, der(BIT_STRING, Buffer.of(0), signature));
}

/** One element: tag, length, content (X.690 §8.1, §10.1). */
function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const length = content.reduce((sum, one) => sum + one.length, 0);
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), ...content]);
  const hex = length.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.of(tag, 0x80 | bytes.length), bytes, ...content]);
}

/** RFC 5280 §4.1.2.2: positive, in as few bytes as it takes: the first bits are 01. */
function derSerial(): Buffer {
  const serial = randomBytes(SERIAL_BYTES);
  serial.writeUInt8((serial.readUInt8(0) & 0x7f) | 0x40, 0);
  return der(INTEGER, serial);
}

/** `YYMMDDHHMMSSZ`, from 2050 on `YYYYMMDDHHMMSSZ`. */
function derTime(date: Date): Buffer {
  const digits = `${date.toISOString().replace(/\.\d+Z$|[-:T]/g, '')}Z`;
  return date.getUTCFullYear() < GENERALIZED_FROM_YEAR
    ? der(UTC_TIME, Buffer.from(digits.slice(2)))
    : der(GENERALIZED_TIME, Buffer.from(digits));
}
