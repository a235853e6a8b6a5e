/**
 * Owns: one attempt to move one file: a SIP dialog and an MSRP session of its own, in the order of the flow.
 * Called by: outgoing-transfer.ts, incoming-transfer.ts. Calls: sip/agent/invite.ts, chat-media.ts, msrp/file-sdp.ts.
 */
import { systemClock, type Clock } from '../base/clock.ts';
import { MESSENGER_LIMITS, type MessengerLimits } from '../base/limits.ts';
import { fileAttributes, KEPT_ATTRIBUTE, parseFile, type FileDescription } from '../msrp/file-sdp.ts';
import { parseMsrpDescription, type MsrpDescription } from '../msrp/sdp.ts';
import { MsrpSessionError } from '../msrp/session-error.ts';
import type { MsrpOutgoingMessage } from '../msrp/session.ts';
import type { MsrpSinkFor } from '../msrp/streams.ts';
import { newCallIdentity } from '../sip/agent/authenticated-request.ts';
import type { DialogDelegate, InviteDialog } from '../sip/agent/invite-dialog.ts';
import { sendInvite, type IncomingInvite } from '../sip/agent/invite.ts';
import { EngineError } from '../sip/agent/outgoing.ts';
import { toNameAddr } from '../sip/address.ts';
import type { ChatContext } from './chat.ts';
import { ChatMedia, MediaError } from './chat-media.ts';
import { buildInviteBody, type FileIcon } from '../msrp/file-body.ts';

/** What a file's call needs of its account and conversation. */
export type FileCallContext = Omit<ChatContext, 'delegate' | 'idleMs'> & {
  /** It is a room that is called, whose server keeps files for all who belong to it. */
  readonly isRoom?: boolean;
};

/** How an attempt began. */
export type FileCallStart =
  /** Bytes may flow. `theirs`: what the other side says about the file; `isKept`: it is the server, which keeps it for him. */
  | { readonly kind: 'open'; readonly theirs: FileDescription | undefined; readonly isKept: boolean }
  /**
   * The other side has answered no, by this SIP status; 0: nothing could be sent, or no connection came about. `isForNow`:
   * it has said when to come again (RFC 3261 §20.33).
   */
  | { readonly kind: 'refused'; readonly status: number; readonly isForNow: boolean }
  | { readonly kind: 'no-answer' }
  | { readonly kind: 'ended' };

/** Who ended a call that was open. */
export type FileCallEnd = 'us' | 'peer' | 'lost';

const ACCEPT_TYPES = ['*'] as const;
const REFUSED_LINE = /^m=message 0 /m;

/** One SIP dialog with one MSRP session for one file (RFC 5547 §8). */
export class FileCall {
  readonly #context: FileCallContext;
  readonly #clock: Clock;
  readonly #limits: MessengerLimits;
  readonly #abort = new AbortController();
  readonly #over = Promise.withResolvers<FileCallEnd>();
  readonly #sinkFor: MsrpSinkFor;
  #media: ChatMedia | undefined;
  readonly #startedMs: number;
  #dialog: InviteDialog | undefined;
  #ended = false;

  constructor(context: FileCallContext, sinkFor: MsrpSinkFor) {
    this.#context = context;
    this.#clock = context.clock ?? systemClock;
    this.#limits = context.limits ?? MESSENGER_LIMITS;
    this.#startedMs = this.#clock.now();
    this.#sinkFor = sinkFor;
  }

  /** Resolves when it is over. */
  get over(): Promise<FileCallEnd> {
    return this.#over.promise;
  }

  get isOver(): boolean {
    return this.#ended;
  }

  /** Steps 2 to 9. `receiveRinging`: the other side has it before it. Never rejects. */
  async invite(file: FileDescription, icon?: FileIcon, receiveRinging?: () => void): Promise<FileCallStart> {
    try {
      const media = this.#openMedia(file);
      for (;;) {
        const start = await this.#attempt(media, icon, receiveRinging);
        if (start !== 'again') return start;
      }
    } catch (error) {
      return await this.#fail(error);
    }
  }

