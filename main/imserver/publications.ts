/**
 * Owns: the presence that devices have published (RFC 3903): entity-tags, lifetimes, and what they say together; at
 * whichever node they did. Called by: publish-requests.ts, presence.ts. Calls: sip/pidf.ts, mirror.ts.
 */
import { randomBytes } from 'node:crypto';
import type { PresenceShow, PresenceState } from '../../shared/domain/presence.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { PresenceLimits } from '../base/presence-limits.ts';
import type { SharedMemory, StoredPublication } from '../store/server-store.ts';
import { parsePidf, PIDF_TYPE } from '../sip/pidf.ts';
import { Mirror } from './mirror.ts';
import type { Publish, PublishOutcome, PublishPackage } from './publish-requests.ts';

/** What one device has said. */
interface Publication {
  readonly user: string;
  readonly etag: string;
  readonly state: PresenceState;
  readonly timer: Timer;
  /** The newest words count. */
  readonly changedMs: number;
  readonly expiresMs: number;
  /** Where it has come from the last time: a device that is somewhere else now goes on with what it had. */
  readonly source: string;
  /** The other nodes know it. */
  isShared: boolean;
}

/** Who says the most wins: one device that is not to be disturbed, then one that is there. */
const STRONGEST: readonly PresenceShow[] = ['dnd', 'available', 'away', 'offline'];

export interface PublicationsOptions {
  readonly limits: PresenceLimits;
  readonly clock: Clock;
  readonly log: Log;
  /** Undefined: there is one node. */
  readonly shared: SharedMemory | undefined;
  /** What this user's devices say has changed. */
  readonly receiveChange: (user: string) => void;
}

/** All publications of all users; with the last node they are gone, and are published again. */
export class Publications implements PublishPackage, Disposable {
  readonly event = 'presence';
  readonly contentType = PIDF_TYPE;
  readonly #options: PublicationsOptions;
  readonly #mirror: Mirror<StoredPublication> | undefined;
  readonly #byUser = new Map<string, Map<string, Publication>>();
  #count = 0;
  #newestMs = 0;

  constructor(options: PublicationsOptions) {
    this.#options = options;
    const { shared, clock, log } = options;
    this.#mirror =
      shared &&
      new Mirror({
        read: (user) =>
          shared.selectPublications({ nowMs: clock.now(), ...(user === undefined ? {} : { user }) }),
        apply: (user, rows) => {
          this.#apply(user, rows);
        },
        users: () => this.#byUser.keys(),
        ...{ log, clock },
      });
  }

  /** Reads what other nodes have. Rejects with StoreError. */
  async load(): Promise<void> {
    await this.#mirror?.load();
  }

  /** Something was published at another node by this user; undefined: by anybody. */
  receiveNews(user?: string): void {
    this.#mirror?.receiveNews(user);
  }

  get count(): number {
    return this.#count;
  }

  /** Everything that a user's devices have published, as one. */
  composed(user: string): PresenceState {
    const all = [...(this.#byUser.get(user)?.values() ?? [])].filter(({ state }) => state.show !== 'offline');
    const show = STRONGEST.find((one) => all.some(({ state }) => state.show === one)) ?? 'offline';
    const [newest] = all.filter(({ state }) => state.note !== '').sort((a, b) => b.changedMs - a.changedMs);
    return { show, note: newest?.state.note ?? '' };
  }

  /** Rejects with ProtocolError 400. */
  async receivePublish(publish: Publish): Promise<PublishOutcome> {
    const { user, condition, body } = publish;
    const state = body === undefined ? undefined : parsePidf(body);
    if (condition !== undefined) return this.#change(publish, condition, state);
    if (state === undefined) throw new RangeError('a first publication has a body');
    const own = this.#byUser.get(user);
    const { maxPublicationsPerUser, maxPublications } = this.#options.limits;
    if ((own?.size ?? 0) >= maxPublicationsPerUser || this.#count >= maxPublications) {
      return { kind: 'refused', status: 503, reason: 'Too many publications' };
    }
    if (publish.expiresS === 0) return { kind: 'done', etag: newEtag(), expiresS: 0 };
    // A device that publishes anew has forgotten what it had published: it was started again.
    const replaced = this.#removeOf(user, publish.source);
    const publication = this.#add(publish, state, this.#nextMs());
    this.#options.receiveChange(user);
    await this.#share(user, publication, replaced);
    return { kind: 'done', etag: publication.etag, expiresS: publish.expiresS };
  }

  /** The device is not there any more: what it has said from there (`sourceUri`) does not hold. */
  receiveLeft(user: string, source: string): void {
    const gone = this.#removeOf(user, source);
    if (gone.length === 0) return;
    this.#options.receiveChange(user);
    void this.#share(user, undefined, gone);
  }

  [Symbol.dispose](): void {
    this.#mirror?.[Symbol.dispose]();
    for (const own of [...this.#byUser.values()]) {
      for (const publication of [...own.values()]) this.#remove(publication);
    }
  }

  /** Refresh, change or end of one that there is (RFC 3903 §6 steps 3 to 6). */
  async #change(
    publish: Publish,
    condition: string,
    state: PresenceState | undefined,
  ): Promise<PublishOutcome> {
    const { user, expiresS } = publish;
    const before = this.#byUser.get(user)?.get(condition);
    if (before === undefined) return { kind: 'unmet' };
    this.#remove(before);
    const changedMs = state === undefined ? before.changedMs : this.#nextMs();
    const after = expiresS > 0 ? this.#add(publish, state ?? before.state, changedMs) : undefined;
    if (expiresS === 0 || state !== undefined) this.#options.receiveChange(user);
    await this.#share(user, after, [condition]);
    return { kind: 'done', etag: after?.etag ?? newEtag(), expiresS };
  }

  /** Tells the other nodes. Never rejects: presence that is only here is better than none. */
  async #share(user: string, put: Publication | undefined, removed: readonly string[]): Promise<void> {
    const { shared, clock, log } = this.#options;
    if (shared === undefined) return;
    try {
      await this.#mirror?.write(user, () =>
        shared.replacePublication({
          ...{ user, removed, nowMs: clock.now() },
          ...(put === undefined ? {} : { put: rowOf(put) }),
        }),
      );
      if (put !== undefined) put.isShared = true;
    } catch (error) {
      log.info('presence.not-shared', { error });
    }
  }

