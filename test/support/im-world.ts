/**
 * Owns: an IM Server and messengers in this process, over real sockets, each on a folder of its own.
 * Called by: test/bad-days, test/imserver. Calls: main/imserver, main/messenger as the hosts do.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Account } from '../../shared/domain/account.ts';
import type { Conversation, Session } from '../../shared/domain/conversation.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { EventEnvelope } from '../../shared/ipc/envelope.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { KeptFileLimits } from '../../main/base/file-limits.ts';
import type { CopyLimits } from '../../main/base/copy-limits.ts';
import type { Clock } from '../../main/base/clock.ts';
import type { EventLimits } from '../../main/base/event-limits.ts';
import type { ImServerLimits } from '../../main/base/limits.ts';
import type { RoomLimits } from '../../main/base/room-limits.ts';
import { silentLog } from '../../main/base/log.ts';
import type { PresenceLimits } from '../../main/base/presence-limits.ts';
import type { WireRecord } from '../../main/base/wire-tap.ts';
import { ImServer } from '../../main/imserver/imserver.ts';
import { checkServerConfig } from '../../main/imserver/server-config.ts';
import { createCommands, type Commands } from '../../main/messenger/commands.ts';
import type { ImServerControl } from '../../main/messenger/im-server-control.ts';
import { HistoryJobs } from '../../main/messenger/history-jobs.ts';
import { Messenger, type MessengerOptions } from '../../main/messenger/messenger.ts';
import { filePermissionSecrets } from '../../main/messenger/secrets.ts';

export const DOMAIN = 'chat.home.arpa';
const PATIENCE_MS = 15_000;

/** Waits that are short enough for a test; everything else as in the program. */
export const QUICK: Partial<MessengerOptions> = {
  limits: {
    retryFirstMs: 50,
    registrationRetryFirstMs: 50,
    registrationRetryMaxMs: 1_000,
    registrationLostMs: 50,
    shutdownByeMs: 400,
  },
};

export function passwordOf(user: string): string {
  return `secret of ${user}`;
}

/** How a test's server differs from a plain one. */
export interface ServerOptions {
  readonly limits?: Partial<ImServerLimits>;
  readonly presenceLimits?: Partial<PresenceLimits>;
  readonly eventLimits?: Partial<EventLimits>;
  readonly copyLimits?: Partial<CopyLimits>;
  readonly fileLimits?: Partial<KeptFileLimits>;
  readonly clock?: Clock;
  readonly presence?: { readonly permission: 'ask' | 'allow' };
  readonly digest?: readonly string[];
  /** Keys of `rooms` in the configuration. */
  readonly rooms?: Readonly<Record<string, unknown>>;
  /** Keys of `files` in the configuration. */
  readonly files?: Readonly<Record<string, unknown>>;
  readonly roomLimits?: Partial<RoomLimits>;
  /** A drachtio server that speaks SIP for it. */
  readonly drachtio?: { readonly host: string; readonly port: number; readonly secret: string };
  /** Files of a certificate: TLS as well. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  /** Instead of a folder in the world's; kept when the server is started again. */
  readonly data?: string;
  /** Instead of `DOMAIN`; kept when the server is started again. */
  readonly domain?: string;
  /** Key `policy` of the configuration. */
  readonly policy?: Readonly<Record<string, unknown>>;
  /** Addresses whose `X-Client-Address` is believed. */
  readonly trustedFronts?: readonly string[];
  readonly dnsServers?: readonly string[];
  /** Key `storage` of the configuration; kept when the server is started again. */
  readonly storage?: Readonly<Record<string, unknown>> | undefined;
}

/** A folder with a server and people in it. */
export class World implements AsyncDisposable {
  readonly folder: string;
  readonly #open: AsyncDisposable[] = [];
  #server: ImServer | undefined;
  #storage: ServerOptions['storage'];
  #domain = DOMAIN;
  #data: string | undefined;
  /** Bytes that the server's sockets saw. */
  readonly wire: { readonly direction: 'in' | 'out'; readonly text: string }[] = [];
  port = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** A server with these users, running. */
  static async open(users: readonly string[], options: ServerOptions = {}): Promise<World> {
    const world = new World(await mkdtemp(join(tmpdir(), 'parley-world-')));
    await world.startServer(options);
    for (const user of users) await world.server.users.add(user, passwordOf(user));
    return world;
  }

