/**
 * Owns: the one export or import that the window has asked for: where it goes, how far it is, stopping and going on.
 * Called by: history-job-commands.ts, hosts/app.ts (its life). Calls: history/export.ts, history/import.ts, the desktop.
 */
import { randomBytes } from 'node:crypto';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ExportFormat, HistoryJob } from '../../shared/domain/history.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import { systemClock, type Clock } from '../base/clock.ts';
import { IPC_LIMITS } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { Store } from '../store/store.ts';
import type { ChosenFiles } from './chosen-files.ts';
import type { Feed } from './feed.ts';
import { safeFileName } from './file-name.ts';
import { exportHistory } from './history/export.ts';
import { FILES_FOLDER, LINES_FILE, MANIFEST_FILE } from './history/export-format.ts';
import { importHistory } from './history/import.ts';
import { ExportError } from './history/verify.ts';
import { exportFound } from './search-export.ts';
import type { FileDesktop } from './transfer-commands.ts';

export interface HistoryJobsOptions {
  readonly store: Store;
  readonly feed: Feed;
  readonly chosen: ChosenFiles;
  readonly log: Log;
  readonly profile: string;
  /** Name and version, for the manifest. */
  readonly program: string;
  /** Without one, exports go into a folder of the profile. */
  readonly desktop?: FileDesktop;
  readonly clock?: Clock;
}

interface ExportPlan {
  readonly folder: string;
  readonly format: ExportFormat;
  readonly conversationId: ConversationId | undefined;
  /** Only what this finds. */
  readonly search: string | undefined;
}

/** Noted by an export in its folder until it is finished. */
const UNFINISHED_FILE = 'export.part.json';

/** At most one at a time. The constructor starts nothing. */
export class HistoryJobs implements AsyncDisposable {
  readonly #options: HistoryJobsOptions;
  readonly #clock: Clock;
  #job: HistoryJob | null = null;
  #plan: ExportPlan | undefined;
  #running: Promise<void> | undefined;
  #abort = new AbortController();
  #staging: string | undefined;
  #staged = 0;
  #toldMs = 0;

  constructor(options: HistoryJobsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get current(): HistoryJob | null {
    return this.#job;
  }

  /** Asks where to, then begins. Null: the user has changed his mind. Rejects with CallError. */
  async export(input: {
    format: ExportFormat;
    conversationId?: ConversationId | undefined;
    search?: string | undefined;
  }): Promise<HistoryJob | null> {
    this.#refuseSecond();
    const { desktop, profile } = this.#options;
    const chosen = desktop === undefined ? join(profile, 'exports') : await desktop.chooseFolder('export');
    if (chosen === undefined) return null;
    this.#refuseSecond();
    const isUnfinished = input.search === undefined && (await exists(join(chosen, UNFINISHED_FILE)));
    const folder = isUnfinished ? chosen : await this.#newFolder(chosen, input.conversationId);
    const { format, conversationId, search } = input;
    this.#plan = { folder, format, conversationId, search };
    return this.#begin('export', folder, () => this.#export());
  }

  /** Keeps a part of an export that the window hands in. Rejects with CallError. */
  async stage({ fileId, path, first }: { fileId: string; path: string; first: boolean }): Promise<void> {
    this.#refuseSecond();
    const { chosen, desktop, profile } = this.#options;
    // With a desktop a chosen file is the user's own, in its place; here it is a copy that may be moved.
    if (desktop !== undefined) throw new CallError('not-allowed', 'This program asks for the folder itself.');
    if (first || this.#staging === undefined) {
      await this.#forgetStaged();
      // What a program that was killed has left there goes with it.
      await rm(join(profile, 'imports'), { recursive: true, force: true });
      this.#staging = join(profile, 'imports', randomBytes(8).toString('hex'));
    }
    const file = chosen.get(fileId);
    chosen.delete(fileId);
    if (file === undefined) {
      throw new CallError('not-found', 'This file is not there any more. Choose the folder again.');
    }
    this.#staged += 1;
    if (!isPartOfExport(path) || this.#staged > IPC_LIMITS.maxStagedFiles) {
      await rm(file.path, { force: true });
      if (!isPartOfExport(path)) return;
      throw new CallError('too-many', 'This export has too many files. Take it in on the command line.');
    }
    const target = join(this.#staging, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await rename(file.path, target);
  }

  /** Takes in what was staged, or a folder that the user chooses. Null: he has changed his mind. Rejects with CallError. */
  async import(staged: boolean): Promise<HistoryJob | null> {
    this.#refuseSecond();
    const folder = staged ? this.#staging : await this.#options.desktop?.chooseFolder('import');
    if (folder === undefined) {
      if (staged) throw new CallError('not-found', 'Choose the folder of an export first.');
      return null;
    }
    this.#refuseSecond();
    this.#plan = undefined;
    return this.#begin('import', folder, () => this.#import(folder));
  }

  /** Resolves when it has stopped. */
  async stop(): Promise<HistoryJob | null> {
    this.#abort.abort();
    await this.#running;
    return this.#job;
  }

  /** Rejects with CallError. */
  resume(): HistoryJob {
    this.#refuseSecond();
    if (this.#plan === undefined) throw new CallError('not-found', 'There is nothing to go on with.');
    return this.#begin('export', this.#plan.folder, () => this.#export());
  }

  dismiss(): void {
    if (this.#running !== undefined) return;
    this.#publish(null);
  }

  /** Rejects with CallError. */
  async reveal(): Promise<void> {
    const { desktop } = this.#options;
    if (this.#job === null || desktop === undefined) {
      throw new CallError('not-found', 'There is nothing to show.');
    }
    const { folder, state } = this.#job;
    await desktop.reveal(join(folder, state === 'done' ? MANIFEST_FILE : UNFINISHED_FILE));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#forgetStaged();
  }

  #refuseSecond(): void {
    if (this.#running === undefined) return;
    throw new CallError('too-many', 'An export or import is running. Wait for it, or stop it.');
  }

  #begin(kind: HistoryJob['kind'], folder: string, work: () => Promise<Partial<HistoryJob>>): HistoryJob {
    this.#abort = new AbortController();
    const job: HistoryJob = {
      kind,
      state: 'running',
      folder,
      conversations: 0,
      messages: 0,
      total: null,
      files: 0,
      added: 0,
      failure: null,
    };
    this.#publish(job);
    this.#running = work()
      .then(
        (result) => ({ ...result, state: 'done' as const }),
        (error: unknown) => this.#failure(error),
      )
      .then((end) => {
        this.#running = undefined;
        this.#publish({ ...(this.#job ?? job), ...end });
      });
    return job;
  }

  #failure(error: unknown): Pick<HistoryJob, 'state' | 'failure'> {
    if (this.#abort.signal.aborted) return { state: 'stopped', failure: null };
    const { code } = error as NodeJS.ErrnoException;
    const detail = error instanceof Error ? error.message : String(error);
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      return { state: 'failed', failure: { code: 'disk-full', detail } };
    }
    if (error instanceof ExportError) return { state: 'failed', failure: { code: 'not-an-export', detail } };
    this.#options.log.error('history-job.failed', { error });
    const isSystem = code !== undefined && /^E[A-Z]+$/.test(code);
    return { state: 'failed', failure: { code: isSystem ? 'not-written' : 'internal', detail } };
  }

  async #export(): Promise<Partial<HistoryJob>> {
    const plan = this.#plan;
    if (plan === undefined) throw new Error('there is no plan');
    const { store, program } = this.#options;
    const { conversationId, folder, format, search } = plan;
    if (search !== undefined) return this.#exportFound(search, plan);
    const conversations =
      conversationId === undefined
        ? (await store.call('selectConversations', null)).map(({ id }) => id)
        : [conversationId];
    let total = 0;
    for (const id of conversations) {
      this.#abort.signal.throwIfAborted();
      const { incoming, outgoing } = await store.call('selectFigures', { conversationId: id });
      total += incoming + outgoing;
    }
    this.#tell({ total });
    await mkdir(folder, { recursive: true });
    const { counts } = await exportHistory({
      store,
      folder,
      format,
      conversations,
      program,
      signal: this.#abort.signal,
      receiveProgress: (progress) => this.#tell(progress),
    });
    const { messages, files } = counts;
    return { conversations: counts.conversations, messages, files };
  }

  async #exportFound(
    text: string,
    { folder, format, conversationId }: ExportPlan,
  ): Promise<Partial<HistoryJob>> {
    const { store, program } = this.#options;
    const { counts } = await exportFound({
      store,
      folder,
      format,
      text,
      conversationId,
      program,
      signal: this.#abort.signal,
      now: () => this.#clock.now(),
      receiveProgress: (progress) => this.#tell(progress),
    });
    const { conversations, messages, files } = counts;
    return { conversations, messages, files };
  }

