/**
 * Owns: who may speak over SIP: digest authentication of requests, and that nobody speaks as somebody else.
 * Called by: registrar.ts, b2bua.ts, deferred-messages.ts. Calls: password-check.ts. Sources: RFC 3261 §22.
 */
import { IMSERVER_LIMITS } from '../base/limits.ts';
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import { parseNameAddr } from '../sip/headers.ts';
import { tryParseSipUri } from '../sip/uri.ts';
import { PasswordCheck, type PasswordCheckOptions } from './password-check.ts';
import { refusalOf } from '../sip/agent/policy-warning.ts';
import { clientOf, type ClientAddress } from './trusted-fronts.ts';

/** Checks the Authorization of requests. */
export class Credentials {
  readonly passwords: PasswordCheck;
  readonly #realm: string;
  readonly #retryAfterS: number;
  readonly #fronts: () => readonly string[];

  /** `fronts`: addresses of the proxies that are believed. */
  constructor(options: PasswordCheckOptions & { readonly fronts?: () => readonly string[] }) {
    this.#realm = options.realm;
    this.#fronts = options.fronts ?? (() => []);
    this.passwords = new PasswordCheck(options);
    this.#retryAfterS = Math.ceil((options.limits ?? IMSERVER_LIMITS).wrongPasswordMs / 1_000);
  }

  /**
   * The user who sent the request, or undefined: then it has been answered, with 401 (no or wrong credentials) or
   * 403 (too many wrong ones; or right ones, but From is somebody else).
   */
  async authenticate(request: AgentServerRequest): Promise<string | undefined> {
    const { headers } = request.message;
    const outcome = await this.passwords.check(headers.getAll('authorization'), {
      method: request.method,
      uri: '',
      address: this.clientOf(request).address,
    });
    if (outcome.kind === 'locked') {
      const later = { 'Retry-After': String(this.#retryAfterS) };
      await request.respond(403, { reason: 'Too many wrong passwords, try again later', headers: later });
      return undefined;
    }
    if (outcome.kind !== 'right') {
      // No password makes a user of this server of somebody else's.
      if (!headers.has('authorization') && this.userOf(headers.get('from')) === undefined) {
        await request.respond(403, refusalOf(`this is for people of ${this.#realm} only`));
        return undefined;
      }
      await request.respond(401, {
        headers: { 'WWW-Authenticate': this.passwords.challenges(outcome.kind === 'stale') },
      });
      return undefined;
    }
    if (this.userOf(headers.get('from')) !== outcome.user) {
      await request.respond(403, { reason: 'You may only speak as yourself' });
      return undefined;
    }
    return outcome.user;
  }

  /** Where a request comes from, whatever proxies of ours lie between. */
  clientOf(request: AgentServerRequest): ClientAddress {
    return clientOf(request, this.#fronts());
  }

  /** The user part of a From, To or Contact value in our domain; undefined for any other domain or form. */
  userOf(nameAddr: string | undefined): string | undefined {
    if (nameAddr === undefined) return undefined;
    return this.userOfUri(parseNameAddr(nameAddr).uri);
  }

  userOfUri(text: string): string | undefined {
    const uri = tryParseSipUri(text);
    return uri?.host.toLowerCase() === this.#realm ? uri.user : undefined;
  }
}
