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
import {
  exportArchive,
  unfinishedArchive,
  unfinishedArchiveIn,
  type ArchiveSelection,
} from './history/archive-export.ts';
import type { Attachments } from './history/attachments.ts';
import { exportHistory, isUnfinished, PART_FILE } from './history/export.ts';
import { ExportError } from './history/export-error.ts';
import { FILES_FOLDER, LINES_FILE, MANIFEST_FILE, type Manifest } from './history/export-format.ts';
import { importHistory } from './history/import.ts';
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
  /** Where files of messages are read. Default: the disk. */
  readonly attachments?: Attachments;
  readonly clock?: Clock;
}

interface ExportWish {
  readonly format: ExportFormat;
  /** Absent: all. */
  readonly conversationId?: ConversationId | undefined;
  /** Only what this finds. */
  readonly search?: string | undefined;
  /** Of an archive. */
  readonly passphrase?: string | undefined;
}

interface ExportPlan extends ExportWish {
  readonly kind: 'export';
  /** A folder, or the file of an archive. */
  readonly folder: string;
}

interface ImportPlan {
  readonly kind: 'import';
  readonly folder: string;
  readonly passphrase: string | undefined;
}

const ARCHIVE_END = '.parley';
/** What the window calls an archive that it hands in. */
const STAGED_ARCHIVE = 'archive.parley';
/** Parts of an export that lie in no folder of it. */
const ALONE: readonly string[] = [LINES_FILE, MANIFEST_FILE, STAGED_ARCHIVE];

/** At most one at a time. The constructor starts nothing. */
export class HistoryJobs implements AsyncDisposable {
  readonly #options: HistoryJobsOptions;
  readonly #clock: Clock;
  #job: HistoryJob | null = null;
  #plan: ExportPlan | ImportPlan | undefined;
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
  async export(input: ExportWish): Promise<HistoryJob | null> {
    this.#refuseSecond();
    const { desktop, profile } = this.#options;
    const chosen = desktop === undefined ? join(profile, 'exports') : await desktop.chooseFolder('export');
    if (chosen === undefined) return null;
    this.#refuseSecond();
    const folder = (await unfinishedIn(chosen, input)) ?? (await this.#newPlace(chosen, input));
    return this.#begin({ ...input, kind: 'export', folder });
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

  /** Takes in what was staged, or what the user chooses. Null: he has changed his mind. Rejects with CallError. */
  async import(staged: boolean, kind: 'folder' | 'archive' = 'folder'): Promise<HistoryJob | null> {
    this.#refuseSecond();
    const folder = staged ? await this.#stagedExport() : await this.#chooseImport(kind);
    if (folder === undefined) {
      if (staged) throw new CallError('not-found', 'Choose the folder of an export first.');
      return null;
    }
    this.#refuseSecond();
    return this.#begin({ kind: 'import', folder, passphrase: undefined });
  }

  /** Resolves when it has stopped. */
  async stop(): Promise<HistoryJob | null> {
    this.#abort.abort();
    await this.#running;
    return this.#job;
  }

  /** `passphrase`: of an archive that is taken in; absent: as before. Rejects with CallError. */
  resume(passphrase?: string): HistoryJob {
    this.#refuseSecond();
    const plan = this.#plan;
    if (plan === undefined) throw new CallError('not-found', 'There is nothing to go on with.');
    return this.#begin({ ...plan, passphrase: passphrase ?? plan.passphrase });
  }

  dismiss(): void {
    if (this.#running !== undefined) return;
    this.#plan = undefined;
    this.#publish(null);
  }

  /** Rejects with CallError. */
  async reveal(): Promise<void> {
    const { desktop } = this.#options;
    if (this.#job === null || desktop === undefined) {
      throw new CallError('not-found', 'There is nothing to show.');
    }
    const { folder, state } = this.#job;
    if (isArchive(folder)) await desktop.reveal(state === 'done' ? folder : unfinishedArchive(folder));
    else await desktop.reveal(join(folder, state === 'done' ? MANIFEST_FILE : PART_FILE));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#forgetStaged();
  }

  #refuseSecond(): void {
    if (this.#running === undefined) return;
    throw new CallError('too-many', 'An export or import is running. Wait for it, or stop it.');
  }

  async #chooseImport(kind: 'folder' | 'archive'): Promise<string | undefined> {
    const { desktop } = this.#options;
    return kind === 'archive' ? desktop?.chooseArchive() : desktop?.chooseFolder('import');
  }

  /** The folder of what was staged, or the archive in it. */
  async #stagedExport(): Promise<string | undefined> {
    if (this.#staging === undefined) return undefined;
    const archive = join(this.#staging, STAGED_ARCHIVE);
    return (await exists(archive)) ? archive : this.#staging;
  }

  #begin(plan: ExportPlan | ImportPlan): HistoryJob {
    this.#abort = new AbortController();
    this.#plan = plan;
    const job: HistoryJob = {
      kind: plan.kind,
      state: 'running',
      folder: plan.folder,
      conversations: 0,
      messages: 0,
      total: null,
      files: 0,
      added: 0,
      failure: null,
    };
    this.#publish(job);
    const work = plan.kind === 'export' ? this.#export(plan) : this.#import(plan);
    this.#running = work
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
    const code = failureCode(error);
    const detail = error instanceof Error ? error.message : String(error);
    if (code === 'not-written' || code === 'internal') {
      this.#options.log.error('history-job.failed', { error });
    }
    return { state: 'failed', failure: { code, detail } };
  }

  async #export(plan: ExportPlan): Promise<Partial<HistoryJob>> {
    const { folder, format, search } = plan;
    const { store, program, attachments } = this.#options;
    const common = {
      store,
      program,
      signal: this.#abort.signal,
      now: () => this.#clock.now(),
      ...(attachments ? { attachments } : {}),
      receiveProgress: (progress: Partial<HistoryJob>) => this.#tell(progress),
    };
    const conversations = await this.#conversationsOf(plan);
    let manifest: Manifest;
    if (format === 'parley') {
      const { passphrase } = plan;
      await mkdir(dirname(folder), { recursive: true });
      manifest = await exportArchive({ ...common, path: folder, passphrase, selection: selectionOf(plan) });
    } else {
      await mkdir(folder, { recursive: true });
      manifest = await exportHistory({ ...common, folder, format, search, conversations });
    }
    const { messages, files } = manifest.counts;
    return { conversations: manifest.counts.conversations, messages, files };
  }

  /** Which are written; tells how many messages they have. How many a search finds nobody knows before. */
  async #conversationsOf({ conversationId, search }: ExportPlan): Promise<ConversationId[]> {
    const { store } = this.#options;
    const conversations =
      conversationId === undefined
        ? (await store.call('selectConversations', null)).map(({ id }) => id)
        : [conversationId];
    if (search !== undefined) return conversations;
    let total = 0;
    for (const id of conversations) {
      this.#abort.signal.throwIfAborted();
      const { incoming, outgoing } = await store.call('selectFigures', { conversationId: id });
      total += incoming + outgoing;
    }
    this.#tell({ total });
    return conversations;
  }

