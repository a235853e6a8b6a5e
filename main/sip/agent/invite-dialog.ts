/**
 * Owns: one established INVITE dialog: who ends it, and in which order that is answered.
 * Called by: invite.ts. Calls: agent.ts.
 *
 * drachtio-srf's own Dialog answers a BYE by itself at once; here the owner decides when (flow: step 18 after 17).
 */
import type { AgentResponse } from './agent-request.ts';
import type { AgentServerRequest } from './agent-server-request.ts';
import type { SipAgent } from './agent.ts';
import type { OutgoingHeaders } from './outgoing.ts';

/** What happens to a dialog from the other side. */
export interface DialogDelegate {
  /** The peer hangs up, or the engine did (no ACK, connection gone). It is answered 200 when the promise settles. */
  receiveBye(bye: { readonly reason: string; readonly fromPeer: boolean }): Promise<void> | void;
  /** Any other request but ACK. Default: see `answerByDefault`. */
  receiveRequest?(request: AgentServerRequest): Promise<void> | void;
}

type DialogState = 'early' | 'confirmed' | 'ending' | 'ended';

/** An INVITE dialog. Its id is known before it exists: `<Call-ID>;from-tag=<tag>`. */
export class InviteDialog {
  readonly id: string;
  readonly #agent: SipAgent;
  readonly #delegate: DialogDelegate;
  readonly #release: () => void;
  readonly #releaseLost: () => void;
  readonly #acked = Promise.withResolvers<void>();
  #state: DialogState = 'early';
  /** The session description that we sent, repeated when the peer refreshes. */
  localSdp = '';

  constructor(agent: SipAgent, id: string, delegate: DialogDelegate) {
    this.id = id;
    this.#agent = agent;
    this.#delegate = delegate;
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

  /** The 200 has been sent or received. */
  confirm(): void {
    if (this.#state === 'early') this.#state = 'confirmed';
  }

  /** Forgets a dialog that did not come about. */
  abandon(): void {
    this.#state = 'ended';
    this.#acked.reject(new Error('the dialog was abandoned'));
    this.#release();
    this.#releaseLost();
  }

  /** Hangs up. Resolves with the status of the BYE; 0 when it could not be sent, 408 when unanswered. Harmless twice. */
  async sendBye(headers: OutgoingHeaders = {}): Promise<number> {
    if (this.#state === 'ending' || this.#state === 'ended') return 0;
    this.#state = 'ending';
    try {
      const { status } = await this.#agent.sendRequest({ method: 'BYE', dialogId: this.id, headers }).final;
      return status;
    } catch {
      return 0;
    } finally {
      this.#over();
    }
  }

  /** Sends another request inside the dialog. Rejects with EngineError. */
  sendRequest(
    method: string,
    content: { headers?: OutgoingHeaders; body?: string } = {},
  ): Promise<AgentResponse> {
    return this.#agent.sendRequest({ method, dialogId: this.id, ...content }).final;
  }

  async #receive(request: AgentServerRequest): Promise<void> {
    switch (request.method) {
      case 'ACK':
        this.#acked.resolve();
        return;
      case 'BYE': {
        const reason = /text="([^"]*)"/.exec(request.message.headers.get('reason') ?? '')?.[1] ?? '';
        try {
          await this.#end(reason, !request.madeByEngine);
        } finally {
          await request.respond(200);
        }
        return;
      }
      default:
        if (this.#delegate.receiveRequest !== undefined) await this.#delegate.receiveRequest(request);
        else await this.#answerByDefault(request);
    }
  }

  /** Refreshes are confirmed with what we have; what we do not offer is refused. */
  async #answerByDefault(request: AgentServerRequest): Promise<void> {
    switch (request.method) {
      case 'INVITE':
        await request.respond(200, { body: this.localSdp, headers: { 'Content-Type': 'application/sdp' } });
        return;
      case 'OPTIONS':
      case 'INFO':
      case 'UPDATE':
        await request.respond(200);
        return;
      default:
        await request.respond(405, { headers: { Allow: 'INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE' } });
    }
  }

  async #end(reason: string, fromPeer: boolean): Promise<void> {
    if (this.#state === 'ended') return;
    const known = this.#state === 'ending';
    this.#over();
    if (!known) await this.#delegate.receiveBye({ reason, fromPeer });
  }

  #over(): void {
    this.#state = 'ended';
    this.#acked.reject(new Error('the dialog ended before its ACK'));
    this.#release();
    this.#releaseLost();
  }
}
