/**
 * Owns: TLS on a connection that we opened: the handshake, and whether the other side is who it has to be.
 * Called by: dialer.ts. Calls: node:tls, fingerprint.ts.
 */
import net from 'node:net';
import tls from 'node:tls';
import { isAnnounced, type MsrpFingerprint } from './fingerprint.ts';
import { MsrpSessionError } from './session-error.ts';

/** Whom we expect at the other end of TLS. */
export type MsrpTrust =
  /** A certificate that the SDP has announced; without any, whoever answers (`unproven`). */
  | { readonly kind: 'fingerprint'; readonly announced: readonly MsrpFingerprint[] }
  /** One that an authority has issued for the host, or for `name` by which the host was found: relays. */
  | { readonly kind: 'authority'; readonly name?: string };

/** Two trusts are the same when this text is. */
export function trustText(trust: MsrpTrust | undefined): string {
  if (trust === undefined) return 'plain';
  if (trust.kind === 'authority') return `authority ${trust.name ?? ''}`;
  return trust.announced.map(({ hash, digest }) => `${hash} ${digest.toString('hex')}`).join(', ');
}

/** What TLS needs besides a place to connect to. */
export interface MsrpTlsOptions {
  readonly context: tls.SecureContext;
  readonly trust: MsrpTrust;
}

/** Connects to `place` and goes on with the handshake, which {@link shakeHands} follows. */
export function connectSecurely(
  place: net.TcpNetConnectOpts,
  { context, trust }: MsrpTlsOptions,
): tls.TLSSocket {
  const byAuthority = trust.kind === 'authority';
  const name = byAuthority ? (trust.name ?? place.host ?? '') : (place.host ?? '');
  return tls.connect({
    ...place,
    secureContext: context,
    rejectUnauthorized: byAuthority,
    checkServerIdentity: (_, certificate) => tls.checkServerIdentity(name, certificate),
    ...(net.isIP(name) === 0 ? { servername: name } : {}),
  });
}

/** Waits for the handshake. Rejects with MsrpSessionError; the socket is then gone. Nothing of MSRP has been sent by then. */
export function shakeHands(
  secure: tls.TLSSocket,
  host: string,
  trust: MsrpTrust,
): { readonly done: Promise<tls.TLSSocket>; readonly destroy: () => void } {
  const { promise, resolve, reject } = Promise.withResolvers<tls.TLSSocket>();
  const place = `${host}:${secure.remotePort ?? 0}`;
  const byAuthority = trust.kind === 'authority';
  const fail = (error: MsrpSessionError) => {
    secure.off('error', receiveError);
    secure.on('error', () => undefined);
    secure.destroy();
    reject(error);
  };
  const receiveError = (error: NodeJS.ErrnoException) => {
    const code = error.code ?? error.message;
    if (byAuthority && isCertificateFault(code)) {
      const why = `the certificate of ${place} is not to be trusted: ${error.message}`;
      fail(new MsrpSessionError('MSRP_UNTRUSTED_CERTIFICATE', why, { cause: error }));
      return;
    }
    fail(new MsrpSessionError('MSRP_TLS_FAILED', `TLS with ${place} failed: ${code}`, { cause: error }));
  };
  const receiveClose = () => {
    fail(new MsrpSessionError('MSRP_TLS_FAILED', `${place} broke the TLS handshake off`));
  };
  secure.on('error', receiveError);
  secure.once('close', receiveClose);
  secure.once('secureConnect', () => {
    secure.off('close', receiveClose);
    const certificate = secure.getPeerX509Certificate()?.raw;
    if (
      trust.kind === 'fingerprint' &&
      trust.announced.length > 0 &&
      !isAnnounced(certificate, trust.announced)
    ) {
      fail(wrongCertificate(place));
      return;
    }
    secure.off('error', receiveError);
    resolve(secure);
  });
  return { done: promise, destroy: () => secure.destroy() };
}

/** Somebody showed another certificate than the one announced. */
export function wrongCertificate(place: string): MsrpSessionError {
  return new MsrpSessionError(
    'MSRP_WRONG_CERTIFICATE',
    `${place} showed another certificate than the one that was announced`,
  );
}

/** Codes of OpenSSL about certificates, and Node's about their names. */
function isCertificateFault(code: string): boolean {
  return /CERT|SIGNATURE|ALTNAME|ISSUER|CRL|CHAIN/.test(code) && !code.startsWith('ERR_SSL');
}
