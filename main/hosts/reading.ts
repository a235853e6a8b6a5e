/**
 * Owns: what stands behind a window that only reads: the reader, its calls, its exports, its files.
 * Called by: browser/reader-windows.ts, electron/reader-windows.ts. Calls: messenger/reader, api-server.ts.
 */
import { rm } from 'node:fs/promises';
import type { AppInfo } from '../../shared/ipc/contract.ts';
import { noPolicy, type ShownPolicy } from '../../shared/policy.ts';
import { initialSettings, type Settings } from '../../shared/settings.ts';
import { Lifetime } from '../base/lifetime.ts';
import type { Log } from '../base/log.ts';
import { ChosenFiles } from '../messenger/chosen-files.ts';
import { HistoryJobs } from '../messenger/history-jobs.ts';
import { openingCommands } from '../messenger/opening.ts';
import { readerCommands } from '../messenger/reader/reader-commands.ts';
import { HistoryReader, type OpenReading } from '../messenger/reader/reader.ts';
import type { SecretBox } from '../messenger/secrets.ts';
import type { FileDesktop } from '../messenger/transfer-commands.ts';
import { ApiServer } from './api-server.ts';
import type { FileService } from './shown-files.ts';
import { VERSION } from './version.ts';

/** How a window that reads looks, as far as the user has decided it. */
export interface ReadingLook {
  readonly settings: Settings;
  readonly policy: ShownPolicy;
}

/** Of a program whose profile is not open. */
export const plainLook: ReadingLook = {
  settings: initialSettings(),
  policy: { rules: [...noPolicy.rules], faults: [...noPolicy.faults] },
};

export interface ReadingOptions {
  /** A file, or the folder of a copied profile. */
  readonly path: string;
  /** A folder of ours that goes with it. */
  readonly own?: string | undefined;
  readonly host: AppInfo['host'];
  readonly secrets: SecretBox;
  readonly log: Log;
  /** Where exports go when there is no desktop to ask. */
  readonly profile: string;
  readonly desktop?: FileDesktop;
  readonly look: () => ReadingLook;
  /** How many windows show it, whenever that changes. */
  readonly receiveWindows?: (count: number) => void;
}

/** One archive or copied profile, ready for a window. */
export class ReadingApp implements AsyncDisposable {
  readonly api: ApiServer;
  readonly files: FileService;
  readonly reader: HistoryReader;
  readonly #options: ReadingOptions;
  readonly #lifetime = new Lifetime();
  #open: OpenReading | undefined;

  /** Begins to open it. */
  constructor(options: ReadingOptions) {
    this.#options = options;
    const { path, secrets, log, own } = options;
    if (own !== undefined) this.#lifetime.defer(() => rm(own, { recursive: true, force: true }));
    this.reader = this.#lifetime.own(HistoryReader.start({ path, secrets, log }));
    const { feed, opening } = this.reader;
    this.api = new ApiServer({
      commands: openingCommands(opening),
      feed,
      log,
      isOpen: false,
      ...(options.receiveWindows ? { receiveSubscribers: options.receiveWindows } : {}),
    });
    this.files = {
      fileOf: async (messageId) => this.#open?.files.fileOf(messageId),
      handedIn: () => undefined,
    };
    void this.reader.opened.then((open) => {
      if (open !== undefined && !this.#lifetime.ended) this.#serve(open);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }

  #serve(open: OpenReading): void {
    const { host, desktop, log, look, profile } = this.#options;
    this.#open = open;
    const jobs = this.#lifetime.own(
      new HistoryJobs({
        store: open.store,
        feed: this.reader.feed,
        chosen: new ChosenFiles(),
        log,
        profile,
        program: `Parley ${VERSION}`,
        attachments: open.files.attachments,
        ...(desktop ? { desktop } : {}),
      }),
    );
    this.api.serve(
      readerCommands({
        reader: this.reader,
        open,
        jobs,
        app: { version: VERSION, host, platform: process.platform },
        settings: () => look().settings,
        policy: () => look().policy,
        ...(desktop ? { desktop } : {}),
      }),
    );
    // Only now: whoever hears of it calls.
    this.reader.opening.receiveOpened();
  }
}
