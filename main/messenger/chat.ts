/**
 * Owns: one chat: a SIP dialog and its MSRP session, from invitation to end, in the order of the flow.
 * Called by: conversation-link.ts. Calls: sip/agent/invite.ts, chat-media.ts; tells its delegate.
 */
import { randomUUID } from 'node:crypto';
import type { Session, SessionState } from '../../shared/domain/conversation.ts';
import type { ConversationId, SessionId } from '../../shared/domain/ids.ts';
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import { MESSENGER_LIMITS, PAYLOAD_LIMITS, type MessengerLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { MsrpEndpoint } from '../msrp/endpoint.ts';
import { ROOM_FILES_ATTRIBUTE } from '../msrp/file-sdp.ts';
import { parseMsrpDescription, type MsrpDescription, type MsrpLocalDescription } from '../msrp/sdp.ts';
import { MsrpSessionError } from '../msrp/session-error.ts';
import type { MsrpIncomingMessage, MsrpSessionReport } from '../msrp/session.ts';
import type { SipAgent } from '../sip/agent/agent.ts';
import { newCallIdentity } from '../sip/agent/authenticated-request.ts';
import { EngineError } from '../sip/agent/outgoing.ts';
import type { DialogDelegate, InviteDialog, ReceivedBye } from '../sip/agent/invite-dialog.ts';
import { sendInvite, type IncomingInvite } from '../sip/agent/invite.ts';
import type { ServerWay } from '../sip/agent/registration-flow.ts';
import type { DigestClient } from '../sip/digest.ts';
import { chatEnd, endOfCancelled, endOfDeclined, endOfInvite, type ChatEnd } from './chat-end.ts';
import { ChatMedia, MediaError, type MediaWays, type Visited } from './chat-media.ts';
import { REFERENCES_ATTRIBUTE } from './message-reference.ts';
import { toNameAddr } from '../sip/address.ts';

/** What a chat needs of its account and conversation. */
export interface ChatContext {
  readonly agent: SipAgent;
  readonly msrp: MsrpEndpoint;
  readonly log: Log;
  /** Default: `MESSENGER_LIMITS`. */
  readonly limits?: MessengerLimits;
  readonly clock?: Clock;
  readonly conversationId: ConversationId;
  readonly address: string;
  readonly displayName: string;
  readonly peerAddress: string;
  readonly peerName: string;
  /** Our Contact as a name-addr. */
  readonly contact: string;
  readonly way: ServerWay;
  readonly digest: DigestClient;
  /** Our address as the peer can reach it: goes into the MSRP path. */
  readonly advertisedHost: string;
  readonly media: MediaWays;
  /** 0: never. */
  readonly idleMs: number;
  /** What the SDP says beside what it always says. */
  readonly attributes?: MsrpLocalDescription['attributes'];
  readonly acceptWrappedTypes?: readonly string[];
  readonly delegate: ChatDelegate;
}

/** Whom a chat tells. */
export interface ChatDelegate {
  /** A message has come. Resolve = stored. */
  receiveMessage(chat: Chat, message: MsrpIncomingMessage): Promise<void>;
  receiveReport(chat: Chat, report: MsrpSessionReport): void;
  /** `session` has changed its state; `ended` is the last. */
  receiveChange(chat: Chat): void;
}

/** What we take in a session, wrapped in CPIM or not. `*` last: some peers refuse it alone. */
export const ACCEPT_TYPES = [
  'message/cpim',
  'text/plain',
  'message/imdn+xml',
  'application/im-iscomposing+xml',
  '*',
] as const;

const NEXT: Readonly<Record<SessionState, readonly SessionState[]>> = {
  inviting: ['opening', 'ended'],
  asked: ['opening', 'ended'],
  opening: ['open', 'ended'],
  open: ['ending', 'ended'],
  ending: ['ended'],
  ended: [],
};

/** One session with one person. */
export class Chat {
  readonly #context: ChatContext;
  readonly #clock: Clock;
  readonly #limits: MessengerLimits;
  readonly #abort = new AbortController();
  readonly #media: ChatMedia;
  readonly #over = Promise.withResolvers<ChatEnd>();
  readonly #settled = Promise.withResolvers<void>();
  #session: Session;
  #dialog: InviteDialog | undefined;
  #idle: Timer | undefined;
  #callId: string | undefined;
  /** It is being hung up, by whichever side: it does not open any more. */
  #isLeaving = false;
  /** Whom we visit has closed the connection before the invitation was answered: what is known of it. */
  #lost: string | undefined;

  private constructor(context: ChatContext, direction: Session['direction'], state: SessionState) {
    this.#context = context;
    this.#clock = context.clock ?? systemClock;
    this.#limits = context.limits ?? MESSENGER_LIMITS;
    this.#session = {
      id: randomUUID() as SessionId,
      conversationId: context.conversationId,
      direction,
      state,
      mediaPath: 'direct',
      encrypted: false,
      startedMs: this.#clock.now(),
      openedMs: null,
      endedMs: null,
      end: null,
    };
    this.#media = new ChatMedia({
      msrp: context.msrp,
      clock: this.#clock,
      advertisedHost: context.advertisedHost,
      ways: context.media,
      acceptTypes: ACCEPT_TYPES,
      attributes: [...(context.attributes ?? []), { name: REFERENCES_ATTRIBUTE, value: undefined }],
      ...(context.acceptWrappedTypes ? { acceptWrappedTypes: context.acceptWrappedTypes } : {}),
      // More is refused at its first chunk instead of being collected and thrown away.
      maxMessageBytes: this.#limits.maxTextBytes + PAYLOAD_LIMITS.maxCpimHeadBytes,
      originId: String(this.#session.startedMs),
      signal: this.#abort.signal,
      delegate: {
        receiveMessage: (message) => this.#receiveMessage(message),
        receiveReport: (report) => {
          context.delegate.receiveReport(this, report);
        },
        receiveVisit: () => undefined,
        receiveClose: (reason) => {
          this.#receiveMediaLost(reason.message);
        },
      },
    });
  }

  /** A chat that we begin. Nothing is sent before `invite`. */
  static outgoing(context: ChatContext): Chat {
    return new Chat(context, 'outgoing', 'inviting');
  }

  /** A chat to which we are invited. Nothing is answered before `accept` or `decline`. */
  static incoming(context: ChatContext): Chat {
    return new Chat(context, 'incoming', 'asked');
  }

  get session(): Session {
    return this.#session;
  }

  get isOpen(): boolean {
    return this.#session.state === 'open';
  }

  /** The MSRP session-id of this side, once there is one: the key of its messages on the wire. */
  get msrpSessionId(): string {
    return this.#media.sessionId;
  }

  /** SIP Call-ID, once there is one. */
  get callId(): string | undefined {
    return this.#callId;
  }

  /** Resolves when the chat is over, with the reason. Never rejects. */
  get over(): Promise<ChatEnd> {
    return this.#over.promise;
  }

  /** Who we are in this chat. */
  get us(): { readonly address: string; readonly displayName: string } {
    return { address: this.#context.address, displayName: this.#context.displayName };
  }

  get peer(): { readonly address: string; readonly displayName: string } {
    return { address: this.#context.peerAddress, displayName: '' };
  }

  /** Resolves as soon as the chat is open, or over. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /** True when the peer takes messages wrapped in CPIM. */
  get peerTakesCpim(): boolean {
    return this.#media.peerTypes.some(
      (type) => type === '*' || type === 'message/*' || type === 'message/cpim',
    );
  }

  /** True when the peer follows answers and changes of messages. */
  get peerTakesReferences(): boolean {
    return this.peerTakesCpim && this.#media.peerAttributes.some(({ name }) => name === REFERENCES_ATTRIBUTE);
  }

  /** True when the peer is a room whose server keeps files for it. */
  get peerKeepsFiles(): boolean {
    return this.#media.peerAttributes.some(({ name }) => name === ROOM_FILES_ATTRIBUTE);
  }

  /** Steps 2 to 9: invites, and resolves when the chat is open or over. */
  async invite(): Promise<void> {
    try {
      // What the other side does not take is offered otherwise, as far as the policy goes.
      while ((await this.#attempt()) === 'again' && !this.#abort.signal.aborted);
    } catch (error) {
      await this.#fail(error);
    }
  }

  async #attempt(): Promise<'again' | 'done'> {
    const { agent, peerAddress, address, displayName, contact, way, digest, peerName } = this.#context;
    const peer = `sip:${peerAddress}`;
    const call = newCallIdentity();
    this.#callId = call.callId;
    const outcome = await sendInvite(agent, {
      invite: {
        uri: peer,
        from: toNameAddr(address, displayName),
        to: `<${peer}>`,
        ...way,
        digest,
        headers: { Contact: contact },
        sdp: await this.#media.offer(),
      },
      delegate: this.#dialogDelegate(),
      call,
      ringMs: this.#limits.ringMs,
      signal: this.#abort.signal,
      clock: this.#clock,
    });
    if (outcome.kind !== 'accepted') {
      if (outcome.kind === 'refused' && (outcome.status === 488 || outcome.status === 606)) {
        this.#media.receiveRefusal(outcome.response.message.headers.get('warning') ?? '');
        return 'again';
      }
      this.#finish(endOfInvite(outcome, peerName));
      return 'done';
    }
    this.#dialog = outcome.dialog;
    if (this.#session.state === 'inviting') this.#move('opening');
    await outcome.sendAck();
    try {
      await this.#media.acceptAnswer(outcome.sdp);
    } catch (error) {
      if (!(error instanceof MediaError) || !error.again) throw error;
      this.#dialog = undefined;
      void outcome.dialog.sendBye();
      return 'again';
    }
    this.#opened();
    return 'done';
  }

  /** Steps 4 to 10: visits the inviting side, only then answers, and resolves when the chat is open or over. */
  async accept(invite: IncomingInvite): Promise<void> {
    const cancelled = () => {
      this.receiveCancel(invite);
    };
    this.#callId = invite.request.message.headers.get('call-id');
    if (invite.cancelled.aborted) cancelled();
    invite.cancelled.addEventListener('abort', cancelled, { once: true });
    try {
      if (this.#session.state === 'ended') return;
      this.#move('opening');
      const offer = parseMsrpDescription(invite.sdp);
      if (offer === undefined) throw new MediaError('media-failed', 'the invitation offers no messages');
      const visited = await this.#media.receiveOffer(offer);
      if (this.#session.state === 'opening' && this.#lost === undefined) {
        await this.#answer(invite, offer, visited);
        return;
      }
      // Lost again before it was answered: whoever invited need not wait until nobody answers.
      await invite.reject(488);
      this.#finish(chatEnd('media-lost', this.#context.peerName, this.#lost));
    } catch (error) {
      if (!invite.request.answered) {
        await invite.reject(488, error instanceof MediaError ? { headers: { Warning: error.warning } } : {});
      }
      await this.#fail(error);
    } finally {
      invite.cancelled.removeEventListener('abort', cancelled);
    }
  }

  /** The invitation has been cancelled before it was answered. */
  receiveCancel(invite: IncomingInvite): void {
    this.#finish(endOfCancelled(invite, this.#context.peerName));
  }

  /** The user, or a rule, says no. */
  async decline(invite: IncomingInvite, status = 603): Promise<void> {
    await invite.reject(status);
    this.#finish(status === 603 ? endOfDeclined() : chatEnd('ended-by-us', this.#context.peerName));
  }

  /** Sends one message. Resolves with the MSRP status; rejects with MsrpSessionError when the session ends first. */
  async sendMessage(message: {
    messageId: string;
    contentType: string;
    body: Buffer;
    successReport: boolean;
  }): Promise<number> {
    this.#touch();
    return this.#media.sendMessage(message);
  }

  /** Asks the room at the other end for a nickname. Resolves with the MSRP status; rejects when the session is over. */
  sendNickname(nickname: string): Promise<number> {
    return this.#media.sendNickname(nickname);
  }

  /** Steps 15 to 18: ends the chat from our side, or takes the invitation back. Harmless twice. */
  async end(
    code: 'ended-by-us' | 'idle' | 'shutdown' | 'cancelled' | 'media-lost' = 'ended-by-us',
  ): Promise<void> {
    const { state } = this.#session;
    const end = chatEnd(code, this.#context.peerName);
    if (state === 'ended' || state === 'ending') {
      await this.#over.promise;
      return;
    }
    if (state !== 'open') {
      this.#abort.abort();
      await this.#hangUp(end.code);
      this.#finish(end);
      return;
    }
    this.#move('ending');
    await this.#hangUp(end.code);
    await this.#media.close();
    this.#finish(end);
  }

  /** Gives an invitation up without waiting: another chat has taken this one's place. */
  drop(): void {
    this.#abort.abort();
    void this.#dialog?.sendBye();
    this.#finish(chatEnd('cancelled', this.#context.peerName));
  }

  /** Step 7 and 10. */
  async #answer(invite: IncomingInvite, offer: MsrpDescription, visited: Visited): Promise<void> {
    const sdp = this.#media.answer(1, offer) ?? '';
    const dialog = await invite.accept(
      sdp,
      this.#dialogDelegate(),
      { Contact: this.#context.contact },
      { digest: this.#context.digest, clock: this.#clock },
    );
    if (dialog === undefined) {
      this.receiveCancel(invite);
      return;
    }
    this.#dialog = dialog;
    if (this.#lost !== undefined) {
      await this.#giveUp('media-lost', this.#lost);
      return;
    }
    try {
      await dialog.acked;
    } catch {
      if (this.#isLeaving) await this.#over.promise;
      else await this.#giveUp('media-lost', 'the other side did not complete the call');
      return;
    }
    if (this.#isLeaving) {
      await this.#over.promise;
      return;
    }
    if (dialog.answeredElsewhere) {
      await this.#giveUp('answered-elsewhere', '');
      return;
    }
    if (this.#session.state !== 'opening') {
      // It ended while it was being answered; only now may it be hung up (RFC 3261 §15).
      await dialog.sendBye();
      return;
    }
    await this.#media.complete(visited, offer);
    this.#opened();
  }

  async #fail(error: unknown): Promise<void> {
    if (this.#session.state === 'ended') return;
    if (this.#isLeaving) await this.#over.promise;
    else if (error instanceof MediaError) await this.#giveUp(error.code, error.message);
    else if (error instanceof MsrpSessionError) await this.#giveUp('media-failed', error.message);
    else if (error instanceof EngineError) await this.#giveUp('server-unreachable', error.message);
    else {
      // A chat that nobody ends would stand in the way of every later one.
      this.#context.log.error('chat.failed', { error });
      await this.#giveUp('media-failed', '');
    }
  }

  /** BYE. A server that does not answer it is not waited for. */
  async #hangUp(code: ChatEnd['code']): Promise<void> {
    const late = Promise.withResolvers<void>();
    const { byeMs, shutdownByeMs } = this.#limits;
    using _limit = this.#clock.startTimer(code === 'shutdown' ? shutdownByeMs : byeMs, () => {
      late.resolve();
    });
    await Promise.race([this.#dialog?.sendBye(), late.promise]);
  }

  async #giveUp(code: ChatEnd['code'], detail: string): Promise<void> {
    this.#isLeaving = true;
    await this.#hangUp(code);
    this.#finish(chatEnd(code, this.#context.peerName, detail));
  }

  async #receiveMessage(message: MsrpIncomingMessage): Promise<void> {
    this.#touch();
    await this.#context.delegate.receiveMessage(this, message);
  }

  #dialogDelegate(): DialogDelegate {
    return {
      receiveBye: (bye) => {
        this.#receiveBye(bye);
      },
      receiveOffer: (sdp) => this.#answerOffer(sdp),
    };
  }

  /** A refresh is confirmed. A session that is to move elsewhere is set up anew instead (RFC 3264 §8.3: refused). */
  #answerOffer(sdp: string): string | undefined {
    const offer = parseMsrpDescription(sdp);
    return offer === undefined ? undefined : this.#media.answer(2, offer);
  }

  /** The peer hangs up: its BYE is answered at once, the connection is closed after what is in flight. */
  #receiveBye({ reason, fromPeer, answeredElsewhere }: ReceivedBye): void {
    const { state } = this.#session;
    if (state === 'ended') return;
    this.#isLeaving ||= fromPeer;
    const code = answeredElsewhere ? 'answered-elsewhere' : fromPeer ? 'ended-by-peer' : 'media-lost';
    const end = chatEnd(code, this.#context.peerName, fromPeer ? '' : reason);
    if (state === 'open') this.#move('ending');
    void this.#media.close().finally(() => {
      this.#finish(end);
    });
  }

  #receiveMediaLost(detail: string): void {
    const { state } = this.#session;
    if (this.#isLeaving || (state !== 'open' && state !== 'opening')) return;
    if (state === 'opening' && this.#session.direction === 'incoming') {
      // Whom we visit may have closed it because another device was quicker: then a CANCEL, an ACK or a BYE says so.
      if (this.#dialog === undefined) this.#lost = detail;
      else void this.#giveUp('media-lost', detail);
      return;
    }
    void this.#dialog?.sendBye();
    this.#finish(chatEnd('media-lost', this.#context.peerName, detail));
  }

  #opened(): void {
    if (this.#session.state !== 'opening' || this.#isLeaving) return;
    this.#session = { ...this.#session, ...this.#media.shown };
    this.#move('open');
    this.#touch();
    this.#settled.resolve();
  }

  #touch(): void {
    this.#idle?.[Symbol.dispose]();
    this.#idle = undefined;
    if (this.#session.state !== 'open' || this.#context.idleMs === 0) return;
    this.#idle = this.#clock.startTimer(this.#context.idleMs, () => void this.end('idle'));
  }

  #move(state: SessionState): void {
    const before = this.#session.state;
    if (!NEXT[before].includes(state)) throw new Error(`a chat cannot go from ${before} to ${state}`);
    const nowMs = this.#clock.now();
    this.#session = { ...this.#session, state, ...(state === 'open' ? { openedMs: nowMs } : {}) };
    this.#context.delegate.receiveChange(this);
  }

  #finish(given: ChatEnd): void {
    if (this.#session.state === 'ended') return;
    // Of several reasons this one explains the others.
    const isElsewhere = this.#dialog?.answeredElsewhere === true;
    const end = isElsewhere ? chatEnd('answered-elsewhere', this.#context.peerName) : given;
    this.#idle?.[Symbol.dispose]();
    this.#abort.abort();
    this.#media.destroy();
    this.#session = { ...this.#session, state: 'ended', endedMs: this.#clock.now(), end };
    this.#context.delegate.receiveChange(this);
    this.#over.resolve(end);
    this.#settled.resolve();
  }
}