  async #import(folder: string): Promise<Partial<HistoryJob>> {
    const { store, profile } = this.#options;
    try {
      const { conversations, messages, added } = await importHistory({
        store,
        folder,
        filesFolder: join(profile, 'files'),
        receiveProgress: (progress) => {
          this.#abort.signal.throwIfAborted();
          this.#tell(progress);
        },
      });
      return { conversations, messages, added };
    } finally {
      await this.#forgetStaged();
    }
  }

  /** A folder of its own in the one that was chosen. */
  async #newFolder(parent: string, conversationId: ConversationId | undefined): Promise<string> {
    const conversation =
      conversationId === undefined
        ? null
        : await this.#options.store.call('selectConversation', { id: conversationId });
    if (conversationId !== undefined && conversation === null) {
      throw new CallError('not-found', 'This conversation does not exist any more.');
    }
    const now = new Date(this.#clock.now());
    const two = (value: number): string => String(value).padStart(2, '0');
    const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
    const what = conversation === null ? 'Parley' : `Parley ${conversation.peerName}`;
    const name = safeFileName(`${what} ${day} ${two(now.getHours())}${two(now.getMinutes())}`);
    for (let number = 1; ; number += 1) {
      const folder = join(parent, number === 1 ? name : `${name} (${number})`);
      if (!(await exists(folder))) return folder;
    }
  }

  async #forgetStaged(): Promise<void> {
    const folder = this.#staging;
    this.#staging = undefined;
    this.#staged = 0;
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }

  /** How far it is; the window hears of it a few times a second. */
  #tell(progress: Partial<HistoryJob>): void {
    if (this.#job === null) return;
    const job = { ...this.#job, ...progress };
    const nowMs = this.#clock.monotonicUs() / 1_000;
    if (nowMs - this.#toldMs < IPC_LIMITS.jobProgressMs && job.total === this.#job.total) {
      this.#job = job;
      return;
    }
    this.#toldMs = nowMs;
    this.#publish(job);
  }

  #publish(job: HistoryJob | null): void {
    this.#job = job;
    this.#options.feed.publish('job.changed', { job });
  }
}

/** Only what an export has, and where it has it: the names come from the window. */
function isPartOfExport(path: string): boolean {
  const [folder, name, ...rest] = path.split('/');
  if (name === undefined) return folder === LINES_FILE || folder === MANIFEST_FILE;
  return folder === FILES_FOLDER && rest.length === 0 && name !== '' && safeFileName(name) === name;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