  /** One invitation; what the other side does not take is offered otherwise, as far as the policy goes. */
  async #attempt(
    media: ChatMedia,
    icon: FileIcon | undefined,
    receiveRinging: (() => void) | undefined,
  ): Promise<FileCallStart | 'again'> {
    const { agent, peerAddress, address, displayName, contact, way, digest } = this.#context;
    const peer = `sip:${peerAddress}`;
    const { contentType, body } = buildInviteBody(await media.offer(), icon);
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
      onProvisional: ({ status }) => {
        if (status >= 180) receiveRinging?.();
      },
      clock: this.#clock,
    });
    if (outcome.kind !== 'accepted') {
      if (outcome.kind === 'refused' && (outcome.status === 488 || outcome.status === 606)) {
        try {
          media.receiveRefusal(outcome.response.message.headers.get('warning') ?? '');
          return 'again';
        } catch (error) {
          if (!(error instanceof MediaError)) throw error;
        }
      }
      this.#finish('us');
      if (outcome.kind === 'no-answer') return { kind: 'no-answer' };
      if (outcome.kind === 'cancelled') return { kind: 'ended' };
      // What the engine makes up when nobody answers has no source.
      const status = outcome.response.source.address === '' ? 0 : outcome.status;
      const isForNow = outcome.response.message.headers.get('retry-after') !== undefined;
      return { kind: 'refused', status, isForNow };
    }
    this.#dialog = outcome.dialog;
    await outcome.sendAck();
    try {
      await media.acceptAnswer(outcome.sdp);
    } catch (error) {
      if (!(error instanceof MediaError)) throw error;
      // A line with port 0 is the no of who takes no files (RFC 5547 §8.2.2), like 488.
      if (!error.again && REFUSED_LINE.test(outcome.sdp)) return await this.#giveUp(488);
      if (!error.again) throw error;
      this.#dialog = undefined;
      void outcome.dialog.sendBye();
      return 'again';
    }
    const answer = parseMsrpDescription(outcome.sdp);
    if (this.#isOver()) return { kind: 'ended' };
    return {
      kind: 'open',
      theirs: answer === undefined ? undefined : parseFile(answer),
      isKept: answer?.attributes.some(({ name }) => name === KEPT_ATTRIBUTE) === true,
    };
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
      const media = this.#openMedia(file);
      const visited = await media.receiveOffer(offer);
      if (this.#ended) {
        await invite.reject(488);
        return { kind: 'ended' };
      }
      const dialog = await invite.accept(
        media.answer(1, offer) ?? '',
        this.#dialogDelegate(),
        { Contact: this.#context.contact },
        { digest: this.#context.digest, clock: this.#clock },
      );
      if (dialog === undefined) {
        this.#finish('peer');
        return { kind: 'ended' };
      }
      this.#dialog = dialog;
      await Promise.race([dialog.acked, this.over]);
      if (dialog.answeredElsewhere) this.#finish('peer');
      if (this.#isOver()) {
        await dialog.sendBye();
        return { kind: 'ended' };
      }
      await media.complete(visited, offer);
      return this.#isOver() ? { kind: 'ended' } : { kind: 'open', theirs: parseFile(offer), isKept: false };
    } catch (error) {
      if (!invite.request.answered) {
        await invite.reject(488, error instanceof MediaError ? { headers: { Warning: error.warning } } : {});
      }
      return await this.#fail(error);
    } finally {
      invite.cancelled.removeEventListener('abort', cancelled);
    }
  }

  /** Sends the file. Resolves with the MSRP status; rejects with MsrpSessionError when the session ends first. */
  async send(message: Omit<MsrpOutgoingMessage, 'signal'>): Promise<number> {
    if (this.#media === undefined) throw new MsrpSessionError('MSRP_BAD_STATE', 'there is no session yet');
    return this.#media.sendMessage({ ...message, signal: this.#abort.signal });
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

  /** Its session goes the way that messages of this account go: encrypted, through a relay if need be. */
  #openMedia(file: FileDescription): ChatMedia {
    const { msrp, advertisedHost, media } = this.#context;
    this.#media = new ChatMedia({
      msrp,
      clock: this.#clock,
      advertisedHost,
      ways: media,
      acceptTypes: ACCEPT_TYPES,
      originId: String(this.#startedMs),
      attributes: fileAttributes(file),
      signal: this.#abort.signal,
      delegate: {
        sinkFor: this.#sinkFor,
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
    return this.#media;
  }

  #dialogDelegate(): DialogDelegate {
    return {
      receiveBye: ({ fromPeer }) => {
        if (this.#ended) return;
        // What is in flight is answered first: the last chunk may be among it.
        void Promise.resolve(this.#media?.close()).finally(() => {
          this.#finish(fromPeer ? 'peer' : 'lost');
        });
      },
      receiveOffer: (sdp) => {
        const offer = parseMsrpDescription(sdp);
        return offer === undefined ? undefined : this.#media?.answer(2, offer);
      },
    };
  }

  async #giveUp(status: number): Promise<FileCallStart> {
    this.#finish('lost');
    await this.#hangUp();
    return { kind: 'refused', status, isForNow: false };
  }

  async #fail(error: unknown): Promise<FileCallStart> {
    const wasOurs = this.#abort.signal.aborted;
    const isExpected =
      error instanceof MediaError || error instanceof MsrpSessionError || error instanceof EngineError;
    if (!isExpected) {
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
    this.#media?.destroy();
    this.#over.resolve(end);
  }
}
