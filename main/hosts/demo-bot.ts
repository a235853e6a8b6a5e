/**
 * Owns: Tom of *Try it*: a complete second messenger whose user is a few rules.
 * Called by: embedded-imserver.ts. Calls: messenger/messenger.ts.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { AccountId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { systemClock } from '../base/clock.ts';
import { Lifetime } from '../base/lifetime.ts';
import type { Log } from '../base/log.ts';
import type { ImServer } from '../imserver/imserver.ts';
import { markRead, sendText } from '../messenger/conversation-actions.ts';
import { Messenger } from '../messenger/messenger.ts';
import { filePermissionSecrets } from '../messenger/secrets.ts';

const USER = 'tom';
const NAME = 'Tom';
/** A person reads and types before he answers. */
const READ_MS = 400;
const TYPE_MS = 900;

const GREETING =
  'Hi Bob, I am Tom. I am a small bot and live on your own computer: nothing that we say leaves it. Write me something, or "help".';

/** What Tom says to what. The first rule that fits answers. */
const RULES: readonly (readonly [RegExp, (text: string) => string])[] = [
  [
    /\bhelp\b|\?\s*help|what can you/i,
    () =>
      'Try these: ask me the time · write a long text · search for a word with Ctrl K · open the session inspector to see every message that went between us · close the window and start again: all of this is still here.',
  ],
  [/\btime\b|uhrzeit|how late/i, () => `It is ${new Date().toLocaleTimeString()} on my clock.`],
  [/\b(hi|hello|hey|hallo|moin|servus)\b|你好|مرحبا/i, () => 'Hello! Good to see you here.'],
  [
    /\b(bye|goodbye|tschüss|ciao)\b/i,
    () => 'Goodbye! End the session whenever you like, the next message opens a new one.',
  ],
  [/\b(thanks|thank you|danke)\b|谢谢|شكرا/i, () => 'You are welcome.'],
  [/\?\s*$/u, () => 'A good question. I am only a bot; somebody on your own server would know better.'],
];

function answerTo(text: string): string {
  const rule = RULES.find(([pattern]) => pattern.test(text));
  if (rule !== undefined) return rule[1](text);
  const words = text.trim().split(/\s+/u).length;
  return `I have read that: ${words} ${words === 1 ? 'word' : 'words'}, ${graphemes(text)} characters. It is on my disk now, as it is on yours.`;
}

/** Characters as people count them. */
function graphemes(text: string): number {
  return Array.from(new Intl.Segmenter().segment(text)).length;
}

/** Tom, with a profile of his own. */
export class DemoBot implements AsyncDisposable {
  readonly address: string;
  readonly name = NAME;
  readonly #messenger: Messenger;
  readonly #lifetime: Lifetime;
  readonly #log: Log;

  private constructor(messenger: Messenger, address: string, lifetime: Lifetime, log: Log) {
    this.#messenger = messenger;
    this.address = address;
    this.#lifetime = lifetime;
    this.#log = log;
  }

  static async start(options: {
    folder: string;
    server: ImServer;
    peer: string;
    log: Log;
  }): Promise<DemoBot> {
    const { server, peer } = options;
    const log = options.log.with({ part: 'demo' });
    const lifetime = new Lifetime();
    const messenger = lifetime.own(
      await Messenger.open({ profile: join(options.folder, USER), secrets: filePermissionSecrets, log }),
    );
    // Nobody touches a keyboard for him, and still he is there.
    await messenger.setSetting('presence.awayMinutes', 0);
    const address = `${USER}@${server.domain}`;
    const password = randomBytes(12).toString('base64url');
    await server.users.add(USER, password, NAME);
    const bot = new DemoBot(messenger, address, lifetime, log);
    await bot.#signIn(password, `sip:127.0.0.1:${server.port};transport=tcp`, peer);
    return bot;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }

  /** A new account each time: the password is made anew, the history stays under the same address. */
  async #signIn(password: string, server: string, peer: string): Promise<void> {
    const { store } = this.#messenger;
    const stored = await store.call('selectAccounts', null);
    const id = stored[0]?.id ?? (randomUUID() as AccountId);
    for (const account of stored) await this.#messenger.removeAccount(account.id);
    await this.#messenger.addAccount({
      id,
      address: this.address,
      displayName: NAME,
      server,
      kind: 'demo',
      secret: filePermissionSecrets.protect(password),
      secretBackend: filePermissionSecrets.backend,
    });
    await store.call('upsertContact', { accountId: id, address: peer, displayName: 'Bob' });
    const conversation = await this.#messenger.openConversation(id, peer);
    this.#lifetime.defer(
      this.#messenger.feed.subscribe(({ event, data }) => {
        if (event !== 'message.added' || data.message.direction !== 'in') return;
        // In a group he only listens.
        if (data.message.group === undefined) void this.#receive(data.message);
      }),
    );
    if (conversation.lastMessage === null) await sendText(this.#messenger, conversation.id, GREETING);
  }

  async #receive(message: Message): Promise<void> {
    try {
      await this.#wait(READ_MS);
      const conversation = await markRead(this.#messenger, message.conversationId, message.position);
      const link = this.#messenger.account(conversation.accountId).link(conversation);
      link.setComposing(true);
      await this.#wait(TYPE_MS);
      await sendText(this.#messenger, conversation.id, answerTo(message.text));
    } catch (error) {
      if (!this.#lifetime.ended) this.#log.error('demo.failed', { error });
    }
  }

  #wait(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { signal } = this.#lifetime;
    const timer = systemClock.startTimer(delayMs, resolve);
    const stop = () => {
      timer[Symbol.dispose]();
      resolve();
    };
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    return promise.finally(() => {
      signal.removeEventListener('abort', stop);
    });
  }
}
