/**
 * Owns: who may talk to whom: people of this server with each other, and with those of the domains that the configuration
 * names; and how a request of another server is told from one that only says so. Called by: b2bua.ts,
 * deferred-messages.ts. Calls: credentials.ts, DNS through its owner.
 */
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import { refusalOf, type PolicyRefusal } from '../sip/agent/policy-warning.ts';
import { parseNameAddr } from '../sip/headers.ts';
import { tryParseSipUri } from '../sip/uri.ts';
import type { Credentials } from './credentials.ts';
import type { ClientAddress } from './trusted-fronts.ts';

export interface TalkPolicyOptions {
  readonly domain: string;
  /** The other domains, as they count now, in lower case. */
  readonly domains: () => readonly string[];
  readonly credentials: Pick<Credentials, 'authenticate' | 'clientOf'>;
  /** Addresses to which the name of a domain leads over TLS. Rejects when they cannot be found out. */
  readonly addressesOf: (domain: string) => Promise<readonly string[]>;
}

/** Somebody of another domain. */
export interface Guest {
  /** `user@domain`. */
  readonly address: string;
  readonly domain: string;
}

/** He is written into header fields and the database: nothing that means something there. */
const PLAIN_USER = /^[A-Za-z0-9._~!$&'*+=-]{1,64}$/;

/** The policy of one server. A user of its own is named by the part before the @, everybody else by his address. */
export class TalkPolicy {
  readonly #options: TalkPolicyOptions;

  constructor(options: TalkPolicyOptions) {
    this.#options = options;
  }

  /** Whether that is the address of a guest, and not the name of a user. */
  isGuest(who: string): boolean {
    return who.includes('@');
  }

  /** `user@domain`, whoever it is. */
  addressOf(who: string): string {
    return this.isGuest(who) ? who : `${who}@${this.#options.domain}`;
  }

  /** Whom of another domain a URI names; undefined: nobody, or somebody of ours. */
  guestOf(uri: string): Guest | undefined {
    const parsed = tryParseSipUri(uri);
    const domain = parsed?.host.toLowerCase();
    const user = parsed?.user ?? '';
    if (domain === undefined || domain === this.#options.domain || !PLAIN_USER.test(user)) return undefined;
    return { address: `${user}@${domain}`, domain };
  }

  allows(domain: string): boolean {
    return domain === this.#options.domain || this.#options.domains().includes(domain);
  }

  /** The one whom a request is from: a user, or the address of a guest. Undefined: refused, and answered. */
  async senderOf(request: AgentServerRequest): Promise<string | undefined> {
    const { credentials } = this.#options;
    const guest = this.guestOf(parseNameAddr(request.message.headers.get('from') ?? '').uri);
    // Whoever has a password here is asked for it: then it is said that he may only speak as himself.
    if (guest === undefined || request.message.headers.has('authorization')) {
      return credentials.authenticate(request);
    }
    if (!this.allows(guest.domain)) {
      await request.respond(403, this.refusal(guest.domain));
      return undefined;
    }
    if (!(await this.#comesFrom(guest.domain, credentials.clientOf(request)))) {
      await request.respond(403, refusalOf(`this did not come from the server of ${guest.domain} over TLS`));
      return undefined;
    }
    return guest.address;
  }

  refusal(domain: string): PolicyRefusal {
    return refusalOf(`people of ${this.#options.domain} and of ${domain} may not talk with each other`);
  }

  /** Why a request of `sender` does not go out to `guest`; undefined: it may. */
  refusalOutwards(sender: string, guest: Guest): PolicyRefusal | undefined {
    // Nobody is passed from one foreign server to the next.
    if (this.isGuest(sender)) return refusalOf(`only people of ${this.#options.domain} can be reached here`);
    return this.allows(guest.domain) ? undefined : this.refusal(guest.domain);
  }

  async #comesFrom(domain: string, { address, transport }: ClientAddress): Promise<boolean> {
    if (transport !== 'tls') return false;
    try {
      return (await this.#options.addressesOf(domain)).includes(address);
    } catch {
      return false;
    }
  }
}
