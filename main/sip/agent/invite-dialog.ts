/**
 * Owns: one established INVITE dialog: who changes it, who ends it, and in which order that is answered.
 * Called by: invite.ts. Calls: agent.ts, authenticated-request.ts, glare.ts.
 *
 * drachtio-srf's own Dialog answers a BYE by itself at once; here the owner decides when (flow: step 18 after 17).
 */
import { systemClock, type Clock, type Timer } from '../../base/clock.ts';
import type { DigestClient } from '../digest.ts';
import { isByeElsewhere } from '../reason.ts';
import type { AgentResponse } from './agent-request.ts';
import type { AgentServerRequest } from './agent-server-request.ts';
import type { SipAgent } from './agent.ts';
import { sendWithCredentials } from './authenticated-request.ts';
import { glareWaitMs } from './glare.ts';
import type { OutgoingHeaders } from './outgoing.ts';

/** That the dialog is over. `fromPeer`: the peer has said so. */
export interface ReceivedBye {
  readonly reason: string;
  readonly fromPeer: boolean;
  /** Another device of the called user has answered. */
  readonly answeredElsewhere: boolean;
}

/** What happens to a dialog from the other side. */
export interface DialogDelegate {
  /**
   * The peer hangs up, or the engine did (no ACK, connection gone), or the peer does not know the dialog any more. A
   * BYE is answered 200 when the promise settles.
   */
  receiveBye(bye: ReceivedBye): Promise<void> | void;
  /** Any other request but ACK. Default: refreshes are confirmed, see `receiveOffer`. */
  receiveRequest?(request: AgentServerRequest): Promise<void> | void;
  /**
   * The peer offers the session anew (a refresh, or a change). Returns the answer; undefined refuses the change with
   * 488, and the session stays as it was. Default: what we sent last.
   */
  receiveOffer?(sdp: string): string | undefined;
}

/** What a dialog needs beside its id. */
export interface DialogOptions {
  /** Answers challenges inside the dialog (RFC 3261 §22). Default: they are handed up. */
  readonly digest?: DigestClient;
  /** We have made the Call-ID: decides who waits longer after a glare (RFC 3261 §14.1). */
  readonly isCaller?: boolean;
  readonly clock?: Clock;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/** What became of our re-INVITE. */
export type ModifyOutcome =
  | { readonly kind: 'accepted'; readonly sdp: string }
  /** The session is as it was before. */
  | { readonly kind: 'refused'; readonly status: number; readonly reason: string }
  /** The dialog is over. */
  | { readonly kind: 'ended' };

type DialogState = 'early' | 'confirmed' | 'ending' | 'ended';

/** A peer that calls every re-INVITE a glare. */
const MAX_GLARES = 5;

/** An INVITE dialog. Its id is known before it exists: `<Call-ID>;from-tag=<tag>`. */
export class InviteDialog {
  readonly id: string;
  readonly #agent: SipAgent;
  readonly #delegate: DialogDelegate;
  readonly #options: DialogOptions;
  readonly #clock: Clock;
  readonly #release: () => void;
  readonly #releaseLost: () => void;
  readonly #acked = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();
  #state: DialogState = 'early';
  /** Changes of ours go one after the other. */
  #changes: Promise<unknown> = Promise.resolve();
  /** An INVITE of ours in this dialog has no final response yet. */
  #inviting = 0;
  /** An INVITE of the peer that is being answered. */
  #answering: Promise<void> | undefined;
  #glareWait: Timer | undefined;
  #answeredElsewhere = false;
  /** The session description that we sent, repeated when the peer refreshes. */
  localSdp = '';

  constructor(agent: SipAgent, id: string, delegate: DialogDelegate, options: DialogOptions = {}) {
    this.id = id;
    this.#agent = agent;
    this.#delegate = delegate;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#release = agent.handleDialog(id, (request) => this.#receive(request));
    this.#releaseLost = agent.onConnectionLost(() => void this.#end('The SIP engine has stopped.', false));
    this.#acked.promise.catch(() => undefined);
  }

  get state(): DialogState {
    return this.#state;
  }

  /** Resolves with the peer's ACK of our 200; rejects when the dialog ends without one. */
  get acked(): Promise<void> {
    return this.#acked.promise;
  }

  /** The peer hangs up because another device of the user has answered: its ACK says so, or its BYE, which may cross ours. */
  get answeredElsewhere(): boolean {
    return this.#answeredElsewhere;
  }

