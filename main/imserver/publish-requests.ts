/**
 * Owns: what PUBLISH may do (RFC 3903 §6): who publishes what, for how long, on which condition; the packages say what it
 * means. Called by: imserver.ts with each PUBLISH. Calls: credentials.ts.
 */
import type { PresenceLimits } from '../base/presence-limits.ts';
import { secondsOf } from '../sip/agent/registration-answer.ts';
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import type { Credentials } from './credentials.ts';

/** One PUBLISH that may be carried out. */
export interface Publish {
  readonly user: string;
  readonly request: AgentServerRequest;
  /** The entity-tag that it has to meet (SIP-If-Match); undefined: a first publication. */
  readonly condition: string | undefined;
  /** Seconds that it is to live; 0: it ends. */
  readonly expiresS: number;
  /** Where the device is, as a SIP URI. */
  readonly source: string;
  /** Undefined: a refresh, or an end. */
  readonly body: Buffer | undefined;
}

/** What came of it. `unmet`: the condition names no state of ours (412). */
export type PublishOutcome =
  | { readonly kind: 'done'; readonly etag: string; readonly expiresS: number }
  | { readonly kind: 'unmet' }
  | { readonly kind: 'refused'; readonly status: number; readonly reason: string };

/** One event package whose state users publish. */
export interface PublishPackage {
  readonly event: string;
  readonly contentType: string;
  /** Rejects with ProtocolError 400 when the body cannot be read. */
  receivePublish(publish: Publish): Promise<PublishOutcome>;
}

export interface PublishRequestsOptions {
  readonly credentials: Credentials;
  readonly limits: PresenceLimits;
}

/** All PUBLISH requests of a server. */
export class PublishRequests {
  readonly #options: PublishRequestsOptions;
  readonly #packages = new Map<string, PublishPackage>();

  constructor(options: PublishRequestsOptions) {
    this.#options = options;
  }

  add(publishPackage: PublishPackage): void {
    this.#packages.set(publishPackage.event, publishPackage);
  }

  /** RFC 3903 §6, in the order of its steps. */
  async receivePublish(request: AgentServerRequest): Promise<void> {
    const { credentials } = this.#options;
    const user = await credentials.authenticate(request);
    if (user === undefined) return;
    const { headers, uri, body } = request.message;
    if (credentials.userOfUri(uri) !== user) {
      await request.respond(403, { reason: 'You may only publish for yourself' });
      return;
    }
    const [event = ''] = (headers.get('event') ?? '').split(';');
    const known = this.#packages.get(event.trim().toLowerCase());
    if (known === undefined) {
      await request.respond(489, { headers: { 'Allow-Events': [...this.#packages.keys()].join(', ') } });
      return;
    }
    const conditions = headers.list('sip-if-match');
    const [condition] = conditions;
    if (conditions.length > 1 || (condition === undefined && body.length === 0)) {
      await request.respond(400, { reason: 'A first publication has a body, others have one condition' });
      return;
    }
    const expiresS = await this.#lifetime(request);
    if (expiresS === undefined) return;
    const type = (headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
    if (body.length > 0 && type !== known.contentType) {
      await request.respond(415, { headers: { Accept: known.contentType } });
      return;
    }
    const outcome = await known.receivePublish({
      ...{ user, request, condition, expiresS, source: credentials.clientOf(request).uri },
      body: body.length > 0 ? body : undefined,
    });
    if (outcome.kind === 'unmet') await request.respond(412, { reason: 'Conditional Request Failed' });
    else if (outcome.kind === 'refused') await request.respond(outcome.status, { reason: outcome.reason });
    else {
      const { etag } = outcome;
      await request.respond(200, { headers: { 'SIP-ETag': etag, Expires: String(outcome.expiresS) } });
    }
  }

  /** Undefined: refused, and answered. */
  async #lifetime(request: AgentServerRequest): Promise<number | undefined> {
    const { defaultPublishS, minPublishS, maxPublishS } = this.#options.limits;
    const asked = request.message.headers.get('expires');
    const seconds = asked === undefined ? defaultPublishS : secondsOf(asked);
    if (seconds === undefined) {
      await request.respond(400, { reason: 'Expires is no number of seconds' });
      return undefined;
    }
    if (seconds > 0 && seconds < minPublishS) {
      await request.respond(423, { headers: { 'Min-Expires': String(minPublishS) } });
      return undefined;
    }
    return Math.min(seconds, maxPublishS);
  }
}
