/**
 * Owns: the border to a window before there is anything behind it: the window is up while the profile is being opened, and
 * asks for what is missing. Called by: browser/main.ts, electron/main.ts. Calls: app.ts, api-server.ts, messenger/opening.ts.
 */
import { Feed } from '../messenger/feed.ts';
import { Opening, openingCommands } from '../messenger/opening.ts';
import { ApiServer } from './api-server.ts';
import { App, type AppOptions } from './app.ts';
import { LateStart } from './late-start.ts';
import { serviceOnceOpen, type FileService } from './shown-files.ts';

export class AppDoor implements AsyncDisposable {
  readonly feed = new Feed();
  readonly opening: Opening;
  readonly api: ApiServer;
  /** Files of messages, once there are some. */
  readonly files: FileService;
  /** Rejects with what {@link App.open} rejects with; the window has been told then. */
  readonly opened: Promise<App>;
  readonly #late = new LateStart();
  #app: App | undefined;

  private constructor(options: AppOptions) {
    const { feed } = this;
    this.opening = new Opening({ feed });
    this.api = new ApiServer({
      commands: openingCommands(this.opening),
      feed,
      log: options.log,
      isOpen: false,
      receiveAnswered: (call) => {
        this.#late.receiveAnswered(call);
      },
    });
    this.files = serviceOnceOpen(() => this.#app?.messenger.transfers);
    this.opened = this.#open(options);
    this.opened.catch(() => undefined);
  }

  /** Begins to open the profile. */
  static start(options: AppOptions): AppDoor {
    return new AppDoor(options);
  }

  /** Undefined until it is open. */
  get app(): App | undefined {
    return this.#app;
  }

  /**
   * For a start without a window: resolves when the profile is open, or when that waits for its user or takes its time.
   * Rejects when it has failed before.
   */
  async ready(): Promise<void> {
    const waiting = Promise.withResolvers<void>();
    const look = (): void => {
      const { status } = this.opening;
      if (status.state === 'locked' || (status.state === 'working' && status.task !== null))
        waiting.resolve();
    };
    const unsubscribe = this.feed.subscribe(look);
    look();
    try {
      await Promise.race([this.opened, waiting.promise]);
    } finally {
      unsubscribe();
    }
  }

  /** What is being converted is left as it is: the next start begins with it again. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#late[Symbol.dispose]();
    this.opening[Symbol.dispose]();
    const { status } = this.opening;
    if (status.state === 'working' && status.task !== null) return;
    const app = await this.opened.catch(() => undefined);
    await app?.[Symbol.asyncDispose]();
  }

  async #open(options: AppOptions): Promise<App> {
    try {
      const app = await App.open({ ...options, door: this });
      this.#app = app;
      this.#late.wait(() => {
        app.begin();
      });
      return app;
    } catch (error) {
      this.opening.receiveFailure(error);
      throw error;
    }
  }
}