  /** What there is at all nodes. What was published here while the database was gone is told to the others. */
  #apply(user: string, rows: readonly StoredPublication[]): void {
    const known = new Set(rows.map(({ etag }) => etag));
    for (const publication of [...(this.#byUser.get(user)?.values() ?? [])]) {
      if (known.has(publication.etag)) continue;
      if (publication.isShared) this.#remove(publication);
      else void this.#share(user, publication, []);
    }
    for (const row of rows) {
      if (this.#byUser.get(user)?.has(row.etag) === true) continue;
      const { show, note } = row;
      this.#put({ ...row, state: { show, note }, isShared: true });
      this.#newestMs = Math.max(this.#newestMs, row.changedMs);
    }
    this.#options.receiveChange(user);
  }

  #nextMs(): number {
    this.#newestMs = Math.max(this.#newestMs + 1, this.#options.clock.now());
    return this.#newestMs;
  }

  #add({ user, expiresS, source }: Publish, state: PresenceState, changedMs: number): Publication {
    const expiresMs = this.#options.clock.now() + expiresS * 1_000;
    return this.#put({ user, etag: newEtag(), state, source, changedMs, expiresMs, isShared: false });
  }

  /** Entity-tags of what was published from there, which does not hold any more. */
  #removeOf(user: string, source: string): string[] {
    const found = [...(this.#byUser.get(user)?.values() ?? [])].filter((one) => one.source === source);
    for (const publication of found) this.#remove(publication);
    return found.map(({ etag }) => etag);
  }

  #put(parts: Omit<Publication, 'timer'>): Publication {
    const { user, etag, state, source, changedMs, expiresMs, isShared } = parts;
    const { clock } = this.#options;
    const timer = clock.startTimer(Math.max(0, expiresMs - clock.now()), () => {
      const expired = this.#byUser.get(user)?.get(etag);
      if (expired === undefined) return;
      this.#remove(expired);
      this.#options.receiveChange(user);
    });
    const publication = { user, etag, state, source, changedMs, expiresMs, isShared, timer };
    const own = this.#byUser.get(user) ?? new Map<string, Publication>();
    this.#byUser.set(user, own);
    own.set(etag, publication);
    this.#count += 1;
    return publication;
  }

  #remove(publication: Publication): void {
    const own = this.#byUser.get(publication.user);
    if (own?.delete(publication.etag) !== true) return;
    this.#count -= 1;
    publication.timer[Symbol.dispose]();
    if (own.size === 0) this.#byUser.delete(publication.user);
  }
}

function rowOf({ user, etag, state, source, changedMs, expiresMs }: Publication): StoredPublication {
  return { user, etag, show: state.show, note: state.note, source, changedMs, expiresMs };
}

/** RFC 3903 §5: unique among all of one resource. */
function newEtag(): string {
  return randomBytes(9).toString('base64url').replace(/[-_]/g, 'x');
}
