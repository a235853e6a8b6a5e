/**
 * Owns: what TLS of one endpoint shows and trusts: its own certificate for direct sessions, authorities for relays.
 * Called by: endpoint.ts. Calls: tls-identity.ts, node:tls.
 */
import { constants } from 'node:crypto';
import {
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type SecureContextOptions,
} from 'node:tls';
import { createMsrpIdentity, type MsrpIdentity } from './tls-identity.ts';

/** TLS 1.2 and 1.3; a peer cannot make us shake hands again and again on one connection. */
const SAFE = { minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_RENEGOTIATION } as const;

/** TLS of one endpoint. Everything is made when it is first needed. */
export class MsrpTls {
  readonly #ca: readonly string[];
  #identity: Promise<MsrpIdentity> | undefined;
  #direct: Promise<SecureContext> | undefined;
  #authorities: SecureContext | undefined;

  /**
   * `ca`: authorities as PEM text that are trusted beside those of the system. `identity`: what is shown instead of a
   * certificate of our own making.
   */
  constructor(ca: readonly string[] = [], identity?: MsrpIdentity) {
    this.#ca = ca;
    if (identity !== undefined) this.#identity = Promise.resolve(identity);
  }

  /** Another certificate is shown from now on. */
  renew(identity: MsrpIdentity): void {
    this.#identity = Promise.resolve(identity);
    this.#direct = undefined;
  }

  /** Our certificate. */
  identity(): Promise<MsrpIdentity> {
    this.#identity ??= createMsrpIdentity();
    return this.#identity;
  }

  /** For who connects to us: our certificate. Whose the other one is says its fingerprint. */
  async listening(): Promise<SecureContextOptions> {
    const { cert, key } = await this.identity();
    return { ...SAFE, cert, key };
  }

  /** For direct sessions that we connect: shows our certificate as well. */
  direct(): Promise<SecureContext> {
    this.#direct ??= this.listening().then(createSecureContext);
    return this.#direct;
  }

  /** For connections to relays: their certificate has to come from an authority. */
  authorities(): SecureContext {
    this.#authorities ??= createSecureContext({ ...SAFE, ca: [...systemAuthorities(), ...this.#ca] });
    return this.#authorities;
  }
}

function systemAuthorities(): readonly string[] {
  const found = new Set(getCACertificates('default'));
  try {
    for (const one of getCACertificates('system')) found.add(one);
  } catch {
    // A machine without a store of its own: the built-in list has to do.
  }
  return [...found];
}
