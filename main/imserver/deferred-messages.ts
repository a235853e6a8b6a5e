/**
 * Owns: SIP MESSAGE through the server: passed on to the present, kept on disk for the absent, delivered on return.
 * Called by: imserver.ts with each MESSAGE and each registration. Calls: registrar.ts, sip/agent/pager-message.ts, store.
 */
import { systemClock, type Clock } from '../base/clock.ts';
import { IMSERVER_LIMITS } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import type { SipAgent } from '../sip/agent/agent.ts';
import { sendPagerMessage } from '../sip/agent/pager-message.ts';
import type { Credentials } from './credentials.ts';
import type { ImServerStore } from './imserver-store.ts';
import type { Registrar } from './registrar.ts';
import type { UserFile } from './user-file.ts';

export interface DeferredMessagesOptions {
  readonly agent: SipAgent;
  readonly credentials: Credentials;
  readonly registrar: Registrar;
  readonly users: UserFile;
  readonly store: ImServerStore;
  readonly domain: string;
  readonly log: Log;
  readonly clock?: Clock;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
const DELIVERY_BATCH = 20;

interface Parcel {
  readonly sender: string;
  readonly recipient: string;
  readonly contentType: string;
  readonly body: Buffer;
}

/** Passes messages on, or keeps them. */
export class DeferredMessages {
  readonly #options: DeferredMessagesOptions;
  readonly #clock: Clock;
  /** Recipients to whom we are delivering; `true`: look again afterwards. */
  readonly #delivering = new Map<string, boolean>();

  constructor(options: DeferredMessagesOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  async receiveMessage(request: AgentServerRequest): Promise<void> {
    const { credentials, users } = this.#options;
    const sender = await credentials.authenticate(request);
    if (sender === undefined) return;
    const recipient =
      credentials.userOfUri(request.message.uri) ?? credentials.userOf(request.message.headers.get('to'));
    if (recipient === undefined || (await users.find(recipient)) === undefined) {
      await request.respond(404);
      return;
    }
    const { body } = request.message;
    if (body.length > IMSERVER_LIMITS.maxDeferredBytes) {
      await request.respond(413);
      return;
    }
    const contentType = request.message.headers.get('content-type') ?? 'text/plain';
    const parcel = { sender, recipient, contentType, body };
    // While older ones wait, a new one waits behind them: order is kept.
    if (!this.#delivering.has(recipient) && (await this.#deliver(parcel)) === 'taken') {
      await request.respond(200);
      return;
    }
    await this.#keep(request, parcel);
  }

  /** A device of the user is there: what waited goes out, oldest first, one after the other. */
  receivePresent(user: string): void {
    if (this.#delivering.has(user)) {
      this.#delivering.set(user, true);
      return;
    }
    this.#delivering.set(user, false);
    void this.#deliverAll(user)
      .catch((error: unknown) => {
        this.#options.log.error('deferred.failed', { user, error });
      })
      .finally(() => {
        const again = this.#delivering.get(user);
        this.#delivering.delete(user);
        if (again) this.receivePresent(user);
      });
  }

  async #keep(request: AgentServerRequest, parcel: Parcel): Promise<void> {
    const receivedMs = this.#clock.now();
    const outcome = await this.#options.store.call('insertDeferred', {
      ...parcel,
      receivedMs,
      expiresMs: receivedMs + IMSERVER_LIMITS.deferredDays * DAY_MS,
      maxPerRecipient: IMSERVER_LIMITS.maxDeferredPerUser,
      maxPerSender: IMSERVER_LIMITS.maxDeferredPerSender,
    });
    if (outcome === 'full') await request.respond(480, { reason: 'Too many messages wait for this user' });
    else await request.respond(202);
    if (outcome === 'stored' && this.#options.registrar.isOnline(parcel.recipient))
      this.receivePresent(parcel.recipient);
  }

  async #deliverAll(user: string): Promise<void> {
    const { store } = this.#options;
    for (;;) {
      const waiting = await store.call('selectDeferred', {
        recipient: user,
        limit: DELIVERY_BATCH,
        nowMs: this.#clock.now(),
      });
      if (waiting.length === 0) return;
      for (const message of waiting) {
        const outcome = await this.#deliver({ ...message, body: Buffer.from(message.body) });
        if (outcome === 'later') return;
        await store.call('deleteDeferred', { id: message.id });
      }
    }
  }

  /** To each device; one that takes it is enough. `useless`: none will ever take it (400, 415). */
  async #deliver(parcel: Parcel): Promise<'taken' | 'useless' | 'later'> {
    const { agent, registrar, domain, log } = this.#options;
    const devices = registrar.devicesOf(parcel.recipient);
    const statuses = await Promise.all(
      devices.map(async (device) => {
        try {
          const { status } = await sendPagerMessage(agent, {
            uri: device.contact,
            nextHop: device.source,
            from: `<sip:${parcel.sender}@${domain}>`,
            to: `<sip:${parcel.recipient}@${domain}>`,
            contentType: parcel.contentType,
            body: parcel.body.toString('utf8'),
          });
          return status;
        } catch (error) {
          log.info('deferred.not-sent', { error });
          return 503;
        }
      }),
    );
    if (statuses.some((status) => status >= 200 && status < 300)) return 'taken';
    if (statuses.length > 0 && statuses.every((status) => status === 400 || status === 415)) return 'useless';
    return 'later';
  }
}
