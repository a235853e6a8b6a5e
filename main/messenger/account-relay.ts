/**
 * Owns: the relays of one account: which there are, and our place at one of them. Called by: account-link.ts.
 * Calls: msrp/relay-client.ts, DNS.
 */
import { Resolver } from 'node:dns/promises';
import type { MsrpEndpoint } from '../msrp/endpoint.ts';
import { MsrpRelayClient } from '../msrp/relay-client.ts';
import { findRelays, type RelayRecord, type RelayServer } from '../msrp/relay-servers.ts';
import type { MsrpSessionRelay } from '../msrp/session.ts';

const DNS_MS = 2_000;

/** SRV records of a service; none when DNS does not know it or does not answer. */
async function resolveRelays(service: string): Promise<readonly RelayRecord[]> {
  try {
    return await new Resolver({ timeout: DNS_MS, tries: 1 }).resolveSrv(service);
  } catch {
    return [];
  }
}

export interface AccountRelayOptions {
  readonly msrp: MsrpEndpoint;
  readonly address: string;
  readonly user: string;
  readonly password: string;
  /** Those of the account, or of the settings. */
  written(): readonly string[];
  /** The one that the server has told of: taken when none is written down. */
  announced(): RelayServer | undefined;
  /** Our own address. */
  localHost(): string;
}

/** The relays that an account may use, in the order in which they are tried. */
export function relaysOf(written: readonly string[], address: string): Promise<readonly RelayServer[]> {
  return findRelays(written, address.slice(address.lastIndexOf('@') + 1), resolveRelays);
}

/** One account's place at its relays. Nothing is opened before the first session wants it. */
export class AccountRelay implements AsyncDisposable {
  readonly #options: AccountRelayOptions;
  #client: MsrpRelayClient | undefined;
  #written = '';

  constructor(options: AccountRelayOptions) {
    this.#options = options;
  }

  /** Rejects with MsrpSessionError. Other relays in the settings: a place at one of those. */
  bind(): Promise<MsrpSessionRelay> {
    const { msrp, user, password, address } = this.#options;
    const written = this.#options.written();
    const announced = written.length > 0 ? undefined : this.#options.announced();
    const text = [...written, announced?.uri.text, announced?.fingerprint?.digest.toString('hex')].join(' ');
    if (this.#client === undefined || text !== this.#written) {
      void this.#client?.[Symbol.asyncDispose]();
      this.#written = text;
      this.#client = new MsrpRelayClient({
        endpoint: msrp,
        user,
        password,
        findServers: () =>
          announced === undefined ? relaysOf(written, address) : Promise.resolve([announced]),
        localHost: () => this.#options.localHost(),
      });
    }
    return this.#client.bind();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.[Symbol.asyncDispose]();
  }
}
