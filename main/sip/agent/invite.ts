/**
 * Owns: setting up a session by INVITE, as caller and as called party.
 * Called by: messenger/chat.ts, imserver/b2bua.ts. Calls: authenticated-request.ts, invite-dialog.ts.
 */
import { systemClock, type Clock } from '../../base/clock.ts';
import type { AgentRequest, AgentResponse } from './agent-request.ts';
import type { AgentServerRequest } from './agent-server-request.ts';
import type { SipAgent } from './agent.ts';
import {
  newCallIdentity,
  sendAuthenticated,
  type CallIdentity,
  type OutOfDialogRequest,
} from './authenticated-request.ts';
import { InviteDialog, type DialogDelegate, type DialogOptions } from './invite-dialog.ts';
import { parseNameAddr } from '../headers.ts';
import { isCancelElsewhere, isCancelUnanswered, UNANSWERED } from '../reason.ts';
import type { OutgoingHeaders } from './outgoing.ts';

/** How an invitation ended. */
export type InviteOutcome =
  | {
      readonly kind: 'accepted';
      readonly dialog: InviteDialog;
      readonly sdp: string;
      readonly response: AgentResponse;
      /**
       * Completes the handshake. Has to be called, when the caller chooses (flow: step 10
       * after 9); resolves when the ACK has left.
       */
      readonly sendAck: (headers?: OutgoingHeaders) => Promise<void>;
    }
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly reason: string;
      readonly response: AgentResponse;
    }
  /** Nobody answered within `ringMs`; the invitation was cancelled. */
  | { readonly kind: 'no-answer' }
  /** Cancelled by `signal`. */
  | { readonly kind: 'cancelled' };

export interface OutgoingInviteOptions {
  /** `sdp`: the body; with a `contentType` it may be one part of several. Default: application/sdp. */
  readonly invite: Omit<OutOfDialogRequest, 'method' | 'body'> & {
    readonly sdp: string;
    readonly contentType?: string;
  };
  readonly delegate: DialogDelegate;
  /** Default: a new one. */
  readonly call?: CallIdentity;
  readonly ringMs: number;
  readonly signal?: AbortSignal;
  /** Asked when `signal` takes the invitation back: the value of Reason that says why (RFC 3326). Default: none. */
  readonly cancelReason?: () => string | undefined;
  readonly onProvisional?: (response: AgentResponse) => void;
  readonly clock?: Clock;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/** Invites, waits, cancels when told or when nobody answers. Rejects with EngineError when nothing could be sent. */
export async function sendInvite(agent: SipAgent, options: OutgoingInviteOptions): Promise<InviteOutcome> {
  const { invite, signal } = options;
  const { call = newCallIdentity() } = options;
  const dialog = new InviteDialog(agent, `${call.callId};from-tag=${call.fromTag}`, options.delegate, {
    isCaller: true,
    ...(invite.digest ? { digest: invite.digest } : {}),
    ...(options.clock ? { clock: options.clock } : {}),
    ...(options.random ? { random: options.random } : {}),
  });
  dialog.localSdp = invite.sdp;
  let current: AgentRequest | undefined;
  let stopped: 'no-answer' | 'cancelled' | undefined;
  let why: OutgoingHeaders = {};
  const stop = (how: 'no-answer' | 'cancelled') => {
    if (stopped === undefined)
      why = reasonHeader(how === 'no-answer' ? UNANSWERED : options.cancelReason?.());
    stopped ??= how;
    current?.cancel(why);
  };
  const cancel = () => {
    stop('cancelled');
  };
  if (signal?.aborted) cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  using _ring = (options.clock ?? systemClock).startTimer(options.ringMs, () => {
    stop('no-answer');
  });
  try {
    const response = await sendAuthenticated(
      agent,
      {
        ...invite,
        method: 'INVITE',
        body: invite.sdp,
        headers: { ...invite.headers, 'Content-Type': invite.contentType ?? 'application/sdp' },
      },
      call,
      (sent) => {
        current = sent;
        sent.onProvisional = options.onProvisional;
        if (stopped !== undefined) sent.cancel(why);
      },
    );
    if (response.status >= 300) {
      dialog.abandon();
      if (stopped !== undefined) return { kind: stopped };
      return { kind: 'refused', status: response.status, reason: response.reason, response };
    }
    dialog.confirm();
    const sendAck = (headers: OutgoingHeaders = {}) => response.sendAck({ headers });
    if (stopped !== undefined) {
      // The 200 crossed our CANCEL: it has to be acknowledged, and then the call is hung up (RFC 3261 §15). The ACK says
      // why as well, so that nobody takes the session for open in between.
      await sendAck(why);
      void dialog.sendBye(why);
      return { kind: stopped };
    }
    return { kind: 'accepted', dialog, sdp: response.body, response, sendAck };
  } catch (error) {
    dialog.abandon();
    throw error;
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

function reasonHeader(reason: string | undefined): OutgoingHeaders {
  return reason === undefined ? {} : { Reason: reason };
}

/** An invitation that has come in and waits for an answer. */
export class IncomingInvite {
  readonly request: AgentServerRequest;
  readonly #agent: SipAgent;

  constructor(agent: SipAgent, request: AgentServerRequest) {
    this.#agent = agent;
    this.request = request;
  }

  get sdp(): string {
    return this.request.body;
  }

  /** Of the body, which may have more parts than the SDP; undefined when there is none. */
  get contentType(): string | undefined {
    return this.request.message.headers.get('content-type');
  }

  /** Aborted when the caller gives up; there is nothing to answer any more then. */
  get cancelled(): AbortSignal {
    return this.request.cancelled;
  }

  /** It was taken back because another device of the user has answered (RFC 3326). */
  get answeredElsewhere(): boolean {
    return isCancelElsewhere(this.request.cancelReasons);
  }

  /** It was taken back because our user has not answered in time (RFC 3326). */
  get unanswered(): boolean {
    return isCancelUnanswered(this.request.cancelReasons);
  }

  async sendRinging(): Promise<void> {
    await this.request.respond(180);
  }

  /** Refuses. `headers` may carry a Warning that says why. */
  async reject(status: number, content: { reason?: string; headers?: OutgoingHeaders } = {}): Promise<void> {
    await this.request.respond(status, content);
  }

  /**
   * Accepts with `sdp`. Undefined when the caller has cancelled meanwhile. The dialog exists before the 200 leaves,
   * so that not even an ACK that comes back in the same instant is missed. `options` are the dialog's.
   */
  async accept(
    sdp: string,
    delegate: DialogDelegate,
    headers: OutgoingHeaders = {},
    options: DialogOptions = {},
  ): Promise<InviteDialog | undefined> {
    const { message } = this.request;
    const fromTag = parseNameAddr(message.headers.get('from') ?? '').params.get('tag') ?? '';
    const dialog = new InviteDialog(
      this.#agent,
      `${message.headers.get('call-id') ?? ''};from-tag=${fromTag}`,
      delegate,
      options,
    );
    dialog.localSdp = sdp;
    dialog.confirm();
    const sent = await this.request.respond(200, {
      body: sdp,
      headers: { ...headers, 'Content-Type': 'application/sdp' },
    });
    if (sent !== undefined) return dialog;
    dialog.abandon();
    return undefined;
  }
}