  get server(): ImServer {
    if (this.#server === undefined) throw new Error('the server does not run');
    return this.#server;
  }

  get uri(): string {
    return `sip:127.0.0.1:${this.port};transport=tcp`;
  }

  /** Starts it, on the port of last time. */
  async startServer({
    digest,
    tls,
    rooms,
    files,
    presence,
    drachtio,
    storage = this.#storage,
    domain = this.#domain,
    data = this.#data ?? join(this.folder, 'imserver'),
    policy,
    trustedFronts,
    ...options
  }: ServerOptions = {}): Promise<void> {
    this.#storage = storage;
    this.#domain = domain;
    this.#data = data;
    this.#server = await ImServer.start({
      config: checkServerConfig(
        {
          domain,
          port: this.port,
          data,
          ...(digest ? { digest } : {}),
          ...(drachtio ? { drachtio } : {}),
          ...(rooms ? { rooms } : {}),
          ...(files ? { files } : {}),
          ...(presence ? { presence } : {}),
          ...(policy ? { policy } : {}),
          ...(trustedFronts ? { trustedFronts } : {}),
          ...(storage ? { storage } : {}),
          ...(tls ? { tls: { ...tls, port: 0 } } : {}),
        },
        'test',
      ),
      log: silentLog,
      tap: ({ direction, bytes }: WireRecord) => {
        this.wire.push({ direction, text: Buffer.from(bytes).toString('utf8') });
      },
      ...options,
    });
    this.port = this.#server.port;
  }

  async stopServer(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
  }

  /** Requests of `method` that have reached the server. */
  received(method: string): string[] {
    // One read may hold several messages: what a client sends in one turn arrives together.
    return this.wire
      .filter(({ direction }) => direction === 'in')
      .flatMap(({ text }) => text.split(/^(?=[A-Z]+ \S+ SIP\/2\.0\r\n|SIP\/2\.0 \d{3} )/m))
      .filter((text) => text.startsWith(`${method} `));
  }

  /** A messenger on the profile `name`, signed in as `user`. */
  async join(user: string, options: Partial<MessengerOptions> & { name?: string } = {}): Promise<Person> {
    const person = await this.openPerson(user, options);
    await person.signIn(this.uri);
    return person;
  }

  /** A messenger that is not signed in; on a profile that was used before it signs in by itself. */
  async openPerson(
    user: string,
    options: Partial<MessengerOptions> & { name?: string } = {},
  ): Promise<Person> {
    const { name = user, ...more } = options;
    const messenger = await Messenger.open({
      profile: join(this.folder, name),
      secrets: filePermissionSecrets,
      log: silentLog,
      ...QUICK,
      ...more,
    });
    const person = new Person(messenger, user, this.#domain);
    this.own(person);
    return person;
  }

  own<T extends AsyncDisposable>(part: T): T {
    this.#open.push(part);
    return part;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of this.#open.reverse()) await part[Symbol.asyncDispose]();
    await this.stopServer();
    await rm(this.folder, { recursive: true, force: true });
  }
}

const noServer = {
  status: () => Promise.reject(new CallError('not-running', '')),
} as unknown as ImServerControl;

/** One messenger and what its window would see. */
export class Person implements AsyncDisposable {
  readonly messenger: Messenger;
  readonly user: string;
  readonly commands: Commands;
  readonly events: EventEnvelope[] = [];
  readonly #domain: string;

  constructor(messenger: Messenger, user: string, domain = DOMAIN) {
    this.messenger = messenger;
    this.user = user;
    this.#domain = domain;
    this.commands = createCommands({
      messenger,
      imServer: noServer,
      historyJobs: new HistoryJobs({
        store: messenger.store,
        feed: messenger.feed,
        chosen: messenger.transfers.chosen,
        log: messenger.log,
        profile: messenger.profile,
        program: 'Parley 0',
      }),
      secrets: filePermissionSecrets,
      app: { version: '0', host: 'headless', platform: process.platform },
    });
    messenger.feed.subscribe((event) => this.events.push(event));
  }

  get address(): string {
    return `${this.user}@${this.#domain}`;
  }

  async account(): Promise<Account> {
    const [account] = await this.commands['account.list']({});
    if (account === undefined) throw new Error(`${this.user} has no account`);
    return account;
  }

  /** Adds the account and waits until it is online. */
  async signIn(server: string, password = passwordOf(this.user)): Promise<void> {
    await this.addAccount(server, password);
    await this.online();
  }

  async addAccount(server: string, password = passwordOf(this.user)): Promise<Account> {
    const { address } = this;
    return this.commands['account.add']({
      address,
      password,
      displayName: '',
      server,
      transport: 'auto',
      proxies: [],
    });
  }

  online(): Promise<unknown> {
    return this.until('online', async () => (await this.account()).connection.status === 'online');
  }