  /** What was staged stays until it is taken in or something else is staged: a passphrase may be missing. */
  async #import({ folder: from, passphrase }: ImportPlan): Promise<Partial<HistoryJob>> {
    const { store, profile } = this.#options;
    const { conversations, messages, added } = await importHistory({
      store,
      from,
      passphrase,
      filesFolder: join(profile, 'files'),
      receiveProgress: (progress) => {
        this.#abort.signal.throwIfAborted();
        this.#tell(progress);
      },
    });
    await this.#forgetStaged();
    return { conversations, messages, added };
  }

  /** A folder of its own, or a file, in the folder that was chosen. */
  async #newPlace(parent: string, { conversationId, format }: ExportWish): Promise<string> {
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
      const end = `${number === 1 ? '' : ` (${number})`}${format === 'parley' ? ARCHIVE_END : ''}`;
      const place = join(parent, `${name}${end}`);
      if (!(await exists(place)) && !(await exists(unfinishedArchive(place)))) return place;
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

function isArchive(path: string): boolean {
  return path.endsWith(ARCHIVE_END);
}

function selectionOf({ conversationId, search }: ExportWish): ArchiveSelection {
  if (search !== undefined) return { search, conversationId: conversationId ?? null };
  return { conversations: conversationId === undefined ? null : [conversationId] };
}

/** Where an export that was begun earlier goes on, when the user has chosen its folder. */
async function unfinishedIn(chosen: string, wish: ExportWish): Promise<string | undefined> {
  if (wish.format === 'parley') {
    return wish.passphrase === undefined ? unfinishedArchiveIn(chosen, selectionOf(wish)) : undefined;
  }
  return (await isUnfinished(chosen, wish.search ?? null)) ? chosen : undefined;
}

function failureCode(error: unknown): NonNullable<HistoryJob['failure']>['code'] {
  const { code } = error as { code?: string };
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'STORE_FULL') return 'disk-full';
  if (error instanceof ExportError) return error.kind === 'locked' ? 'locked' : 'not-an-export';
  if (code === 'STORE_READ_ONLY') return 'not-written';
  return code !== undefined && /^E[A-Z]+$/.test(code) ? 'not-written' : 'internal';
}

/** Only what an export has, and where it has it: the names come from the window. */
function isPartOfExport(path: string): boolean {
  const [folder, name, ...rest] = path.split('/');
  if (name === undefined) return folder !== undefined && ALONE.includes(folder);
  return folder === FILES_FOLDER && rest.length === 0 && name !== '' && safeFileName(name) === name;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