  /** The 200 has been sent or received. */
  confirm(): void {
    if (this.#state === 'early') this.#state = 'confirmed';
  }

  /** Forgets a dialog that did not come about. */
  abandon(): void {
    this.#over('the dialog was abandoned');
  }

  /** Hangs up. Resolves with the status of the BYE; 0 when it could not be sent, 408 when unanswered. Harmless twice. */
  async sendBye(headers: OutgoingHeaders = {}): Promise<number> {
    if (this.#state === 'ending' || this.#state === 'ended') return 0;
    this.#state = 'ending';
    this.#glareWait?.[Symbol.dispose]();
    try {
      return (await this.#send('BYE', { headers })).status;
    } catch {
      return 0;
    } finally {
      this.#over('the dialog ended before its ACK');
    }
  }

  /**
   * Sends another request inside the dialog; challenges are answered. A 481 or a 408 ends the dialog (RFC 3261
   * §12.2.1.2). A 2xx to INVITE has to be acknowledged by the caller. Rejects with EngineError.
   */
  async sendRequest(
    method: string,
    content: { headers?: OutgoingHeaders; body?: string } = {},
  ): Promise<AgentResponse> {
    const isInvite = method === 'INVITE';
    if (isInvite) this.#inviting += 1;
    try {
      const response = await this.#send(method, content);
      const { status, reason } = response;
      if ((status === 481 || status === 408) && this.#state === 'confirmed') {
        this.#lose(`${status} ${reason}`);
      }
      return response;
    } finally {
      if (isInvite) this.#inviting -= 1;
    }
  }

  /**
   * Offers the session anew with `sdp`; the handshake is completed here. A crossing offer of the peer (491) is waited
   * out (RFC 3261 §14.1). Calls go one after the other. Rejects with EngineError, and the session is as it was.
   */
  modify(sdp: string): Promise<ModifyOutcome> {
    const change = this.#changes.then(() => this.#modify(sdp));
    this.#changes = change.catch(() => undefined);
    return change;
  }

  async #modify(sdp: string): Promise<ModifyOutcome> {
    for (let glares = 0; ; glares += 1) {
      // §14.1: no INVITE while one of the peer is open.
      await this.#answering;
      if (this.#state !== 'confirmed') return { kind: 'ended' };
      const response = await this.sendRequest('INVITE', {
        body: sdp,
        headers: { 'Content-Type': 'application/sdp' },
      });
      const { status, reason } = response;
      if (status < 300) {
        this.localSdp = sdp;
        await response.sendAck();
        return { kind: 'accepted', sdp: response.body };
      }
      if (this.#isOver()) return { kind: 'ended' };
      if (status !== 491 || glares >= MAX_GLARES) return { kind: 'refused', status, reason };
      await this.#waitOut();
    }
  }

  async #waitOut(): Promise<void> {
    const { isCaller = false, random = Math.random } = this.#options;
    const waited = Promise.withResolvers<void>();
    this.#glareWait = this.#clock.startTimer(glareWaitMs(isCaller, random), () => {
      waited.resolve();
    });
    await Promise.race([waited.promise, this.#gone.promise]);
  }

  #send(method: string, content: { headers?: OutgoingHeaders; body?: string }): Promise<AgentResponse> {
    const { headers, ...rest } = content;
    return sendWithCredentials(this.#options.digest, { method }, (authorization) =>
      this.#agent.sendRequest({
        method,
        dialogId: this.id,
        ...rest,
        headers: { ...headers, ...authorization },
      }),
    );
  }

  async #receive(request: AgentServerRequest): Promise<void> {
    switch (request.method) {
      case 'ACK':
        this.#readReason(request);
        this.#acked.resolve();
        return;
      case 'BYE': {
        this.#readReason(request);
        const reason = /text="([^"]*)"/.exec(request.message.headers.get('reason') ?? '')?.[1] ?? '';
        try {
          await this.#end(reason, !request.madeByEngine);
        } finally {
          await request.respond(200);
        }
        return;
      }
      case 'INVITE':
        await this.#receiveInvite(request);
        return;
      default:
        await this.#pass(request);
    }
  }

  #readReason({ message }: AgentServerRequest): void {
    this.#answeredElsewhere ||= isByeElsewhere(message.headers.list('reason'));
  }

  /** RFC 3261 §14.2: one change at a time. */
  async #receiveInvite(request: AgentServerRequest): Promise<void> {
    if (this.#inviting > 0) {
      await request.respond(491);
      return;
    }
    if (this.#answering !== undefined) {
      const { random = Math.random } = this.#options;
      await request.respond(500, { headers: { 'Retry-After': String(Math.floor(random() * 11)) } });
      return;
    }
    const answering = this.#pass(request);
    this.#answering = answering.catch(() => undefined);
    try {
      await answering;
    } finally {
      this.#answering = undefined;
    }
  }

  async #pass(request: AgentServerRequest): Promise<void> {
    if (this.#delegate.receiveRequest !== undefined) await this.#delegate.receiveRequest(request);
    else await this.#answerByDefault(request);
  }

  /** Refreshes are confirmed with what we have; what we do not offer is refused. */
  async #answerByDefault(request: AgentServerRequest): Promise<void> {
    switch (request.method) {
      case 'INVITE':
      case 'UPDATE':
        await this.#answerOffer(request);
        return;
      case 'OPTIONS':
      case 'INFO':
        await request.respond(200);
        return;
      default:
        await request.respond(405, { headers: { Allow: 'INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE' } });
    }
  }

  /** An INVITE without an offer is answered with ours; an UPDATE without one is a refresh only (RFC 3311 §5.2). */
  async #answerOffer(request: AgentServerRequest): Promise<void> {
    const offered = request.body !== '';
    if (!offered && request.method === 'UPDATE') {
      await request.respond(200);
      return;
    }
    const asks = offered && this.#delegate.receiveOffer !== undefined;
    const sdp = asks ? this.#delegate.receiveOffer?.(request.body) : this.localSdp;
    if (sdp === undefined) {
      await request.respond(488);
      return;
    }
    await request.respond(200, { body: sdp, headers: { 'Content-Type': 'application/sdp' } });
  }

  /** The peer does not know the dialog any more, or is not there: it is hung up, and nobody waits for that. */
  #lose(reason: string): void {
    void this.sendBye();
    void this.#delegate.receiveBye({ reason, fromPeer: false, answeredElsewhere: false });
  }

  async #end(reason: string, fromPeer: boolean): Promise<void> {
    if (this.#state === 'ended') return;
    const known = this.#state === 'ending';
    this.#over('the dialog ended before its ACK');
    const answeredElsewhere = this.#answeredElsewhere;
    if (!known) await this.#delegate.receiveBye({ reason, fromPeer, answeredElsewhere });
  }

  #isOver(): boolean {
    return this.#state === 'ending' || this.#state === 'ended';
  }

  #over(reason: string): void {
    this.#state = 'ended';
    this.#glareWait?.[Symbol.dispose]();
    this.#gone.resolve();
    this.#acked.reject(new Error(reason));
    this.#release();
    this.#releaseLost();
  }
}
