/**
 * Owns: the presence that devices have published (RFC 3903): entity-tags, lifetimes, and what they say together.
 * Called by: publish-requests.ts, presence.ts. Calls: sip/pidf.ts.
 */
import { randomBytes } from 'node:crypto';
import type { PresenceShow, PresenceState } from '../../shared/domain/presence.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { PresenceLimits } from '../base/presence-limits.ts';
import { parsePidf, PIDF_TYPE } from '../sip/pidf.ts';
import type { Publish, PublishOutcome, PublishPackage } from './publish-requests.ts';

/** What one device has said. */
interface Publication {
  readonly user: string;
  etag: string;
  state: PresenceState;
  timer: Timer;
  /** Grows with each change of content: the newest words count. */
  order: number;
  /** Where it has come from the last time: a device that is somewhere else now goes on with what it had. */
  source: string;
}

/** Who says the most wins: one device that is not to be disturbed, then one that is there. */
const STRONGEST: readonly PresenceShow[] = ['dnd', 'available', 'away', 'offline'];

export interface PublicationsOptions {
  readonly limits: PresenceLimits;
  readonly clock: Clock;
  /** What this user's devices say has changed. */
  readonly receiveChange: (user: string) => void;
}

/** All publications of all users; they are gone with the server, and are published again. */
export class Publications implements PublishPackage, Disposable {
  readonly event = 'presence';
  readonly contentType = PIDF_TYPE;
  readonly #options: PublicationsOptions;
  readonly #byUser = new Map<string, Map<string, Publication>>();
  #count = 0;
  #order = 0;

  constructor(options: PublicationsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#count;
  }

  /** Everything that a user's devices have published, as one. */
  composed(user: string): PresenceState {
    const all = [...(this.#byUser.get(user)?.values() ?? [])].filter(({ state }) => state.show !== 'offline');
    const show = STRONGEST.find((one) => all.some(({ state }) => state.show === one)) ?? 'offline';
    const [newest] = all.filter(({ state }) => state.note !== '').sort((a, b) => b.order - a.order);
    return { show, note: newest?.state.note ?? '' };
  }

  /** Rejects with ProtocolError 400. */
  receivePublish(publish: Publish): Promise<PublishOutcome> {
    const { user, condition, body } = publish;
    const state = body === undefined ? undefined : parsePidf(body);
    if (condition !== undefined) return Promise.resolve(this.#change(publish, condition, state));
    if (state === undefined) throw new RangeError('a first publication has a body');
    const own = this.#byUser.get(user);
    const { maxPublicationsPerUser, maxPublications } = this.#options.limits;
    if ((own?.size ?? 0) >= maxPublicationsPerUser || this.#count >= maxPublications) {
      return Promise.resolve({ kind: 'refused', status: 503, reason: 'Too many publications' });
    }
    if (publish.expiresS === 0) return Promise.resolve({ kind: 'done', etag: newEtag(), expiresS: 0 });
    const etag = newEtag();
    this.#order += 1;
    const publication: Publication = {
      ...{ user, etag, state, order: this.#order },
      timer: this.#startTimer(user, etag, publish.expiresS),
      source: publish.request.sourceUri,
    };
    this.#replaceOfDevice(publication);
    this.#add(publication);
    this.#options.receiveChange(user);
    return Promise.resolve({ kind: 'done', etag, expiresS: publish.expiresS });
  }

  /** The device is not there any more: what it has said from there (`sourceUri`) does not hold. */
  receiveLeft(user: string, source: string): void {
    const gone = [...(this.#byUser.get(user)?.values() ?? [])].filter((one) => one.source === source);
    for (const publication of gone) this.#remove(publication);
    if (gone.length > 0) this.#options.receiveChange(user);
  }

  [Symbol.dispose](): void {
    for (const own of [...this.#byUser.values()]) {
      for (const publication of [...own.values()]) this.#remove(publication);
    }
  }

  /** Refresh, change or end of one that there is (RFC 3903 §6 steps 3 to 6). */
  #change(publish: Publish, condition: string, state: PresenceState | undefined): PublishOutcome {
    const { user, expiresS } = publish;
    const publication = this.#byUser.get(user)?.get(condition);
    if (publication === undefined) return { kind: 'unmet' };
    this.#remove(publication);
    const etag = newEtag();
    if (expiresS > 0) {
      publication.etag = etag;
      publication.source = publish.request.sourceUri;
      publication.timer = this.#startTimer(user, etag, expiresS);
      if (state !== undefined) {
        publication.state = state;
        this.#order += 1;
        publication.order = this.#order;
      }
      this.#add(publication);
    }
    if (expiresS === 0 || state !== undefined) this.#options.receiveChange(user);
    return { kind: 'done', etag, expiresS };
  }

  /** A device that publishes anew has forgotten what it had published: it was started again. */
  #replaceOfDevice({ user, source }: Publication): void {
    for (const other of [...(this.#byUser.get(user)?.values() ?? [])]) {
      if (other.source === source) this.#remove(other);
    }
  }

  #startTimer(user: string, etag: string, expiresS: number): Timer {
    return this.#options.clock.startTimer(expiresS * 1_000, () => {
      const publication = this.#byUser.get(user)?.get(etag);
      if (publication === undefined) return;
      this.#remove(publication);
      this.#options.receiveChange(user);
    });
  }

  #add(publication: Publication): void {
    const own = this.#byUser.get(publication.user) ?? new Map<string, Publication>();
    this.#byUser.set(publication.user, own);
    own.set(publication.etag, publication);
    this.#count += 1;
  }

  #remove(publication: Publication): void {
    const own = this.#byUser.get(publication.user);
    if (own?.delete(publication.etag) !== true) return;
    this.#count -= 1;
    publication.timer[Symbol.dispose]();
    if (own.size === 0) this.#byUser.delete(publication.user);
  }
}

/** RFC 3903 §5: unique among all of one resource. */
function newEtag(): string {
  return randomBytes(9).toString('base64url').replace(/[-_]/g, 'x');
}
