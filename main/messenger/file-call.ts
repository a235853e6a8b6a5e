/**
 * Owns: one attempt to move one file: a SIP dialog and an MSRP session of its own, in the order of the flow.
 * Called by: outgoing-transfer.ts, incoming-transfer.ts. Calls: sip/agent/invite.ts, msrp/session.ts, msrp/file-sdp.ts.
 */
import { systemClock, type Clock } from '../base/clock.ts';
import { MESSENGER_LIMITS, type MessengerLimits } from '../base/limits.ts';
import { parseFile, fileAttributes, type FileDescription } from '../msrp/file-sdp.ts';
import { buildMsrpAnswer, buildMsrpOffer, parseMsrpDescription, type MsrpDescription } from '../msrp/sdp.ts';
import { MsrpSessionError } from '../msrp/session-error.ts';
import type { MsrpOutgoingMessage, MsrpSession } from '../msrp/session.ts';
import type { MsrpSinkFor } from '../msrp/streams.ts';
import { formatMsrpPath } from '../msrp/uri.ts';
import { newCallIdentity } from '../sip/agent/authenticated-request.ts';
import type { DialogDelegate, InviteDialog } from '../sip/agent/invite-dialog.ts';
import { sendInvite, type IncomingInvite } from '../sip/agent/invite.ts';
import { EngineError } from '../sip/agent/outgoing.ts';
import { toNameAddr } from './address.ts';
import type { ChatContext } from './chat.ts';
import { buildInviteBody, type FileIcon } from './file-body.ts';

/** What a file's call needs of its account and conversation. */
export type FileCallContext = Omit<ChatContext, 'delegate' | 'idleMs'>;

/** How an attempt began. */
export type FileCallStart =
  /** Bytes may flow. `theirs`: what the other side says about the file. */
  | { readonly kind: 'open'; readonly theirs: FileDescription | undefined }
  /** The other side has answered no, by this SIP status; 0: nothing could be sent, or no connection came about. */
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'no-answer' }
  | { readonly kind: 'ended' };

/** Who ended a call that was open. */
export type FileCallEnd = 'us' | 'peer' | 'lost';

const ACCEPT_TYPES = ['*'] as const;

/** One SIP dialog with one MSRP session for one file (RFC 5547 §8). */
export class FileCall {
  readonly #context: FileCallContext;
  readonly #clock: Clock;
  readonly #limits: MessengerLimits;
  readonly #abort = new AbortController();
  readonly #over = Promise.withResolvers<FileCallEnd>();
  readonly #msrp: MsrpSession;
  readonly #startedMs: number;
  #dialog: InviteDialog | undefined;
  #ended = false;
  /** Repeated when the peer refreshes the session. */
  #agreed: ((version: number, offer: MsrpDescription) => string | undefined) | undefined;

