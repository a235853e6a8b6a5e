/**
 * Owns: sessions through the server: one leg to the caller, one to each device of the called user, in the order of
 * the flow (10 after 9, 18 after 17). Called by: imserver.ts with each INVITE. Calls: registrar.ts, bridged-session.ts, sip/agent/invite.ts.
 */
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import { IMSERVER_LIMITS, type ImServerLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import type { SipAgent } from '../sip/agent/agent.ts';
import { IncomingInvite, sendInvite, type InviteOutcome } from '../sip/agent/invite.ts';
import { newCallIdentity } from '../sip/agent/authenticated-request.ts';
import { parseNameAddr } from '../sip/headers.ts';
import { ANSWERED_ELSEWHERE, declinedElsewhere, UNANSWERED } from '../sip/reason.ts';
import type { Binding } from '../store/imserver-tables.ts';
import { BridgedSession } from './bridged-session.ts';
import type { ContactRulesBook } from './contact-rules-book.ts';
import type { Credentials } from './credentials.ts';
import type { DeferredMessages } from './deferred-messages.ts';
import { isAboutFile } from './file-desk.ts';
import type { KeptFiles } from './kept-files.ts';
import { answerOfGuest, wayToGuest } from './guest-way.ts';
import { isFlowFailed, isWayLost, wayTo } from './device-way.ts';
import type { ServerMetrics } from './metrics.ts';
import type { Registrar } from './registrar.ts';
import type { Guest, TalkPolicy } from './talk-policy.ts';
import type { Users } from './users.ts';

export interface B2buaOptions {
  readonly agent: SipAgent;
  readonly credentials: Credentials;
  readonly registrar: Registrar;
  readonly deferred: Pick<DeferredMessages, 'settled'>;
  /** Undefined: the server keeps none. */
  readonly files: () => Pick<KeptFiles, 'receiveInvite'> | undefined;
  readonly users: Users;
  readonly rules: ContactRulesBook;
  readonly policy: TalkPolicy;
  readonly metrics: ServerMetrics;
  readonly log: Log;
  /** Default: `IMSERVER_LIMITS`. */
  readonly limits?: ImServerLimits;
  readonly clock?: Clock;
}

type Accepted = Extract<InviteOutcome, { kind: 'accepted' }>;
/** `gone`: the device has signed off, or was started again, while it rang. */
type LegOutcome = InviteOutcome | { readonly kind: 'gone' };

/** Joins two legs. A session is forgotten when both are gone. */
export class B2bua implements AsyncDisposable {
  readonly #options: B2buaOptions;
  readonly #clock: Clock;
  readonly #limits: ImServerLimits;
  #audit: Timer | undefined;
  readonly #sessions = new Set<BridgedSession>();
  /** No new sessions: those that there are go on. */
  draining = false;

  constructor(options: B2buaOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limits = options.limits ?? IMSERVER_LIMITS;
    this.#auditLater();
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Those that there are, oldest first. */
  sessions(): readonly { caller: string; called: string; startedMs: number; state: 'ringing' | 'open' }[] {
    return [...this.#sessions].map(({ caller, called, startedMs, callerDialog }) => ({
      caller,
      called,
      startedMs,
      state: callerDialog === undefined ? 'ringing' : 'open',
    }));
  }

  async receiveInvite(request: AgentServerRequest): Promise<void> {
    const { credentials, users, registrar, rules, policy } = this.#options;
    const caller = await policy.senderOf(request);
    if (caller === undefined) return;
    // RFC 3261 §16.3 and RFC 7332 §4: it would leave with less than nothing.
    if (Number(request.message.headers.get('max-forwards') ?? 70) === 0) {
      await request.respond(483);
      return;
    }
    const guest = policy.guestOf(request.message.uri);
    if (guest !== undefined) {
      await this.#receiveOutward(request, caller, guest);
      return;
    }
    const called = credentials.userOfUri(request.message.uri);
    if (called === undefined || (await users.find(called)) === undefined) {
      await request.respond(404);
      return;
    }
    if (rules.isBlocked(called, policy.addressOf(caller))) {
      // What he hears as well when the called user says no himself.
      await request.respond(603);
      return;
    }
    if (await this.#isStopping(request)) return;
    const parties = { caller, called };
    // What waits for somebody of another domain waits at his server.
    const isOurs = !policy.isGuest(caller);
    if (isOurs && (await this.#options.files()?.receiveInvite(request, parties, !registrar.isOnline(called))))
      return;
    if (caller === called && isAboutFile(request)) {
      // What a device has for others of its user is at the server or nowhere.
      await request.respond(410, { reason: 'Not kept here' });
      return;
    }
    await this.#options.deferred.settled(isOurs ? [caller, called] : [called]);
    const devices = registrar.waysTo(called);
    if (devices.length === 0) {
      await request.respond(480, { reason: 'Not signed in' });
      return;
    }
    await this.#receiveCall(request, parties, devices);
  }

  /** To somebody of another domain: his server is one device for us. */
  async #receiveOutward(request: AgentServerRequest, caller: string, guest: Guest): Promise<void> {
    const { policy } = this.#options;
    const refusal = policy.refusalOutwards(caller, guest);
    if (refusal !== undefined) {
      await request.respond(403, refusal);
      return;
    }
    if (await this.#isStopping(request)) return;
    await this.#receiveCall(request, { caller, called: guest.address }, [[wayToGuest(guest)]]);
  }

  async #isStopping(request: AgentServerRequest): Promise<boolean> {
    if (!this.draining) return false;
    const later = { 'Retry-After': String(this.#limits.drainRetryAfterS) };
    await request.respond(503, { reason: 'The server is about to stop', headers: later });
    return true;
  }

  async #receiveCall(
    request: AgentServerRequest,
    { caller, called }: { readonly caller: string; readonly called: string },
    devices: readonly (readonly Binding[])[],
  ): Promise<void> {
    const ofCaller = [...this.#sessions].filter((session) => session.caller === caller).length;
    if (this.#sessions.size >= this.#limits.maxSessions || ofCaller >= this.#limits.maxSessionsPerUser) {
      await request.respond(486, { reason: 'Too many sessions' });
      return;
    }
    const session = new BridgedSession({ caller, called }, this.#clock, this.#limits.byeMs);
    this.#sessions.add(session);
    session.onOver = () => this.#sessions.delete(session);
    try {
      await this.#bridge(session, new IncomingInvite(this.#options.agent, request), called, devices);
    } catch (error) {
      this.#sessions.delete(session);
      throw error;
    }
  }

  /** A device is gone: it does not ring any more, and a session with it is over, whether it could say so or not. */
  receiveGone(contact: string): void {
    for (const session of this.#sessions) session.receiveGone(contact);
  }

  /** Ends every session: the server stops. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#audit?.[Symbol.dispose]();
    this.#audit = undefined;
    await Promise.all([...this.#sessions].map((session) => session.end()));
  }

  /** A session whose two people were cut off at once is ended by nobody: from time to time they are asked. */
  #auditLater(): void {
    this.#audit = this.#clock.startTimer(this.#limits.auditMs, () => {
      this.#auditLater();
      for (const session of this.#sessions) void session.audit();
    });
  }

  /** Steps 3 to 10. */
  async #bridge(
    session: BridgedSession,
    invite: IncomingInvite,
    called: string,
    devices: readonly (readonly Binding[])[],
  ): Promise<void> {
    const outcome = await this.#fork(session, invite, called, devices);
    session.forgetRinging();
    const { metrics } = this.#options;
    if (outcome.kind !== 'accepted') {
      metrics.sessionsRefused++;
      session.over();
      await this.#refuse(invite, outcome, called);
      return;
    }
    session.callee = outcome.dialog;
    session.contacts = [outcome.device.contact, contactOf(invite.request)];
    const caller = await invite.accept(outcome.sdp, session.callerDelegate, copied(outcome));
    if (caller === undefined) {
      // The caller gave up while the answer was on its way: the handshake is completed and the leg hung up.
      await outcome.sendAck();
      await outcome.dialog.sendBye();
      session.over();
      return;
    }
    session.callerDialog = caller;
    metrics.sessionsStarted++;
    metrics.setup.observe((this.#clock.now() - session.startedMs) / 1_000);
    // The called side may have hung up before the caller's leg was there to be told.
    if (outcome.dialog.state === 'ended') await session.end();
    try {
      await caller.acked;
    } catch (error) {
      // The caller is gone: its engine's BYE has been passed on, or will be.
      this.#options.log.info('session.not-acknowledged', { error });
    }
    await outcome.sendAck();
  }

  /** Invites every device; the first that accepts wins, the others are cancelled. */
  async #fork(
    session: BridgedSession,
    invite: IncomingInvite,
    called: string,
    devices: readonly (readonly Binding[])[],
  ): Promise<Exclude<LegOutcome, Accepted> | (Accepted & { device: Binding })> {
    const winner = Promise.withResolvers<Accepted & { device: Binding }>();
    // Aborted with the value of Reason that the devices are told (RFC 3326).
    const stop = new AbortController();
    const legs = devices.map(async (ways): Promise<Exclude<LegOutcome, Accepted>> => {
      const { outcome, device } = await this.#ringByWays(ways, session, invite, called, stop.signal);
      if (outcome.kind !== 'accepted') {
        // RFC 3261 §16.7 step 5: he has said no on one device; it need not ring on the others.
        if (outcome.kind === 'refused' && outcome.status >= 600)
          stop.abort(declinedElsewhere(outcome.status));
        return outcome;
      }
      if (stop.signal.aborted) {
        const why = { Reason: reasonOf(stop.signal) ?? [] };
        await outcome.sendAck(why);
        void outcome.dialog.sendBye(why);
      } else {
        stop.abort(ANSWERED_ELSEWHERE);
        winner.resolve({ ...outcome, device });
      }
      return { kind: 'cancelled' };
    });
    const all = Promise.all(legs.map((leg) => leg.catch(() => ({ kind: 'gone' }) as const)));
    return Promise.race([winner.promise, all.then((outcomes) => best(outcomes))]);
  }

  /** One device by one of its flows; by the next when that one has failed (RFC 5626 §5.3). Rejects with EngineError. */
  async #ringByWays(
    ways: readonly Binding[],
    session: BridgedSession,
    invite: IncomingInvite,
    called: string,
    stop: AbortSignal,
  ): Promise<{ outcome: LegOutcome; device: Binding }> {
    const [device, ...others] = ways;
    if (device === undefined) throw new RangeError('a device without a way');
    const outcome = await this.#ringAt(device, session, invite, called, stop);
    const isFailed = outcome.kind === 'refused' && isFlowFailed(outcome.response);
    if (!isFailed || others.length === 0 || stop.aborted) return { outcome, device };
    return this.#ringByWays(others, session, invite, called, stop);
  }

  /** Step 3, to one device. Rejects with EngineError. */
  async #ringAt(
    device: Binding,
    session: BridgedSession,
    invite: IncomingInvite,
    called: string,
    stop: AbortSignal,
  ): Promise<LegOutcome> {
    const { agent, policy } = this.#options;
    const { headers } = invite.request.message;
    const gone = session.goneWhileRinging(device.contact);
    const send = (way: string) => {
      const call = newCallIdentity();
      const { nextHop, headers: route } = wayTo(way);
      return sendInvite(agent, {
        invite: {
          uri: device.contact,
          nextHop,
          from: (headers.get('from') ?? '').replace(/;tag=[^;]*/i, ''),
          to: `<sip:${policy.addressOf(called)}>`,
          sdp: invite.sdp,
          ...(invite.contentType ? { contentType: invite.contentType } : {}),
          headers: {
            ...route,
            'Max-Forwards': String(Math.max(0, Number(headers.get('max-forwards') ?? 70) - 1)),
          },
        },
        call,
        delegate: session.calleeDelegate(`${call.callId};from-tag=${call.fromTag}`),
        ringMs: this.#limits.ringMs,
        signal: AbortSignal.any([stop, gone, invite.cancelled]),
        // Of what the caller says only that he has waited long enough: he does not know who answers where.
        cancelReason: () => reasonOf(stop) ?? (invite.unanswered ? UNANSWERED : undefined),
        onProvisional: (response) => {
          if (response.status === 180) void session.ring(invite);
        },
        clock: this.#clock,
      });
    };
    const answered = send(device.source).then((outcome) =>
      outcome.kind === 'refused' && isWayLost(outcome.response, device) ? send(device.contact) : outcome,
    );
    // A device that is gone does not answer the CANCEL either: it is not waited for.
    const left = new Promise<LegOutcome>((resolve) => {
      gone.addEventListener('abort', () => {
        resolve({ kind: 'gone' });
      });
    });
    return Promise.race([answered, left]);
  }

  /** What the caller hears when nobody accepted. */
  async #refuse(
    invite: IncomingInvite,
    outcome: Exclude<LegOutcome, Accepted>,
    called: string,
  ): Promise<void> {
    if (outcome.kind === 'cancelled') return;
    if (outcome.kind === 'no-answer') {
      await invite.reject(408, { reason: 'No answer' });
      return;
    }
    if (outcome.kind === 'gone') {
      await invite.reject(480, { reason: 'Not reachable' });
      return;
    }
    const { status, reason, response } = outcome;
    // 408 and 503 without a source were made by our own engine: the device is gone, its registration is not yet.
    if (response.source.address === '') {
      await invite.reject(480, { reason: 'Not reachable' });
      return;
    }
    if (this.#options.policy.isGuest(called)) {
      await invite.reject(...answerOfGuest(response));
      return;
    }
    // The user exists: what his device does not know is that he is signed in there.
    if (status === 404) {
      await invite.reject(480, { reason: 'Not signed in' });
      return;
    }
    const warning = response.message.headers.get('warning');
    await invite.reject(status, { reason, ...(warning ? { headers: { Warning: warning } } : {}) });
  }
}

/** Why the other devices ring no more; undefined when that is not decided among devices. */
function reasonOf(stop: AbortSignal): string | undefined {
  return typeof stop.reason === 'string' ? stop.reason : undefined;
}

/** What of the answer goes through: the server is transparent in peer mode. */
function copied(outcome: Accepted): Record<string, string> {
  const agent = outcome.response.message.headers.get('user-agent');
  return agent === undefined ? {} : { 'User-Agent': agent };
}

/** The outcome that tells the caller most: a refusal by a person before one by a machine (RFC 3261 §16.7). */
function best(outcomes: readonly Exclude<LegOutcome, Accepted>[]): Exclude<LegOutcome, Accepted> {
  const rank = (outcome: Exclude<LegOutcome, Accepted>): number => {
    if (outcome.kind !== 'refused') return { 'no-answer': 3, gone: 4, cancelled: 6 }[outcome.kind];
    if (outcome.response.source.address === '') return 5;
    return outcome.status >= 600 ? 1 : 2;
  };
  return [...outcomes].sort((a, b) => rank(a) - rank(b))[0] ?? { kind: 'no-answer' };
}

function contactOf(request: AgentServerRequest): string {
  const contact = request.message.headers.get('contact');
  return contact === undefined ? '' : parseNameAddr(contact).uri;
}
