/**
 * Owns: who the other end of a session is: its path, what its SDP announces, the relays on the way, and whether a
 * connection leads to it. Called by: session.ts. Calls: fingerprint.ts.
 */
import type { MsrpConnection } from './connection.ts';
import { isAnnounced, type MsrpFingerprint } from './fingerprint.ts';
import type { MsrpTrust } from './tls-client.ts';
import { formatMsrpPath, msrpPathsLeadToSameEndpoint, type MsrpUri } from './uri.ts';

/** A relay of ours through which a session goes (RFC 4976). */
export interface MsrpSessionRelay {
  /** As the relay gave it: stands in front of our URI in `a=path`. */
  readonly usePath: readonly MsrpUri[];
  readonly connection: MsrpConnection;
}

/** What the SDP of the peer says beside its path. */
export interface MsrpRemoteOptions {
  readonly signal?: AbortSignal;
  /** Its `a=fingerprint` lines. */
  readonly announced?: readonly MsrpFingerprint[];
  /** With CEMA: address and port of c= and m=, which are dialled instead of those of the path (RFC 6714 §4). */
  readonly dialTo?: { readonly host: string; readonly port: number };
}

/** The other end of one session, seen from ours. */
export class MsrpSessionPeer {
  readonly relay: MsrpSessionRelay | undefined;
  readonly #secure: boolean;
  readonly #unprovenAllowed: boolean;
  #path: readonly MsrpUri[] | undefined;
  #remote: MsrpRemoteOptions = {};

  constructor(options: { uri: MsrpUri; relay: MsrpSessionRelay | undefined; unprovenAllowed: boolean }) {
    this.relay = options.relay;
    this.#secure = options.uri.scheme === 'msrps';
    this.#unprovenAllowed = options.unprovenAllowed;
  }

  /** Its `a=path`, once it is known. */
  get path(): readonly MsrpUri[] | undefined {
    return this.#path;
  }

  learn(path: readonly MsrpUri[], remote: MsrpRemoteOptions): void {
    this.#path = path;
    this.#remote = remote;
  }

  /** What goes into To-Path: our own relays first, nearest first (RFC 4976 §5.2). */
  toPathText(): string {
    return formatMsrpPath([...(this.relay?.usePath ?? []).toReversed(), ...(this.#path ?? [])]);
  }

  /** Whether a From-Path is that of the peer; until it is known, everybody's is. */
  isAt(fromPath: readonly MsrpUri[]): boolean {
    return this.#path === undefined || msrpPathsLeadToSameEndpoint(fromPath, this.#path);
  }

  /** Whether a request came from the relay that we are behind, and not only through it. */
  isOurRelay(connection: MsrpConnection, fromPath: string | undefined): boolean {
    const { relay } = this;
    return connection === relay?.connection && relay.usePath.some(({ text }) => text === fromPath);
  }

  /** Its relay may come to us by a connection of its own, beside the one that we opened to it. */
  get isBehindRelay(): boolean {
    return (this.#path?.length ?? 0) > 1;
  }

  /** Where and with whom a connection to it begins; undefined when its path is empty. */
  target(): { readonly uri: MsrpUri; readonly trust: MsrpTrust } | undefined {
    const first = this.#path?.[0];
    return first && { uri: { ...first, ...this.#remote.dialTo }, trust: this.#trust() };
  }

  /** Whether this connection is as secure as our URI says, and leads to whom the SDP announced. */
  isProven(connection: MsrpConnection): boolean {
    if (!this.#secure || connection === this.relay?.connection) return true;
    if (connection.security === undefined) return false;
    if (this.isBehindRelay) return true;
    const { announced = [] } = this.#remote;
    if (announced.length === 0) return this.#unprovenAllowed;
    return isAnnounced(connection.security.certificate, announced);
  }

  /** Whether what was announced as msrps is spoken in the clear (RFC 4975 §14.4). */
  isDowngraded(connection: MsrpConnection): boolean {
    return this.#secure && connection.security === undefined && connection !== this.relay?.connection;
  }

  /** Whether messages over `connection` are encrypted as far as we know, and the one who reads them has proven himself. */
  isEncryptedOver(connection: MsrpConnection | undefined): boolean {
    if (connection?.security === undefined || this.#path === undefined) return false;
    if (this.relay !== undefined) return this.#path.every(({ scheme }) => scheme === 'msrps');
    return this.isBehindRelay || (this.#remote.announced ?? []).length > 0 || !this.#unprovenAllowed;
  }

  #trust(): MsrpTrust {
    const { announced = [] } = this.#remote;
    if (this.isBehindRelay) return { kind: 'authority' };
    if (announced.length > 0 || this.#unprovenAllowed) return { kind: 'fingerprint', announced };
    return { kind: 'authority' };
  }
}
