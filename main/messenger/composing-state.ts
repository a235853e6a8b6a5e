/**
 * Owns: who is typing in one conversation, we and others (RFC 3994 §3).
 * Called by: conversation-link.ts, inbox.ts. Calls: whoever it was given.
 */
import type { GroupPerson } from '../../shared/domain/group.ts';
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import { MESSENGER_LIMITS } from '../base/limits.ts';

/** Without a keystroke for this long we are idle (RFC 3994 §3.2). */
const IDLE_MS = 15_000;
/** While typing goes on, `active` is repeated before the receiver would forget it (default refresh 120 s). */
const REFRESH_MS = 60_000;
/** How long an `active` of somebody is believed when it names no refresh. */
const DEFAULT_REFRESH_MS = 120_000;
const MAX_REFRESH_MS = 10 * 60_000;

export interface ComposingOptions {
  /** Tells the others. */
  readonly send: (state: 'active' | 'idle') => void;
  /** All who type now, who began first before the others; in a group it may be several. */
  readonly onTheirs: (people: GroupPerson[]) => void;
  /** False: our typing is nobody's business (setting). */
  readonly enabled: () => boolean;
  readonly clock?: Clock;
}

/** Ours and theirs in one conversation. */
export class Composing implements Disposable {
  readonly #options: ComposingOptions;
  readonly #clock: Clock;
  #ours: 'active' | 'idle' = 'idle';
  #sentMs = 0;
  #idle: Timer | undefined;
  /** Who types, by address, with the end of what he announced. */
  readonly #theirs = new Map<string, { readonly person: GroupPerson; readonly expiry: Timer }>();

  constructor(options: ComposingOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** A keystroke (`true`), or the composer was emptied or left (`false`). */
  setOurs(active: boolean): void {
    this.#idle?.[Symbol.dispose]();
    if (!active) {
      if (this.#ours === 'active' && this.#options.enabled()) this.#options.send('idle');
      this.#ours = 'idle';
      return;
    }
    if (!this.#options.enabled()) return;
    this.#idle = this.#clock.startTimer(IDLE_MS, () => {
      this.setOurs(false);
    });
    const now = this.#clock.now();
    if (this.#ours === 'active' && now - this.#sentMs < REFRESH_MS) return;
    this.#ours = 'active';
    this.#sentMs = now;
    this.#options.send('active');
  }

  /** Our message is out: that says `idle` by itself (RFC 3994 §3.2). */
  messageSent(): void {
    this.#idle?.[Symbol.dispose]();
    this.#ours = 'idle';
  }

  /** What somebody says of himself; a message of his says `false`. Beyond the ceiling a further one is not kept. */
  setTheirs(person: GroupPerson, active: boolean, refreshMs = DEFAULT_REFRESH_MS): void {
    const known = this.#theirs.get(person.address);
    known?.expiry[Symbol.dispose]();
    if (!active) {
      if (this.#theirs.delete(person.address)) this.#tell();
      return;
    }
    if (known === undefined && this.#theirs.size >= MESSENGER_LIMITS.maxComposing) return;
    const expiry = this.#clock.startTimer(Math.min(refreshMs, MAX_REFRESH_MS), () => {
      this.setTheirs(person, false);
    });
    this.#theirs.set(person.address, { person, expiry });
    if (known?.person.name !== person.name) this.#tell();
  }

  /** The session is over: nobody types any more. */
  clearTheirs(): void {
    if (this.#theirs.size === 0) return;
    this.#stopExpiries();
    this.#theirs.clear();
    this.#tell();
  }

  [Symbol.dispose](): void {
    this.#idle?.[Symbol.dispose]();
    this.#stopExpiries();
  }

  #tell(): void {
    this.#options.onTheirs([...this.#theirs.values()].map(({ person }) => person));
  }

  #stopExpiries(): void {
    for (const { expiry } of this.#theirs.values()) expiry[Symbol.dispose]();
  }
}
