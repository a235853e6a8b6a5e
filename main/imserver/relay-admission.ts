/**
 * Owns: AUTH: who gets a place at the relay, for how long, and how it is kept (RFC 4976 §5.1, §6.1).
 * Called by: relay-link.ts with each AUTH. Calls: password-check.ts, relay-place.ts.
 */
import type { RelayLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { MsrpFrameSink } from '../msrp/connection.ts';
import { firstPathUri, formatEndLine, statusComment, type MsrpHead } from '../msrp/message.ts';
import { parseMsrpPath } from '../msrp/uri.ts';
import type { PasswordCheck } from './password-check.ts';
import type { RelayLink } from './relay-link.ts';
import { RelayPlace, type RelayPlaces } from './relay-place.ts';

export interface RelayAdmissionOptions {
  readonly passwords: PasswordCheck;
  readonly places: RelayPlaces;
  readonly limits: RelayLimits;
  readonly log: Log;
  /** What stands in a Use-Path: the configured name, or the address at which a client has come. */
  addressFor(link: RelayLink): {
    readonly scheme: 'msrp' | 'msrps';
    readonly host: string;
    readonly port: number;
  };
  /** No new places: the server is about to stop. */
  isDraining(): boolean;
  receiveExpired(place: RelayPlace): void;
}

/** Answers AUTH. */
export class RelayAdmission {
  readonly #options: RelayAdmissionOptions;

  constructor(options: RelayAdmissionOptions) {
    this.#options = options;
  }

  /** An AUTH begins; it is looked at when it has ended. */
  receiveAuth(link: RelayLink, head: MsrpHead): MsrpFrameSink {
    return {
      receiveBody: () => undefined,
      receiveEnd: () => {
        this.#receive(link, head).catch((error: unknown) => {
          this.#options.log.error('relay.auth.failed', { error });
          this.#answer(link, head, 408);
        });
      },
    };
  }

  async #receive(link: RelayLink, head: MsrpHead): Promise<void> {
    const { limits, passwords } = this.#options;
    const { toPath = '' } = head;
    // Further relays behind this one are not asked on behalf of anybody.
    if (toPath.includes(' ') || link.openAuths >= limits.maxOpenAuths) {
      this.#answer(link, head, 403);
      return;
    }
    parseMsrpPath(toPath, 1);
    link.openAuths++;
    try {
      const outcome = await passwords.check(valuesOf(head, 'authorization'), {
        method: 'AUTH',
        uri: toPath,
        address: link.connection.remoteAddress,
      });
      if (link.ended) return;
      switch (outcome.kind) {
        case 'locked':
          this.#answer(link, head, 403);
          return;
        case 'wrong':
        case 'stale': {
          const challenges = passwords.challenges(outcome.kind === 'stale');
          this.#answer(link, head, 401, ...challenges.map((text) => `WWW-Authenticate: ${text}`));
          return;
        }
        case 'right':
          this.#admit(link, head, outcome.user);
      }
    } finally {
      link.openAuths--;
    }
  }

  #admit(link: RelayLink, head: MsrpHead, user: string): void {
    const { limits, places, log } = this.#options;
    const [asked] = valuesOf(head, 'expires');
    const seconds = asked === undefined ? limits.defaultExpiresS : Number(asked);
    if (!Number.isInteger(seconds) || seconds < limits.minExpiresS) {
      this.#answer(link, head, 423, `Min-Expires: ${limits.minExpiresS}`);
      return;
    }
    if (seconds > limits.maxExpiresS) {
      this.#answer(link, head, 423, `Max-Expires: ${limits.maxExpiresS}`);
      return;
    }
    let place = places.of(user, link);
    if (place === undefined) {
      if (this.#options.isDraining()) {
        this.#answer(link, head, 408);
        return;
      }
      place = new RelayPlace(user, link, this.#options.addressFor(link));
      if (!places.add(place)) {
        this.#answer(link, head, 403);
        return;
      }
      log.info('relay.place.given', { user, remote: link.connection.remote });
    }
    const given = place;
    places.prolong(given, seconds, () => this.#options.receiveExpired(given));
    link.connection.confirm();
    this.#answer(link, head, 200, `Use-Path: ${given.uri.text}`, `Expires: ${seconds}`);
  }

  #answer(link: RelayLink, head: MsrpHead, status: number, ...headers: readonly string[]): void {
    if (link.ended) return;
    const { transactionId: id, fromPath = '', toPath = '' } = head;
    const lines = [
      `MSRP ${id} ${status} ${statusComment(status)}`,
      `To-Path: ${firstPathUri(fromPath)}`,
      `From-Path: ${firstPathUri(toPath)}`,
      ...headers,
    ];
    link.connection.sendFrame(`${lines.join('\r\n')}\r\n${formatEndLine(id, '$')}`);
  }
}

function valuesOf(head: MsrpHead, name: string): string[] {
  return head.others.filter((one) => one.name.toLowerCase() === name).map(({ value }) => value);
}
