/**
 * Owns: what every host builds: messenger, embedded IM Server, commands, the border to the window.
 * Called by: browser/main.ts, headless/main.ts, electron/main.ts. Calls: messenger, embedded-imserver.ts, api-server.ts,
 * network-watch.ts.
 */
import type { AppInfo } from '../../shared/ipc/contract.ts';
import type { Policy } from '../../shared/policy.ts';
import { Lifetime } from '../base/lifetime.ts';
import type { MessengerLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { WireTap } from '../base/wire-tap.ts';
import { createCommands, type Commands } from '../messenger/commands.ts';
import type { Feed } from '../messenger/feed.ts';
import { HistoryJobs } from '../messenger/history-jobs.ts';
import type { FileDesktop } from '../messenger/transfer-commands.ts';
import { Messenger } from '../messenger/messenger.ts';
import { OpenedLink } from '../messenger/opened-link.ts';
import type { Opening, PassphraseSource } from '../messenger/opening.ts';
import type { ReaderDesk } from '../messenger/reader/reader-desk.ts';
import type { SecretBox } from '../messenger/secrets.ts';
import type { UpdateControl } from '../messenger/update-commands.ts';
import { StoreError } from '../store/database.ts';
import { ApiServer } from './api-server.ts';
import { EmbeddedImServer } from './embedded-imserver.ts';
import { NetworkWatch } from './network-watch.ts';
import { policyPlaces, PolicyWatch, type PolicyPlace } from './policy.ts';
import { VERSION } from './version.ts';

export interface AppOptions {
  readonly profile: string;
  readonly host: AppInfo['host'];
  readonly secrets: SecretBox;
  readonly log: Log;
  readonly tap?: WireTap;
  /** Authorities that are trusted beside those of the system, as PEM text. */
  readonly ca?: readonly string[];
  /** Opens and saves files, where there is a desktop. */
  readonly desktop?: FileDesktop;
  /** Settings of the command line, as `key=value`. */
  readonly set?: readonly string[];
  /** Where policies stand. Default: where this system keeps them. */
  readonly policyPlaces?: readonly PolicyPlace[];
  /** Replaces single ceilings and timers of the messenger. */
  readonly limits?: Partial<MessengerLimits>;
  /** The passphrase of the history where there is no window to ask. */
  readonly passphrase?: PassphraseSource;
  /** Windows that only read. Default: there are none. */
  readonly readerDesk?: ReaderDesk;
  /** Newer versions of the program. Default: it does not update itself. */
  readonly updates?: UpdateControl;
  /** Ends the program and starts it again; returns at once. Default: it cannot. */
  readonly restart?: () => void;
  /** The border to a window that is there already. Default: one is made. */
  readonly door?: { readonly api: ApiServer; readonly feed: Feed; readonly opening: Opening };
}

/** The program without its window. */
export class App implements AsyncDisposable {
  readonly api: ApiServer;
  readonly messenger: Messenger;
  readonly openedLink: OpenedLink;
  readonly commands: Commands;
  readonly #imServer: EmbeddedImServer;
  readonly #lifetime: Lifetime;
  #begun: Promise<unknown> | undefined;

  private constructor(
    parts: Pick<App, 'api' | 'messenger' | 'openedLink' | 'commands'>,
    imServer: EmbeddedImServer,
    lifetime: Lifetime,
  ) {
    this.api = parts.api;
    this.messenger = parts.messenger;
    this.openedLink = parts.openedLink;
    this.commands = parts.commands;
    this.#imServer = imServer;
    this.#lifetime = lifetime;
  }

  /**
   * Opens the profile. Rejects with StoreError. Servers and accounts come up in the background: behind a door when
   * {@link App.begin} says so, else at once.
   */
  static async open(options: AppOptions): Promise<App> {
    const { profile, host, secrets, log, tap, ca = [], desktop, door } = options;
    const lifetime = new Lifetime();
    try {
      const policyWatch = new PolicyWatch({
        places: options.policyPlaces ?? policyPlaces(),
        commandLine: options.set ?? [],
        receiveChange: (changed) => {
          tellFaults(changed, log);
          messenger.applyPolicy(changed).catch((error: unknown) => {
            log.error('policy.failed', { error });
          });
        },
      });
      const policy = await policyWatch.read();
      tellFaults(policy, log);
      const messenger = await Messenger.open({
        ...{ profile, secrets, log, ca, policy },
        startsAccounts: false,
        ...(tap ? { tap } : {}),
        ...(door ? { door } : {}),
        ...(options.passphrase ? { passphrase: options.passphrase } : {}),
        ...(options.limits ? { limits: options.limits } : {}),
      });
      const { passphrase: hasPassphrase, required } = await messenger.lock.status();
      if (host === 'headless' && required && !hasPassphrase) {
        await messenger[Symbol.asyncDispose]();
        throw new StoreError(
          'STORE_LOCKED',
          'Whoever administers this computer wants a passphrase for the history. Set one in a window first.',
        );
      }
      const imServer = lifetime.own(
        new EmbeddedImServer({
          profile,
          log,
          receiveChange: () => {
            messenger.feed.publish('imserver.changed', { running: true });
          },
        }),
      );
      // Owned after the server: closed before it, so that it can still sign off there.
      lifetime.own(messenger);
      lifetime.own(policyWatch).start();
      const historyJobs = lifetime.own(
        new HistoryJobs({
          store: messenger.store,
          feed: messenger.feed,
          chosen: messenger.transfers.chosen,
          log,
          profile,
          program: `Parley ${VERSION}`,
          ...(desktop ? { desktop } : {}),
        }),
      );
      const watch = lifetime.own(
        new NetworkWatch({
          receiveChange: () => {
            log.info('network.changed');
            messenger.receiveNetworkChange();
          },
        }),
      );
      watch.start();
      const openedLink = new OpenedLink(messenger.feed);
      const commands = createCommands({
        messenger,
        imServer,
        historyJobs,
        openedLink,
        secrets,
        app: { version: VERSION, host, platform: process.platform },
        ...(desktop ? { desktop } : {}),
        ...(options.updates ? { updates: options.updates } : {}),
        ...(options.restart ? { restart: options.restart } : {}),
        ...(options.readerDesk ? { readerDesk: options.readerDesk } : {}),
      });
      const api = door?.api ?? new ApiServer({ commands, feed: messenger.feed, log });
      api.serve(commands);
      // Only now: whoever hears of it calls.
      messenger.opening.receiveOpened();
      const app = new App({ api, messenger, openedLink, commands }, imServer, lifetime);
      if (door === undefined) app.begin();
      return app;
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Accounts sign in, and servers start again that ran when the program was last closed. Once; never throws. */
  begin(): void {
    if (this.#lifetime.ended) return;
    const { messenger } = this;
    this.#begun ??= Promise.all([
      messenger.startAccounts(),
      resumeServers(messenger, this.#imServer).catch((error: unknown) => {
        messenger.log.error('servers.not-resumed', { error });
      }),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#begun;
    await this.#lifetime[Symbol.asyncDispose]();
  }
}

function tellFaults({ faults }: Policy, log: Log): void {
  for (const fault of faults) log.error('policy.fault', { fault });
}

/** Those that ran when the program was last closed; that of the demo may have come back on another port. */
async function resumeServers(messenger: Messenger, imServer: EmbeddedImServer): Promise<void> {
  await imServer.resume();
  const { running } = await imServer.status();
  // A window may have asked before.
  if (running) messenger.feed.publish('imserver.changed', { running });
  const accounts = await messenger.store.call('selectAccounts', null);
  const demo = accounts.find(({ kind }) => kind === 'demo');
  if (demo === undefined) return;
  const { server } = await imServer.startDemo();
  if (server !== demo.server) await messenger.moveAccount(demo.id, server);
}
