/**
 * Owns: the care for the history: a look through it after a bad end, a backup every day, what its user is to be told.
 * Called by: messenger.ts, commands.ts. Calls: store.ts, store/backups.ts.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { HistoryNotice, HistoryStatus } from '../../shared/domain/history.ts';
import type { Settings } from '../../shared/settings.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import {
  BACKUP_FOLDER,
  backupNameAt,
  listBackups,
  outdatedBackups,
  restoreFileOf,
  stageRestore,
} from '../store/backups.ts';
import { isPlainDatabase, StoreError } from '../store/database.ts';
import type { Store } from '../store/store.ts';

export interface HistoryKeeperOptions {
  readonly store: Store;
  /** The file of the history. */
  readonly path: string;
  readonly profile: string;
  readonly log: Log;
  readonly settings: () => Pick<Settings, 'history.dailyBackups' | 'history.weeklyBackups'>;
  readonly receiveChange: (status: HistoryStatus) => void;
  readonly clock?: Clock;
}

const DAY_MS = 86_400_000;
/** After the start, when the window is up; and how often it is looked whether a backup is due. */
const FIRST_CARE_MS = 10_000;
const CARE_EVERY_MS = 3_600_000;

/** Looks after one history. The constructor starts nothing. */
export class HistoryKeeper implements AsyncDisposable {
  readonly #options: HistoryKeeperOptions;
  readonly #clock: Clock;
  readonly #folder: string;
  #notice: HistoryNotice | null;
  #restoring: string | null = null;
  #timer: Timer | undefined;
  #busy: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: HistoryKeeperOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#folder = join(options.profile, BACKUP_FOLDER);
    this.#notice = noticeOf(options.store);
  }

  get status(): HistoryStatus {
    return { backups: listBackups(this.#folder), restoring: this.#restoring, notice: this.#notice };
  }

  /** Begins: a while after the start, so that it is in nobody's way. */
  start(): void {
    this.#timer = this.#clock.startTimer(FIRST_CARE_MS, () => {
      if (this.#options.store.opened.wasOpen) {
        this.#enqueue(() => this.#check()).catch((error: unknown) => {
          this.#options.log.warn('history.not-checked', { error });
        });
      }
      this.#enqueue(() => this.#encryptBackups()).catch((error: unknown) => {
        this.#options.log.error('history.backups-not-encrypted', { error });
      });
      this.#care();
    });
  }

  /** Makes a backup now. Rejects with CallError. */
  async backUp(): Promise<HistoryStatus> {
    try {
      await this.#enqueue(() => this.#backUp());
    } catch (error) {
      if (error instanceof StoreError) throw new CallError('store-failed', error.message);
      throw error;
    }
    return this.status;
  }

  /** Chooses a backup for the next start; `null` changes nothing then. Rejects with CallError. */
  async restore(name: string | null): Promise<HistoryStatus> {
    if (name === null) await rm(restoreFileOf(this.#options.path), { force: true });
    else {
      if (!listBackups(this.#folder).some((backup) => backup.name === name)) {
        throw new CallError('not-found', 'This backup does not exist any more.');
      }
      try {
        await stageRestore(this.#options.path, join(this.#folder, name));
      } catch (error) {
        throw new CallError('store-failed', `The backup could not be copied (${String(error)}).`);
      }
    }
    this.#restoring = name;
    return this.#publish();
  }

  /** The user has read it. */
  dismissNotice(): HistoryStatus {
    this.#notice = null;
    return this.#publish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
    await this.#busy.catch(() => undefined);
  }

  /** Every hour: is there a backup of today? */
  #care(): void {
    this.#timer = this.#clock.startTimer(CARE_EVERY_MS, () => {
      this.#care();
    });
    const { 'history.dailyBackups': daily, 'history.weeklyBackups': weekly } = this.#options.settings();
    if (daily === 0 && weekly === 0) return;
    const [newest] = listBackups(this.#folder);
    const today = Math.floor(this.#clock.now() / DAY_MS);
    if (newest !== undefined && Math.floor(newest.madeAtMs / DAY_MS) >= today) return;
    this.#enqueue(() => this.#backUp()).catch((error: unknown) => {
      this.#options.log.error('history.backup-failed', { error });
      if (this.#closed) return;
      const message = error instanceof Error ? error.message : String(error);
      this.#notice ??= { kind: 'backup-failed', message };
      this.#publish();
    });
  }

  async #backUp(): Promise<void> {
    if (this.#closed) return;
    const { store, settings } = this.#options;
    await store.backUp(join(this.#folder, backupNameAt(this.#clock.now())));
    const { 'history.dailyBackups': daily, 'history.weeklyBackups': weekly } = settings();
    const all = listBackups(this.#folder);
    // What was just made stays, whatever the numbers are.
    for (const { name } of outdatedBackups(all, { daily: Math.max(1, daily), weekly })) {
      await rm(join(this.#folder, name), { force: true });
    }
    if (this.#notice?.kind === 'backup-failed') this.#notice = null;
    this.#publish();
  }

  /** Backups of a program that did not encrypt yet. */
  async #encryptBackups(): Promise<void> {
    if (!this.#options.store.isEncrypted) return;
    for (const { name } of listBackups(this.#folder)) {
      const path = join(this.#folder, name);
      if (this.#closed || !isPlainDatabase(path)) continue;
      await this.#options.store.encryptFile(path);
    }
  }

  async #check(): Promise<void> {
    if (this.#closed) return;
    const found = await this.#options.store.findDamage();
    if (found === undefined) return;
    this.#options.log.error('history.damaged', { found });
    this.#notice = { kind: 'damaged' };
    this.#publish();
  }

  /** One thing after the other. */
  #enqueue(work: () => Promise<void>): Promise<void> {
    const turn = this.#busy.then(work);
    this.#busy = turn.catch(() => undefined);
    return turn;
  }

  #publish(): HistoryStatus {
    const { status } = this;
    if (!this.#closed) this.#options.receiveChange(status);
    return status;
  }
}

function noticeOf({ opened }: Store): HistoryNotice | null {
  const { recovered, replaced } = opened;
  if (recovered !== null) {
    const { source, messages, missing, setAside } = recovered;
    return { kind: 'recovered', source, messages, missing: missing < 0 ? null : missing, path: setAside };
  }
  return replaced === null ? null : { kind: 'restored', path: replaced };
}
