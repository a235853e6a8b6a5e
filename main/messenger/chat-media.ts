/**
 * Owns: the way of messages in one chat: encrypted or not, directly or through a relay, what is tried when it does not
 * come about, and what is refused. Called by: chat.ts. Calls: msrp/session.ts, msrp/sdp.ts.
 */
import type { Session, SessionEndCode } from '../../shared/domain/conversation.ts';
import type { Settings } from '../../shared/settings.ts';
import type { Clock } from '../base/clock.ts';
import type { MsrpEndpoint } from '../msrp/endpoint.ts';
import {
  buildMsrpAnswer,
  buildMsrpOffer,
  isAnchored,
  parseMsrpDescription,
  type MsrpDescription,
  type MsrpLocalDescription,
  type SdpAttribute,
} from '../msrp/sdp.ts';
import { MsrpSessionError } from '../msrp/session-error.ts';
import type { MsrpSession, MsrpSessionDelegate, MsrpSessionRelay } from '../msrp/session.ts';
import { formatMsrpPath } from '../msrp/uri.ts';
import { RelayedMessages } from './relayed-messages.ts';

/** How an account wants its messages to go. */
export interface MediaPolicy {
  readonly encryption: Settings['messages.encryption'];
  readonly path: Settings['messages.path'];
  readonly cema: boolean;
}

/** What the way of messages depends on beside the network. */
export interface MediaWays {
  readonly policy: MediaPolicy;
  /** A place at one of our relays. Rejects with MsrpSessionError. */
  relay(): Promise<MsrpSessionRelay>;
  /** The peer has spoken TLS since the program began. */
  readonly peerEncrypts: boolean;
  receiveEncrypted(): void;
}

export interface ChatMediaOptions {
  readonly msrp: MsrpEndpoint;
  readonly clock: Clock;
  readonly advertisedHost: string;
  readonly ways: MediaWays;
  readonly acceptTypes: readonly string[];
  readonly maxMessageBytes?: number;
  readonly delegate: MsrpSessionDelegate;
  /** `o=` of everything that is described. */
  readonly originId: string;
  readonly attributes?: MsrpLocalDescription['attributes'];
  readonly acceptWrappedTypes?: readonly string[];
  readonly signal: AbortSignal;
}

/** What is offered. */
interface Plan {
  readonly encrypted: boolean;
  readonly relay: boolean;
  readonly cema: boolean;
}

/** Messages cannot go, or not this way. `again`: another offer may help. */
export class MediaError extends Error {
  override readonly name = 'MediaError';
  readonly code: SessionEndCode;
  readonly again: boolean;

  constructor(code: SessionEndCode, message: string, again = false) {
    super(message);
    this.code = code;
    this.again = again;
  }

  /** A Warning for 488 (RFC 3261 §20.43): 302 incompatible transport, 399 what was tried and why it failed. */
  get warning(): string {
    const number = this.code === 'media-failed' ? 399 : 302;
    return `${number} parley "${this.message.replace(/["\\\r\n]/g, ' ')}"`;
  }
}

/** How the answering side came to its answer. */
export type Visited = 'visited' | 'unanswered' | 'passive';

/** The MSRP session of one chat, or the attempts to get one. */
export class ChatMedia {
  readonly #options: ChatMediaOptions;
  #plan: Plan;
  #session: MsrpSession | undefined;
  #relayed: RelayedMessages | undefined;
  #fingerprint: string | undefined;
  /** What was agreed, for refreshes. */
  #agreed:
    { readonly path: MsrpDescription['path']; readonly setup: 'active' | 'passive' | undefined } | undefined;
  #peerTypes: readonly string[] = [];
  #peerAttributes: readonly SdpAttribute[] = [];

  constructor(options: ChatMediaOptions) {
    this.#options = options;
    const { encryption, path, cema } = options.ways.policy;
    const relay = path === 'relay';
    this.#plan = { encrypted: encryption !== 'off', relay, cema: cema && !relay };
  }

  /** The MSRP session-id of this side; empty before there is one. */
  get sessionId(): string {
    return this.#session?.sessionId ?? '';
  }

  /** `a=accept-types` of the other side. */
  get peerTypes(): readonly string[] {
    return this.#peerTypes;
  }

