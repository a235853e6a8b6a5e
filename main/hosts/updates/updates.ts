/**
 * Owns: looking for a newer version, fetching it, and installing it when the program ends; nothing of it without a setting.
 * Called by: hosts/electron/program.ts, commands.ts (as UpdateControl). Calls: update-feed.ts, update-download.ts, update-installer.ts.
 */
import { noUpdate, type Update } from '../../../shared/domain/update.ts';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import type { Settings } from '../../../shared/settings.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import { UPDATE_LIMITS } from '../../base/update-limits.ts';
import type { Log } from '../../base/log.ts';
import type { UpdateControl } from '../../messenger/update-commands.ts';
import { download, isWhole } from './update-download.ts';
import { isNewer, readFeed, UpdateError, type FeedFile, type Fetch } from './update-feed.ts';
import type { Installer } from './update-installer.ts';

export interface UpdatesOptions {
  /** Of the program that runs. */
  readonly version: string;
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  /** For packages. */
  readonly folder: string;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly log: Log;
  readonly findInstaller: () => Promise<Installer | null>;
  /** Ends the program, which then installs and starts again. */
  readonly restart: () => void;
}

/** What it does for a messenger, once that is open. */
export interface UpdateUser {
  readonly settings: () => Settings;
  readonly publish: (update: Update) => void;
  /** A session is open, or a file moves. */
  readonly isBusy: () => boolean;
}

interface Ready {
  readonly path: string;
  readonly file: FeedFile;
  readonly installer: Installer;
}

/** The constructor opens nothing; it looks from `start` on. */
export class Updates implements UpdateControl, Disposable {
  readonly #options: UpdatesOptions;
  #user: UpdateUser | undefined;
  #timer: Timer | undefined;
  #running: AbortController | undefined;
  /** The settings that the last look was made with. */
  #place = '';
  #ready: Ready | undefined;
  #again = false;
  #status = noUpdate;

  constructor(options: UpdatesOptions) {
    this.#options = options;
  }

  start(user: UpdateUser): void {
    this.#user = user;
    this.receiveSettings();
  }

  /** Settings may have changed; what was fetched for others is forgotten. */
  receiveSettings(): void {
    const settings = this.#user?.settings();
    if (settings === undefined) return;
    const place = ['mode', 'url', 'channel', 'key'].map((key) => settings[`updates.${key}` as 'updates.url']);
    if (place.join('\n') === this.#place) return;
    this.#place = place.join('\n');
    this.#stop();
    this.#ready = undefined;
    const isOff = settings['updates.mode'] === 'off' || settings['updates.url'] === '';
    this.#show({ ...noUpdate, state: isOff ? 'off' : 'unknown' });
    if (!isOff) this.#plan(UPDATE_LIMITS.firstLookMs);
  }

  status(): Update {
    return this.#status;
  }

  async check(): Promise<Update> {
    if (this.#status.state === 'off')
      throw new CallError('not-allowed', 'Nobody looks for newer versions here.');
    await this.#look();
    return this.#status;
  }

  restart(): void {
    if (this.#ready === undefined) throw new CallError('not-found', 'There is nothing to install.');
    if (this.#user?.isBusy() === true)
      throw new CallError('busy', 'A session is open or a file is on its way. End it first.');
    this.#again = true;
    this.#options.restart();
  }

  /** The program has closed everything. Never rejects: an installation that fails leaves what was there. */
  async install(): Promise<{ readonly restarts: boolean }> {
    const { log } = this.#options;
    const ready = this.#ready;
    if (ready === undefined) return { restarts: false };
    this.#ready = undefined;
    try {
      if (!(await isWhole(ready.path, ready.file)))
        throw new UpdateError('damaged', 'The package has changed.');
      await ready.installer.install(ready.path, this.#again);
      log.info('update.installed', { version: this.#status.version });
      return { restarts: this.#again && ready.installer.kind === 'AppImage' };
    } catch (error) {
      log.error('update.not-installed', { error });
      return { restarts: false };
    }
  }

  [Symbol.dispose](): void {
    this.#stop();
    this.#user = undefined;
  }

  #stop(): void {
    this.#timer?.[Symbol.dispose]();
    this.#running?.abort();
    this.#running = undefined;
  }

  #plan(delayMs: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#options.clock.startTimer(delayMs, () => void this.#look());
  }

  /** One at a time. Never rejects. */
  async #look(): Promise<void> {
    if (this.#running !== undefined || this.#ready !== undefined) return;
    const running = new AbortController();
    this.#running = running;
    const before = this.#status;
    try {
      this.#show({ ...before, state: 'checking', failure: null });
      await this.#fetchNewest(running.signal);
    } catch (error) {
      if (running.signal.aborted) return;
      const failure = error instanceof UpdateError ? error.failure : 'not-installed';
      this.#options.log.warn('update.failed', { error });
      this.#show({ ...before, state: 'failed', share: null, failure, checkedMs: this.#options.clock.now() });
    } finally {
      if (this.#running === running) {
        this.#running = undefined;
        this.#plan(UPDATE_LIMITS.lookEveryMs);
      }
    }
  }

  async #fetchNewest(stopped: AbortSignal): Promise<void> {
    const { version, platform, arch, clock, fetch, folder, findInstaller } = this.#options;
    const settings = this.#user?.settings();
    if (settings === undefined) return;
    const place = {
      url: settings['updates.url'],
      channel: settings['updates.channel'],
      key: settings['updates.key'],
    };
    const short = AbortSignal.any([stopped, AbortSignal.timeout(UPDATE_LIMITS.feedMs)]);
    const feed = await readFeed(place, fetch, short);
    const seen = { ...noUpdate, checkedMs: clock.now() };
    if (!isNewer(feed.version, version)) {
      this.#show({ ...seen, state: 'current' });
      return;
    }
    const found = { ...seen, version: feed.version };
    const installer = settings['updates.mode'] === 'install' ? await findInstaller() : null;
    const file = feed.files.find(
      (one) => one.platform === platform && one.arch === arch && one.kind === installer?.kind,
    );
    if (installer === null || file === undefined) {
      this.#show({ ...found, state: 'available' });
      return;
    }
    const long = AbortSignal.any([stopped, AbortSignal.timeout(UPDATE_LIMITS.packageMs)]);
    let shown = 0;
    const receiveShare = (share: number): void => {
      if (share - shown < UPDATE_LIMITS.shareStep && share < 1) return;
      shown = share;
      this.#show({ ...found, state: 'downloading', share });
    };
    this.#show({ ...found, state: 'downloading', share: 0 });
    const path = await download({ folder, url: place.url, feed, file, fetch, signal: long, receiveShare });
    if (stopped.aborted) return;
    this.#ready = { path, file, installer };
    this.#show({ ...found, state: 'ready' });
  }

  #show(update: Update): void {
    this.#status = update;
    this.#user?.publish(update);
  }
}
