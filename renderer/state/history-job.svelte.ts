/**
 * Owns: the export or import that runs or has just ended, and handing an export in. Called by: app, settings, details,
 * the notice about it. Calls: the client.
 */
import type { ExportFormat, HistoryJob } from '../../shared/domain/history.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Client } from '../api/client.ts';

const manifestFile = 'manifest.json';
const archiveEnd = '.parley';
/** What the program calls an archive that is handed in. */
const stagedArchive = 'archive.parley';

interface ExportWish {
  readonly format: ExportFormat;
  readonly conversationId?: ConversationId | undefined;
  readonly search?: string | undefined;
  readonly passphrase?: string | undefined;
}

interface Part {
  readonly file: File;
  readonly path: string;
}

export class HistoryJobState {
  readonly #client: Client;
  job = $state.raw<HistoryJob | null>(null);
  /** Files of a folder that are being handed in. */
  handingIn = $state.raw<{ readonly done: number; readonly total: number } | null>(null);
  /** What the last wish was refused with, or a sentence about it. */
  problem = $state.raw<unknown>(null);
  readonly busy = $derived(this.handingIn !== null || this.job?.state === 'running');

  constructor(client: Client) {
    this.#client = client;
  }

  async load(): Promise<void> {
    this.job = await this.#client.call('job.current', {});
  }

  applyJobChanged(job: HistoryJob | null): void {
    this.job = job;
  }

  /** One conversation, or all, or what a search finds in it or in all; an archive perhaps with a passphrase. */
  export({ format, conversationId, search, passphrase }: ExportWish): Promise<void> {
    return this.#try(async () => {
      await this.#client.call('job.export', {
        format,
        ...(conversationId === undefined ? {} : { conversationId }),
        ...(search === undefined ? {} : { search }),
        ...(passphrase === undefined ? {} : { passphrase }),
      });
    });
  }

  /** The program asks for the folder or the file. */
  import(kind: 'folder' | 'archive'): Promise<void> {
    return this.#try(async () => {
      await this.#client.call('job.import', { staged: false, kind });
    });
  }

  /** An archive that the user has chosen in the browser. */
  importArchive(file: File, noArchive: string): Promise<void> {
    if (!file.name.toLowerCase().endsWith(archiveEnd)) {
      this.problem = noArchive;
      return Promise.resolve();
    }
    return this.#stage([{ file, path: stagedArchive }]);
  }

  /** A folder that the user has chosen in the browser: its files are handed in one after the other. */
  importFiles(files: readonly File[], noManifest: string): Promise<void> {
    const parts = partsOf(files);
    if (parts === undefined) {
      this.problem = noManifest;
      return Promise.resolve();
    }
    return this.#stage(parts);
  }

  #stage(parts: readonly Part[]): Promise<void> {
    return this.#try(async () => {
      try {
        for (const [done, { file, path }] of parts.entries()) {
          this.handingIn = { done, total: parts.length };
          const fileId = await this.#client.handIn(file, file.name);
          await this.#client.call('job.stage', { fileId, path, first: done === 0 });
        }
      } finally {
        this.handingIn = null;
      }
      await this.#client.call('job.import', { staged: true });
    });
  }

  stop(): Promise<void> {
    return this.#try(async () => {
      await this.#client.call('job.stop', {});
    });
  }

  /** `passphrase`: of an archive that is taken in. */
  resume(passphrase?: string): Promise<void> {
    return this.#try(async () => {
      await this.#client.call('job.resume', passphrase === undefined ? {} : { passphrase });
    });
  }

  async dismiss(): Promise<void> {
    this.problem = null;
    if (this.job === null) return;
    await this.#try(async () => {
      await this.#client.call('job.dismiss', {});
    });
  }

  reveal(): Promise<void> {
    return this.#try(async () => {
      await this.#client.call('job.reveal', {});
    });
  }

  async #try(work: () => Promise<void>): Promise<void> {
    this.problem = null;
    try {
      await work();
    } catch (error) {
      this.problem = error;
    }
  }
}

/** Each file with its place in the export: behind the folder that has the manifest. Undefined when there is none. */
function partsOf(files: readonly File[]): Part[] | undefined {
  const paths = files.map((file) => ({ file, path: file.webkitRelativePath || file.name }));
  const manifest = paths
    .filter(({ path }) => path === manifestFile || path.endsWith(`/${manifestFile}`))
    .sort((a, b) => a.path.length - b.path.length)[0];
  if (manifest === undefined) return undefined;
  const root = manifest.path.slice(0, -manifestFile.length);
  return paths
    .filter(({ path }) => path.startsWith(root))
    .map(({ file, path }) => ({ file, path: path.slice(root.length) }));
}
