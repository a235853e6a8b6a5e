/**
 * Owns: the door to the messenger, and a new one in its place when the program starts again: in the same process, behind the
 * same address, so that its windows find it. Called by: main.ts, web-host.ts. Calls: app-door.ts.
 */
import type { WindowApi } from '../api-server.ts';
import { AppDoor } from '../app-door.ts';
import type { App, AppOptions } from '../app.ts';
import { serviceOnceOpen, type FileService } from '../shown-files.ts';

export interface ChangingDoorOptions {
  readonly app: Omit<AppOptions, 'restart' | 'door'>;
  /** It could not be opened; its window says so. */
  readonly receiveFailure: (error: unknown) => void;
}

export class ChangingDoor implements AsyncDisposable {
  /** What windows talk to, whichever door stands. */
  readonly api: WindowApi = {
    receiveCall: (envelope) => this.#door.api.receiveCall(envelope),
    subscribe: (push) => this.#door.api.subscribe(push),
  };
  readonly files: FileService = serviceOnceOpen(() => this.#door.app?.messenger.transfers);
  /** Called when a new door stands: windows have to come anew. */
  onChange: () => void = () => undefined;
  readonly #options: ChangingDoorOptions;
  #door: AppDoor;
  #change: Promise<void> | undefined;
  #closed = false;

  private constructor(options: ChangingDoorOptions) {
    this.#options = options;
    this.#door = this.#open();
  }

  /** Begins to open the profile. */
  static start(options: ChangingDoorOptions): ChangingDoor {
    return new ChangingDoor(options);
  }

  /** Undefined while it is not open. */
  get app(): App | undefined {
    return this.#door.app;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#change;
    await this.#door[Symbol.asyncDispose]();
  }

  #open(): AppDoor {
    const { app, receiveFailure } = this.#options;
    const door = AppDoor.start({
      ...app,
      restart: () => {
        this.#change ??= this.#changeDoor();
      },
    });
    door.opened.catch(receiveFailure);
    return door;
  }

  async #changeDoor(): Promise<void> {
    const { app } = this.#options;
    try {
      await this.#door[Symbol.asyncDispose]();
    } catch (error) {
      app.log.error('restart.not-closed', { error });
    }
    this.#change = undefined;
    if (this.#closed) return;
    this.#door = this.#open();
    this.onChange();
  }
}