  constructor(context: FileCallContext, sinkFor: MsrpSinkFor) {
    this.#context = context;
    this.#clock = context.clock ?? systemClock;
    this.#limits = context.limits ?? MESSENGER_LIMITS;
    this.#startedMs = this.#clock.now();
    this.#msrp = context.msrp.createSession({
      advertisedHost: context.advertisedHost,
      acceptTypes: ACCEPT_TYPES,
      delegate: {
        sinkFor,
        // Whatever is no file has no business here; some send a word of CPIM first.
        receiveMessage: () => Promise.resolve(),
        receiveReport: () => undefined,
        receiveVisit: () => undefined,
        receiveClose: () => {
          void this.#dialog?.sendBye();
          this.#finish('lost');
        },
      },
    });
  }

  /** Resolves when it is over. */
  get over(): Promise<FileCallEnd> {
    return this.#over.promise;
  }

  get isOver(): boolean {
    return this.#ended;
  }

  /** Steps 2 to 9. Never rejects. */
  async invite(file: FileDescription, icon?: FileIcon): Promise<FileCallStart> {
    const { agent, peerAddress, address, displayName, contact, way, digest } = this.#context;
    const peer = `sip:${peerAddress}`;
    const offer = buildMsrpOffer({ ...this.#local(1, file), setup: 'actpass' });
    const { contentType, body } = buildInviteBody(offer, icon);
    try {
      const outcome = await sendInvite(agent, {
        invite: {
          uri: peer,
          from: toNameAddr(address, displayName),
          to: `<${peer}>`,
          ...way,
          digest,
          headers: { Contact: contact },
          sdp: body,
          contentType,
        },
        delegate: this.#dialogDelegate(),
        call: newCallIdentity(),
        ringMs: this.#limits.ringMs,
        signal: this.#abort.signal,
        clock: this.#clock,
      });
      if (outcome.kind !== 'accepted') {
        this.#finish('us');
        if (outcome.kind === 'no-answer') return { kind: 'no-answer' };
        if (outcome.kind === 'cancelled') return { kind: 'ended' };
        // What the engine makes up when nobody answers has no source.
        const status = outcome.response.source.address === '' ? 0 : outcome.status;
        return { kind: 'refused', status };
      }
      this.#dialog = outcome.dialog;
      const answer = parseMsrpDescription(outcome.sdp);
      await outcome.sendAck();
      if (answer === undefined) return await this.#giveUp(488);
      this.#agreed = this.#answerWith(answer, file, answer.setup === 'active' ? 'passive' : 'active');
      const connectToAnswerer = answer.setup !== 'active';
      await this.#msrp.acceptAnswer(answer.path, { connectToAnswerer, signal: this.#abort.signal });
      return this.#ended ? { kind: 'ended' } : { kind: 'open', theirs: parseFile(answer) };
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** Steps 4 to 10, as the answering side. Never rejects. */
  async accept(
    invite: IncomingInvite,
    offer: MsrpDescription,
    file: FileDescription,
  ): Promise<FileCallStart> {
    const cancelled = () => {
      this.#finish('peer');
    };
    if (invite.cancelled.aborted) cancelled();
    invite.cancelled.addEventListener('abort', cancelled, { once: true });
    try {
      const visits = offer.setup !== undefined && offer.setup !== 'active';
      const visited = visits ? await this.#msrp.visit(offer.path, { signal: this.#abort.signal }) : undefined;
      if (this.#ended) {
        await invite.reject(488);
        return { kind: 'ended' };
      }
      this.#agreed = this.#answerWith(offer, file, visits ? 'active' : 'passive');
      const dialog = await invite.accept(
        this.#agreed(1, offer) ?? '',
        this.#dialogDelegate(),
        { Contact: this.#context.contact },
        { digest: this.#context.digest, clock: this.#clock },
      );
      if (dialog === undefined) {
        this.#finish('peer');
        return { kind: 'ended' };
      }
      this.#dialog = dialog;
      await dialog.acked;
      if (this.#isOver()) {
        await dialog.sendBye();
        return { kind: 'ended' };
      }
      if (visited !== undefined && visited.status !== 200) {
        const { status } = await this.#msrp.revisit({ signal: this.#abort.signal });
        if (status !== 200) return await this.#giveUp(0);
      }
      if (!visits) await this.#msrp.awaitVisit(offer.path, { signal: this.#abort.signal });
      return this.#isOver() ? { kind: 'ended' } : { kind: 'open', theirs: parseFile(offer) };
    } catch (error) {
      if (!invite.request.answered) await invite.reject(488);
      return this.#fail(error);
    } finally {
      invite.cancelled.removeEventListener('abort', cancelled);
    }
  }

  /** Sends the file. Resolves with the MSRP status; rejects with MsrpSessionError when the session ends first. */
  async send(message: Omit<MsrpOutgoingMessage, 'signal'>): Promise<number> {
    const { status } = await this.#msrp.sendMessage({ ...message, signal: this.#abort.signal });
    return status;
  }

  /** Takes an invitation back, or hangs up. What is under way is given up. Harmless twice. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#abort.abort();
    this.#finish('us');
    await this.#hangUp();
  }

  #isOver(): boolean {
    return this.#ended;
  }

  #local(version: number, file: FileDescription) {
    return {
      path: this.#msrp.localPath,
      acceptTypes: ACCEPT_TYPES,
      origin: { id: String(this.#startedMs), version },
      attributes: fileAttributes(file),
    };
  }

  /** How offers of the peer are answered: the first, and every refresh that leaves the path as it is. */
  #answerWith(agreed: MsrpDescription, file: FileDescription, setup: 'active' | 'passive') {
    return (version: number, offer: MsrpDescription): string | undefined => {
      if (formatMsrpPath(offer.path) !== formatMsrpPath(agreed.path)) return undefined;
      return buildMsrpAnswer({
        ...this.#local(version, file),
        offer,
        ...(offer.setup === undefined ? {} : { setup }),
      });
    };
  }

  #dialogDelegate(): DialogDelegate {
    return {
      receiveBye: ({ fromPeer }) => {
        if (this.#ended) return;
        // What is in flight is answered first: the last chunk may be among it.
        void this.#msrp.close().finally(() => {
          this.#finish(fromPeer ? 'peer' : 'lost');
        });
      },
      receiveOffer: (sdp) => {
        const offer = parseMsrpDescription(sdp);
        return offer === undefined ? undefined : this.#agreed?.(2, offer);
      },
    };
  }

  async #giveUp(status: number): Promise<FileCallStart> {
    this.#finish('lost');
    await this.#hangUp();
    return { kind: 'refused', status };
  }

  async #fail(error: unknown): Promise<FileCallStart> {
    const wasOurs = this.#abort.signal.aborted;
    if (!(error instanceof MsrpSessionError) && !(error instanceof EngineError)) {
      this.#context.log.info('file.call-failed', { error });
    }
    const start = await this.#giveUp(0);
    return wasOurs ? { kind: 'ended' } : start;
  }

  async #hangUp(): Promise<void> {
    const late = Promise.withResolvers<void>();
    using _limit = this.#clock.startTimer(this.#limits.byeMs, () => {
      late.resolve();
    });
    await Promise.race([this.#dialog?.sendBye(), late.promise]);
  }

  #finish(end: FileCallEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#abort.abort();
    this.#msrp.destroy();
    this.#over.resolve(end);
  }
}
