/**
 * Owns: what stands before a window has anything to show: how far the opening is, the passphrase that is asked for, why it
 * failed. Called by: messenger.ts and reader.ts (say it), opening-commands (ask it). Calls: feed.ts.
 */
import { basename } from 'node:path';
import type { Opening as OpeningStatus, OpeningFailure, OpeningTask } from '../../shared/domain/opening.ts';
import type { CheckedInput } from '../../shared/ipc/contract.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import { systemClock, type Clock } from '../base/clock.ts';
import { OPENING_LIMITS } from '../base/limits.ts';
import { StoreError, type StoreErrorCode } from '../store/database.ts';
import { Attempts } from './attempts.ts';
import type { Commands } from './commands.ts';
import type { Feed } from './feed.ts';

/** What a window answers when it is asked for a passphrase. */
export type Unlocking = CheckedInput<'opening.unlock'>;

/** Who is asked for a passphrase. */
export interface PassphraseSource {
  /**
   * Asks until `attempt` has made something of an answer; undefined: it was a wrong one. An attempt that rejects with
   * CallError is told to who has answered, and asked for again; other errors end it.
   */
  ask<T>(what: 'profile' | 'archive', attempt: (answer: Unlocking) => Promise<T | undefined>): Promise<T>;
}

/** For programs without a window: one passphrase, from a file. */
export function givenPassphrase(passphrase: string): PassphraseSource {
  return {
    ask: async (_what, attempt) => {
      const made = await attempt({ passphrase });
      if (made !== undefined) return made;
      throw new StoreError('STORE_LOCKED', 'That is not the passphrase of the history. Nothing was changed.');
    },
  };
}

interface Question {
  readonly what: 'profile' | 'archive';
  /** Rejects when it cannot be tried; resolves with false when the answer was wrong. */
  readonly attempt: (answer: Unlocking) => Promise<boolean>;
  readonly give: (error: unknown) => void;
}

const FAILURES: Readonly<Record<StoreErrorCode, OpeningFailure>> = {
  STORE_LOCKED: 'locked',
  STORE_WRONG_KEY: 'locked',
  STORE_NOT_A_HISTORY: 'not-a-history',
  STORE_UNFINISHED: 'unfinished',
  STORE_TOO_NEW: 'too-new',
  STORE_DAMAGED: 'damaged',
  STORE_READ_ONLY: 'not-readable',
  STORE_FULL: 'disk-full',
  STORE_FAILED: 'internal',
};

/** Of one window's content. `path`: what its user has chosen; absent for his own profile. */
export class Opening implements PassphraseSource, Disposable {
  readonly #feed: Feed;
  readonly #clock: Clock;
  readonly #name: string | null;
  #status: OpeningStatus = { state: 'working', task: null, done: 0, total: null };
  #question: Question | undefined;
  #attempts: Attempts;
  #toldUs = 0;

  constructor({ feed, path, clock = systemClock }: { feed: Feed; path?: string; clock?: Clock }) {
    this.#feed = feed;
    this.#clock = clock;
    this.#name = path === undefined ? null : basename(path);
    this.#attempts = new Attempts(clock);
  }

  get status(): OpeningStatus {
    return this.#status;
  }

  /** How far it is; the window hears of it a few times a second. */
  receiveProgress(task: OpeningTask, done: number, total: number | null): void {
    const before = this.#status;
    const status: OpeningStatus = { state: 'working', task, done, total };
    const nowUs = this.#clock.monotonicUs();
    const isNew = before.state !== 'working' || before.task !== task;
    if (!isNew && nowUs - this.#toldUs < OPENING_LIMITS.progressMs * 1_000) {
      this.#status = status;
      return;
    }
    this.#toldUs = nowUs;
    this.#publish(status);
  }

  /** Asks the window. Rejects with StoreError when the program ends. */
  async ask<T>(what: Question['what'], attempt: (answer: Unlocking) => Promise<T | undefined>): Promise<T> {
    const asked = Promise.withResolvers<T>();
    this.#question = {
      what,
      attempt: async (answer) => {
        const made = await attempt(answer);
        if (made === undefined) return false;
        asked.resolve(made);
        return true;
      },
      give: asked.reject,
    };
    this.#publishQuestion(what);
    try {
      return await asked.promise;
    } finally {
      this.#question = undefined;
    }
  }

  /** An answer of the window. Rejects with CallError. */
  async unlock(answer: Unlocking): Promise<OpeningStatus> {
    const question = this.#question;
    if (question === undefined || this.#status.state !== 'locked') {
      throw new CallError('not-allowed', 'Nothing is asked for.');
    }
    let made: true | undefined;
    try {
      made = await this.#attempts.try(async () => ((await question.attempt(answer)) ? true : undefined));
    } catch (error) {
      if (!(error instanceof CallError)) question.give(error);
      throw error;
    }
    if (made) {
      this.#publish({ state: 'working', task: null, done: 0, total: null });
      return this.#status;
    }
    this.#publishQuestion(question.what);
    throw new CallError('wrong-password', 'That is not the passphrase.');
  }

  receiveOpened(): void {
    this.#publish({ state: 'open' });
  }

  receiveFailure(error: unknown): void {
    const code = error instanceof StoreError ? FAILURES[error.code] : 'internal';
    const message = error instanceof Error ? error.message : String(error);
    this.#publish({ state: 'failed', code, name: this.#name, message });
  }

  [Symbol.dispose](): void {
    this.#question?.give(new StoreError('STORE_LOCKED', 'Parley was ended before its passphrase was given.'));
  }

  #publishQuestion(what: Question['what']): void {
    const { failures, againAtMs } = this.#attempts;
    this.#publish({ state: 'locked', what, name: this.#name, failures, againAtMs });
  }

  #publish(opening: OpeningStatus): void {
    this.#status = opening;
    this.#feed.publish('opening.changed', { opening });
  }
}

export function openingCommands(opening: Opening): Pick<Commands, 'opening.status' | 'opening.unlock'> {
  return {
    'opening.status': () => Promise.resolve(opening.status),
    'opening.unlock': (answer) => opening.unlock(answer),
  };
}
