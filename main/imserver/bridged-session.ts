/**
 * Owns: one session through the server: its two legs, which end together in the order of the flow (18 after 17).
 * Called by: b2bua.ts. Calls: sip/agent/invite-dialog.ts.
 */
import type { Clock } from '../base/clock.ts';
import type { AgentResponse } from '../sip/agent/agent-request.ts';
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import type { DialogDelegate, InviteDialog } from '../sip/agent/invite-dialog.ts';
import type { IncomingInvite } from '../sip/agent/invite.ts';
import { EngineError } from '../sip/agent/outgoing.ts';

/** Two legs that live and end together. */
export class BridgedSession {
  readonly caller: string;
  readonly called: string;
  readonly startedMs: number;
  readonly #clock: Clock;
  readonly #byeMs: number;
  readonly callerDelegate: DialogDelegate;
  callerDialog: InviteDialog | undefined;
  callee: InviteDialog | undefined;
  /** Contacts of both legs, once there are two. */
  contacts: readonly string[] = [];
  readonly #ringingAt = new Map<string, AbortController>();
  onOver: () => void = () => undefined;
  #ringing = false;

  constructor(people: { readonly caller: string; readonly called: string }, clock: Clock, byeMs: number) {
    this.caller = people.caller;
    this.called = people.called;
    this.startedMs = clock.now();
    this.#clock = clock;
    this.#byeMs = byeMs;
    this.callerDelegate = this.#delegate(() => this.callee);
  }

  /** For the leg whose dialog has this id. Of several devices that accepted, only the first one's BYE ends anything. */
  calleeDelegate(dialogId: string): DialogDelegate {
    return this.#delegate(() => (this.callee?.id === dialogId ? this.callerDialog : undefined));
  }

  /** Aborted when the device is gone while it rings. */
  goneWhileRinging(contact: string): AbortSignal {
    const gone = new AbortController();
    this.#ringingAt.set(contact, gone);
    return gone.signal;
  }

  /** It is decided who has the session: what was needed to call them is forgotten, as a session may last for days. */
  forgetRinging(): void {
    this.#ringingAt.clear();
  }

  receiveGone(contact: string): void {
    this.#ringingAt.get(contact)?.abort();
    if (contact !== '' && this.contacts.includes(contact)) void this.end();
  }

  /** Passes the first ringing on. */
  async ring(invite: IncomingInvite): Promise<void> {
    if (this.#ringing) return;
    this.#ringing = true;
    await invite.sendRinging();
  }

  async end(): Promise<void> {
    await Promise.all([this.#hangUp(this.callerDialog), this.#hangUp(this.callee)]);
    this.over();
  }

  over(): void {
    this.onOver();
  }

  /** Asks both legs whether they are still there; ends the session when one is not. */
  async audit(): Promise<void> {
    const legs = [this.callerDialog, this.callee].filter((leg) => leg?.state === 'confirmed');
    const there = await Promise.all(
      legs.map(async (leg) => {
        try {
          const response = await leg?.sendRequest('OPTIONS');
          return response !== undefined && response.status !== 481 && response.source.address !== '';
        } catch {
          return false;
        }
      }),
    );
    if (there.includes(false)) await this.end();
  }

  /** Steps 16 and 17 happen before the BYE of step 15 is answered with step 18. */
  #delegate(other: () => InviteDialog | undefined): DialogDelegate {
    return {
      receiveBye: async () => {
        const leg = other();
        if (leg === undefined) return;
        await this.#hangUp(leg);
        this.over();
      },
      receiveRequest: (request) => this.#passOn(request, other()),
    };
  }

  /** BYE to a leg; after `byeMs` without an answer we go on all the same. */
  async #hangUp(leg: InviteDialog | undefined): Promise<void> {
    if (leg === undefined) return;
    const late = Promise.withResolvers<void>();
    using _limit = this.#clock.startTimer(this.#byeMs, () => {
      late.resolve();
    });
    await Promise.race([leg.sendBye(), late.promise]);
  }

  /** Requests inside the session (re-INVITE, INFO, OPTIONS, UPDATE, MESSAGE) go through to the other leg. */
  async #passOn(request: AgentServerRequest, other: InviteDialog | undefined): Promise<void> {
    if (other?.state !== 'confirmed') {
      await request.respond(481);
      return;
    }
    if (isOfUnknownKind(request)) {
      await request.respond(400, { reason: 'Missing Content-Type' });
      return;
    }
    const contentType = request.message.headers.get('content-type');
    let response: AgentResponse;
    try {
      response = await other.sendRequest(request.method, {
        ...(contentType ? { headers: { 'Content-Type': contentType } } : {}),
        ...(request.body === '' ? {} : { body: request.body }),
      });
    } catch (error) {
      // The other leg has ended meanwhile, or is where nobody can be reached.
      const code = error instanceof EngineError ? error.code : undefined;
      if (code === 'NO_DIALOG') await request.respond(481);
      else if (code === 'ENGINE_REFUSED') await request.respond(480, { reason: 'Not reachable' });
      else throw error;
      return;
    }
    const answerType = response.message.headers.get('content-type');
    await request.respond(response.status, {
      reason: response.reason,
      ...(answerType ? { headers: { 'Content-Type': answerType } } : {}),
      // What is of unknown kind is no use to anybody.
      ...(response.body === '' || isOfUnknownKind(response) ? {} : { body: response.body }),
    });
    if (request.method === 'INVITE') await response.sendAck();
  }
}

/** RFC 3261 §20.15: a body says of which kind it is. SDP without a word is known by how it begins. */
function isOfUnknownKind({ message, body }: AgentServerRequest | AgentResponse): boolean {
  return body !== '' && !body.startsWith('v=0') && !message.headers.get('content-type');
}