  /** Makes `other` a contact: a user of the same server, or an address. Returns the conversation. */
  async meet(other: string): Promise<Conversation> {
    const { id } = await this.account();
    await this.commands['contact.add']({ accountId: id, address: this.#addressOf(other), displayName: '' });
    return this.open(other);
  }

  /** The conversation with `other`, who stays a stranger. */
  async open(other: string): Promise<Conversation> {
    const { id } = await this.account();
    return this.commands['conversation.open']({ accountId: id, address: this.#addressOf(other) });
  }

  #addressOf(other: string): string {
    return other.includes('@') ? other : `${other}@${this.#domain}`;
  }

  /** The conversation with `other` that the other began. */
  async with(other: string): Promise<Conversation> {
    return this.until(`conversation with ${other}`, async () =>
      (await this.commands['conversation.list']({})).find(
        ({ peerAddress }) => peerAddress === `${other}@${DOMAIN}`,
      ),
    );
  }

  send(conversation: { id: ConversationId }, text: string, to?: string): Promise<Message> {
    return this.commands['message.send']({ conversationId: conversation.id, text, to });
  }

  async messages({ id }: { id: ConversationId }): Promise<readonly Message[]> {
    return (await this.commands['message.list']({ conversationId: id, limit: 200 })).messages;
  }

  async texts(conversation: { id: ConversationId }, direction: 'in' | 'out'): Promise<string[]> {
    const messages = await this.messages(conversation);
    return messages.filter((message) => message.direction === direction).map(({ text }) => text);
  }

  /** The message as it stands. */
  async message({ id, conversationId }: Message): Promise<Message> {
    const found = (await this.messages({ id: conversationId })).find((message) => message.id === id);
    if (found === undefined) throw new Error('the message has gone');
    return found;
  }

  /** Waits until a message is in `state`, and returns it. */
  becomes(message: Message, ...states: Message['state'][]): Promise<Message> {
    return this.until(`message "${message.text.slice(0, 40)}" ${states.join(' or ')}`, async () => {
      const now = await this.message(message);
      return states.includes(now.state) ? now : undefined;
    });
  }

  /** Waits until `count` messages have come. */
  received(conversation: { id: ConversationId }, count: number): Promise<string[]> {
    return this.until(`${count} messages at ${this.user}`, async () => {
      const texts = await this.texts(conversation, 'in');
      return texts.length >= count ? texts : undefined;
    });
  }

  /** Sessions of a conversation as the window has been told, newest last. */
  sessions({ id }: { id: ConversationId }): Session[] {
    const sessions = new Map<string, Session>();
    for (const event of this.events) {
      if (event.event !== 'session.changed' || event.data.session.conversationId !== id) continue;
      sessions.set(event.data.session.id, event.data.session);
    }
    return [...sessions.values()];
  }

  /** Waits for a session of the conversation in `state`. */
  session(conversation: { id: ConversationId }, state: Session['state'], skip = 0): Promise<Session> {
    return this.until(`session ${state}`, () =>
      Promise.resolve(this.sessions(conversation).filter((session) => session.state === state)[skip]),
    );
  }

  /** Looks again after each event until there is something; fails with `what` when patience is over. */
  async until<T>(
    what: string,
    look: () => Promise<T | undefined | false>,
    patienceMs = PATIENCE_MS,
  ): Promise<T> {
    let woken = Promise.withResolvers<'event'>();
    const release = this.messenger.feed.subscribe(() => {
      woken.resolve('event');
    });
    const late = Promise.withResolvers<'late'>();
    const timer = setTimeout(() => {
      late.resolve('late');
    }, patienceMs);
    try {
      for (;;) {
        woken = Promise.withResolvers();
        const found = await look();
        if (found !== undefined && found !== false) return found;
        if ((await Promise.race([woken.promise, late.promise])) === 'late') {
          const last = this.events
            .slice(-6)
            .map(({ event, data }) => `${event} ${JSON.stringify(data).slice(0, 300)}`);
          throw new Error(`${this.user} waited in vain for: ${what}\n${last.join('\n')}`);
        }
      }
    } finally {
      clearTimeout(timer);
      release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.messenger[Symbol.asyncDispose]();
  }
}

/** Bob and Tom, contacts of each other, signed in. */
export async function openPair(world: World, options: Partial<MessengerOptions> = {}) {
  const bob = await world.join('bob', options);
  const tom = await world.join('tom', options);
  const ofBob = await bob.meet('tom');
  const ofTom = await tom.meet('bob');
  return { bob, tom, ofBob, ofTom };
}