  /** Attributes of the other side's message line. */
  get peerAttributes(): readonly SdpAttribute[] {
    return this.#peerAttributes;
  }

  /** As the window shows it. */
  get shown(): Pick<Session, 'encrypted' | 'mediaPath'> {
    const relayed = this.#plan.relay || (this.#agreed?.path.length ?? 0) > 1;
    return { encrypted: this.#session?.encrypted ?? false, mediaPath: relayed ? 'relay' : 'direct' };
  }

  /** The next offer. Rejects with MediaError when there is no way to make one. */
  async offer(): Promise<string> {
    await this.#open();
    return buildMsrpOffer({ ...this.#local(1), setup: 'actpass', cema: this.#plan.cema });
  }

  /**
   * The offer was refused with 488 or 606, or its line with port 0; `warning` is the header. Returns when another offer
   * may help, and throws MediaError when none would.
   */
  receiveRefusal(warning: string): void {
    const { policy, peerEncrypts } = this.#options.ways;
    const said = /"([^"]*)"/.exec(warning)?.[1] ?? '';
    if (warning.startsWith('399 parley ')) {
      // He has tried and not reached us: that says nothing against encryption, but for a relay.
      this.#takeRelayOr(new MediaError('media-failed', said));
      return;
    }
    if (warning.startsWith('302 parley ')) throw new MediaError('encryption-refused', said);
    if (!this.#plan.encrypted || this.#plan.relay) throw new MediaError('media-failed', said);
    if (policy.encryption === 'required') {
      throw new MediaError('encryption-refused', 'the other side takes no encrypted messages');
    }
    if (peerEncrypts) throw new MediaError('encryption-downgraded', 'the offer of encryption was refused');
    this.#plan = { ...this.#plan, encrypted: false };
  }

  /** Step 8 and after: resolves when the session is bound. Rejects with MediaError; `again`: with another offer. */
  async acceptAnswer(sdp: string): Promise<void> {
    const session = this.#required();
    const answer = parseMsrpDescription(sdp);
    if (answer === undefined) {
      if (!/^m=message 0 /m.test(sdp)) throw new MediaError('media-failed', 'the answer offers no messages');
      this.receiveRefusal('');
      throw new MediaError('media-failed', 'the answer refuses messages', true);
    }
    this.#check(answer, this.#plan.encrypted);
    if (this.#plan.cema && !answer.cema && isAnchored(answer)) {
      // RFC 6714 §4.2: whoever stands between us and him wants the connection, and he does not know of it.
      this.#plan = { ...this.#plan, cema: false };
      throw new MediaError('media-failed', 'the answer leads elsewhere than its path', true);
    }
    if (await this.#followToRelay(answer)) {
      throw new MediaError('media-failed', 'the answer leads through a relay', true);
    }
    this.#peerTypes = answer.acceptTypes;
    this.#peerAttributes = answer.attributes;
    this.#agreed = { path: answer.path, setup: answer.setup === 'active' ? 'passive' : 'active' };
    try {
      await session.acceptAnswer(answer.path, {
        // An answer that is passive, or silent about who connects: we connect (RFC 6135; RFC 4975 §5.4).
        connectToAnswerer: answer.setup !== 'active',
        ...this.#remote(answer, this.#plan.cema && answer.cema),
      });
    } catch (error) {
      if (isUnreachable(error)) {
        this.#takeRelayOr(mediaErrorOf(error));
        throw new MediaError('media-failed', error.message, true);
      }
      throw mediaErrorOf(error);
    }
    this.#receiveBound();
  }

  /** Steps 4 and 5, or who will visit us instead. Rejects with MediaError: then the offer is to be refused. */
  async receiveOffer(offer: MsrpDescription): Promise<Visited> {
    this.#plan = { ...this.#plan, encrypted: isSecure(offer), cema: offer.cema && !this.#plan.relay };
    this.#check(offer, false);
    // Unless the path names a relay, or TLS says who it is all the same (RFC 6714 §4.3).
    if (isAnchored(offer) && !offer.cema && offer.fingerprints.length === 0) {
      throw new MediaError('media-failed', 'c= and m= lead elsewhere than the path');
    }
    this.#peerTypes = offer.acceptTypes;
    this.#peerAttributes = offer.attributes;
    await this.#followToRelay(offer);
    const session = await this.#open();
    const visits = offer.setup !== undefined && offer.setup !== 'active';
    const setup = visits ? 'active' : offer.setup === undefined ? undefined : 'passive';
    this.#agreed = { path: offer.path, setup };
    if (!visits) {
      session.expectVisit(offer.path, this.#remote(offer, false));
      return 'passive';
    }
    try {
      const { status } = await session.visit(offer.path, this.#remote(offer, offer.cema));
      return status === 200 ? 'visited' : 'unanswered';
    } catch (error) {
      // A strict peer that hangs up before the answer: we come again after it.
      if (error instanceof MsrpSessionError && session.state === 'unconfirmed') return 'unanswered';
      if (!isUnreachable(error)) throw mediaErrorOf(error);
      this.#takeRelayOr(mediaErrorOf(error));
      session.destroy();
      (await this.#open()).expectVisit(offer.path, this.#remote(offer, false));
      this.#agreed = { path: offer.path, setup: 'passive' };
      return 'passive';
    }
  }

  /** The answer to `offer`, or to one that refreshes it. Undefined for one that leads elsewhere. */
  answer(version: number, offer: MsrpDescription): string | undefined {
    const agreed = this.#agreed;
    if (agreed === undefined || formatMsrpPath(offer.path) !== formatMsrpPath(agreed.path)) return undefined;
    const setup = offer.setup === undefined || agreed.setup === undefined ? {} : { setup: agreed.setup };
    return buildMsrpAnswer({ ...this.#local(version), offer, cema: this.#plan.cema && offer.cema, ...setup });
  }

  /** After the ACK: resolves when the session is bound. Rejects with MediaError. */
  async complete(visited: Visited, offer: MsrpDescription): Promise<void> {
    const session = this.#required();
    try {
      if (visited === 'unanswered') {
        const { status } = await session.revisit({ signal: this.#options.signal });
        if (status !== 200) {
          throw new MediaError('media-failed', `the visit was answered with ${status || 'nothing'}`);
        }
      }
      if (visited === 'passive') await session.awaitVisit(offer.path, this.#remote(offer, false));
    } catch (error) {
      throw mediaErrorOf(error);
    }
    this.#receiveBound();
  }

  /** Resolves with the MSRP status; rejects with MsrpSessionError when the session ends first. */
  async sendMessage(message: Parameters<MsrpSession['sendMessage']>[0]): Promise<number> {
    const session = this.#required();
    if (this.#relayed !== undefined) return this.#relayed.send(session, message);
    return (await session.sendMessage(message)).status;
  }

  /** Rejects with MsrpSessionError when there is no session. */
  sendNickname(nickname: string): Promise<number> {
    return this.#required().sendNickname(nickname);
  }

  async close(): Promise<void> {
    await this.#session?.close();
  }

  destroy(): void {
    this.#relayed?.[Symbol.dispose]();
    this.#session?.destroy();
  }

  #required(): MsrpSession {
    if (this.#session === undefined) throw new MsrpSessionError('MSRP_BAD_STATE', 'there is no session yet');
    return this.#session;
  }

  /** A session as the plan wants it; the one before is given up. */
  async #open(): Promise<MsrpSession> {
    const { msrp, advertisedHost, acceptTypes, maxMessageBytes, delegate, ways, signal } = this.#options;
    this.#session?.destroy();
    let relay: MsrpSessionRelay | undefined;
    if (this.#plan.relay) {
      try {
        relay = await ways.relay();
      } catch (error) {
        throw mediaErrorOf(error);
      }
    }
    this.#fingerprint = this.#plan.encrypted ? (await msrp.identity()).fingerprint : undefined;
    if (signal.aborted) throw new MediaError('cancelled', 'it was taken back');
    const session = msrp.createSession({
      advertisedHost,
      acceptTypes,
      delegate: {
        ...delegate,
        receiveMessage: (message) => delegate.receiveMessage(message),
        receiveVisit: (path) => {
          delegate.receiveVisit(path);
        },
        receiveReport: (report) => {
          this.#relayed?.receiveReport(report);
          delegate.receiveReport(report);
        },
        receiveClose: (reason) => {
          this.#relayed?.[Symbol.dispose]();
          delegate.receiveClose(reason);
        },
      },
      encrypted: this.#plan.encrypted,
      unprovenAllowed: ways.policy.encryption !== 'required',
      ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }),
      ...(relay === undefined ? {} : { relay }),
    });
    this.#session = session;
    return session;
  }

  #local(version: number): MsrpLocalDescription {
    const { acceptTypes, acceptWrappedTypes, originId, attributes } = this.#options;
    return {
      path: this.#required().localPath,
      acceptTypes,
      origin: { id: originId, version },
      ...(this.#fingerprint === undefined ? {} : { fingerprint: this.#fingerprint }),
      ...(attributes === undefined ? {} : { attributes }),
      ...(acceptWrappedTypes === undefined ? {} : { acceptWrappedTypes }),
    };
  }

  #remote(peer: MsrpDescription, cema: boolean) {
    return {
      announced: peer.fingerprints,
      signal: this.#options.signal,
      ...(cema && isAnchored(peer) ? { dialTo: { host: peer.address, port: peer.port } } : {}),
    };
  }

  /** What the policy says about encryption. `offered`: we have offered it. */
  #check(peer: MsrpDescription, offered: boolean): void {
    const { policy, peerEncrypts } = this.#options.ways;
    const encrypted = peer.path.every(({ scheme }) => scheme === 'msrps');
    const proven = peer.path.length > 1 || peer.fingerprints.length > 0;
    if (!isSecure(peer) && offered) {
      throw new MediaError('encryption-downgraded', 'encryption was offered, and the answer is without');
    }
    if (policy.encryption === 'required' && !(encrypted && proven)) {
      throw new MediaError('encryption-refused', 'only encrypted messages are taken here');
    }
    if (!isSecure(peer) && peerEncrypts && policy.encryption !== 'off') {
      throw new MediaError(
        'encryption-downgraded',
        'messages were encrypted before, and now they are not to be',
      );
    }
  }

  /** Another offer or answer goes through our relay, if the policy lets it; else throws `error`. */
  #takeRelayOr(error: MediaError): void {
    if (this.#options.ways.policy.path !== 'auto' || this.#plan.relay) throw error;
    this.#plan = { ...this.#plan, relay: true, cema: false };
  }

  /**
   * In `auto`, who is led to a relay goes behind his own, if there is one: relays open connections to whom they do not
   * know, and perhaps nobody gets through to us either. Returns whether the plan has changed.
   */
  async #followToRelay({ path }: MsrpDescription): Promise<boolean> {
    const { ways } = this.#options;
    if (ways.policy.path !== 'auto' || this.#plan.relay || path.length < 2) return false;
    try {
      await ways.relay();
    } catch (error) {
      if (!(error instanceof MsrpSessionError)) throw error;
      return false;
    }
    this.#plan = { ...this.#plan, relay: true, cema: false };
    return true;
  }

  #receiveBound(): void {
    const { clock, msrp, ways } = this.#options;
    if (this.#session?.encrypted === true) ways.receiveEncrypted();
    // The 200 of a relay says that it has the message, and nothing about the other side.
    if (this.shown.mediaPath === 'relay')
      this.#relayed = new RelayedMessages(clock, msrp.networkLimits.relayReportMs);
  }
}

/** Whether the endpoint itself speaks TLS; its relays may not. */
function isSecure({ path }: MsrpDescription): boolean {
  return path.at(-1)?.scheme === 'msrps';
}

/** Nobody was there: another way may lead to him. Somebody who is not the right one is no such case. */
function isUnreachable(error: unknown): error is MsrpSessionError {
  if (!(error instanceof MsrpSessionError)) return false;
  return error.code.startsWith('MSRP_CONNECT_') || error.code === 'MSRP_TLS_FAILED';
}

function mediaErrorOf(error: MsrpSessionError): MediaError;
function mediaErrorOf(error: unknown): unknown;
function mediaErrorOf(error: unknown): unknown {
  if (!(error instanceof MsrpSessionError)) return error;
  const wrong = error.code === 'MSRP_WRONG_CERTIFICATE' || error.code === 'MSRP_UNTRUSTED_CERTIFICATE';
  return new MediaError(wrong ? 'wrong-certificate' : 'media-failed', error.message);
}
