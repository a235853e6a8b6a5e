/**
 * Owns: what every call of the contract does. Called by: hosts/api-server.ts with checked input.
 * Calls: messenger.ts, store, the IM Server through its control.
 */
import { randomUUID } from 'node:crypto';
import type { Account } from '../../shared/domain/account.ts';
import type { Conversation, Session } from '../../shared/domain/conversation.ts';
import type { AccountId, ConversationId, SessionId } from '../../shared/domain/ids.ts';
import type { AppInfo, CallName, CallOutput, CheckedInput } from '../../shared/ipc/contract.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import type { AccountMedia } from './account-media.ts';
import { browseCommands } from './browse-commands.ts';
import { markRead, openWith, sendText } from './conversation-actions.ts';
import { diagnosticsCommands } from './diagnostics-commands.ts';
import { ladderCommands } from './ladder-commands.ts';
import { messageChangeCommands } from './message-change-commands.ts';
import { listMessages } from './message-pages.ts';
import { messageDetails } from './message-details.ts';
import { noteCommands } from './note-commands.ts';
import { presenceCommands } from './presence/presence-commands.ts';
import { noFileDesktop, transferCommands, type FileDesktop } from './transfer-commands.ts';
import type { ConversationLink } from './conversation-link.ts';
import { groupCommands } from './groups/group-commands.ts';
import { historyJobCommands } from './history-job-commands.ts';
import type { HistoryJobs } from './history-jobs.ts';
import type { ImServerControl } from './im-server-control.ts';
import type { Messenger } from './messenger.ts';
import { retentionCommands } from './retention-commands.ts';
import type { OpenedLink } from './opened-link.ts';
import { lockCommands } from './lock-commands.ts';
import { openingCommands } from './opening.ts';
import { noReaderDesk, readerDeskCommands, type ReaderDesk } from './reader/reader-desk.ts';
import type { SecretBox } from './secrets.ts';
import { searchIn } from './search-commands.ts';
import { noUpdates, updateCommands, type UpdateControl } from './update-commands.ts';
import { serverFlows, type ServerPlace } from './server-ways.ts';

/** A handler for every call: a missing one does not compile. */
export type Commands = {
  [Name in CallName]: (input: CheckedInput<Name>) => Promise<CallOutput<Name>>;
};

export interface CommandOptions {
  readonly messenger: Messenger;
  readonly imServer: ImServerControl;
  readonly historyJobs: HistoryJobs;
  /** Links that the system hands in. Default: it hands none in. */
  readonly openedLink?: OpenedLink;
  readonly secrets: SecretBox;
  /** Opens windows that only read. Default: there are none. */
  readonly readerDesk?: ReaderDesk;
  /** Newer versions of the program. Default: it does not update itself. */
  readonly updates?: UpdateControl;
  readonly app: Omit<AppInfo, 'profile' | 'firstRun' | 'hasFileDialogs' | 'canRestart'>;
  /** Ends the program and starts it again; returns at once. Default: it cannot. */
  readonly restart?: () => void;
  /** Opens and saves files on the desktop. Default: there is none. */
  readonly desktop?: FileDesktop;
}

export function createCommands(options: CommandOptions): Commands {
  return {
    ...accountCommands(options),
    ...conversationCommands(options),
    ...transferCommands(options.messenger, options.desktop ?? noFileDesktop),
    ...sessionCommands(options),
    ...ladderCommands(options.messenger, options.desktop),
    ...diagnosticsCommands(options),
    ...browseCommands(options.messenger),
    ...retentionCommands(options.messenger),
    ...noteCommands(options.messenger),
    ...groupCommands(options.messenger),
    ...presenceCommands(options.messenger),
    ...messageChangeCommands(options.messenger),
    'message.details': ({ messageId }) => messageDetails(options.messenger, messageId),
    ...historyJobCommands(options.historyJobs),
    ...openingCommands(options.messenger.opening),
    ...lockCommands(options.messenger.lock),
    ...readerDeskCommands(options.messenger.transfers.chosen, options.readerDesk ?? noReaderDesk),
    ...updateCommands(options.updates ?? noUpdates),
    ...historyCommands(options),
    ...serverCommands(options),
  };
}

type Part<Names extends CallName> = Pick<Commands, Names>;

function accountCommands({
  messenger,
  secrets,
  app,
  desktop,
  openedLink,
  restart,
}: CommandOptions): Part<
  | 'app.info'
  | 'app.restart'
  | 'account.add'
  | 'account.update'
  | 'account.signIn'
  | 'account.diagnose'
  | 'account.list'
  | 'account.remove'
  | 'contact.list'
  | 'contact.add'
  | 'settings.get'
  | 'policy.get'
  | 'link.take'
  | 'settings.set'
> {
  return {
    'app.info': async () => {
      const accounts = await messenger.store.call('selectAccounts', null);
      return {
        ...app,
        profile: messenger.profile,
        firstRun: accounts.length === 0,
        hasFileDialogs: desktop !== undefined,
        canRestart: restart !== undefined,
      };
    },
    'app.restart': () => {
      if (restart === undefined)
        return Promise.reject(new CallError('not-allowed', 'End Parley and start it again.'));
      // Whoever has asked hears the answer first.
      setImmediate(restart);
      return Promise.resolve(null);
    },
    'account.add': async (input) => {
      await refuseSecondAccount(messenger, input.address);
      return addAccount(messenger, secrets, { ...input, kind: 'server' });
    },
    'account.update': ({ accountId, ...choice }) => updateMedia(messenger, accountId, choice),
    'account.signIn': ({ accountId, password }) => messenger.signInAgain(accountId, password),
    'account.diagnose': async (input) => {
      if (!('accountId' in input)) {
        checkPlace(input);
        return messenger.reportConnection(input, input.password);
      }
      const stored = await messenger.storedAccount(input.accountId);
      return messenger.reportConnection(stored, messenger.passwordOf(stored));
    },
    'account.list': async () => {
      const stored = await messenger.store.call('selectAccounts', null);
      return stored.map((account) => messenger.shown(account));
    },
    'account.remove': async ({ accountId }) => {
      await messenger.removeAccount(accountId);
      return null;
    },
    'contact.list': async ({ accountId }) => {
      const contacts = await messenger.store.call('selectContacts', null);
      return accountId === undefined
        ? contacts
        : contacts.filter((contact) => contact.accountId === accountId);
    },
    'contact.add': async ({ accountId, address, displayName }) => {
      await refuseSelf(messenger, accountId, address);
      const contact = await messenger.store.call('upsertContact', { accountId, address, displayName });
      messenger.feed.publish('contact.changed', { contact });
      const conversation = await openWith(messenger, accountId, address);
      await messenger.publishConversation(conversation.id);
      // An account that does not run yet has no groups to tell of.
      await messenger
        .accounts()
        .find(({ account }) => account.id === accountId)
        ?.groups.receiveRenamed(address);
      return contact;
    },
    'settings.get': () => Promise.resolve(messenger.settings),
    'policy.get': () => Promise.resolve(messenger.policy),
    'link.take': () => Promise.resolve(openedLink?.take() ?? null),
    'settings.set': ({ key, value }) => messenger.setSetting(key, value),
  };
}

function conversationCommands({
  messenger,
}: CommandOptions): Part<
  | 'conversation.list'
  | 'conversation.open'
  | 'conversation.markRead'
  | 'conversation.setComposing'
  | 'conversation.answer'
  | 'message.list'
  | 'message.send'
  | 'message.retry'
  | 'search.query'
> {
  const { store, feed } = messenger;
  return {
    'conversation.list': async ({ accountId }) => {
      const all = await store.call('selectConversations', null);
      return accountId === undefined
        ? all
        : all.filter((conversation) => conversation.accountId === accountId);
    },
    'conversation.open': async ({ accountId, address }) => {
      await refuseSelf(messenger, accountId, address);
      return openWith(messenger, accountId, address);
    },
    'conversation.markRead': ({ conversationId, position }) => markRead(messenger, conversationId, position),
    'conversation.setComposing': async ({ conversationId, active }) => {
      const link = await linkOf(messenger, conversationId);
      link?.setComposing(active);
      return null;
    },
    'conversation.answer': async ({ conversationId, accept }) => {
      const conversation = await messenger.setStanding(conversationId, accept ? 'accepted' : 'declined');
      const link = await linkOf(messenger, conversationId);
      await link?.answer(accept);
      if (!accept) await messenger.transfers.declineAll(conversationId);
      return conversation;
    },
    'message.list': async (input) => {
      await messenger.conversation(input.conversationId);
      return listMessages(store, input);
    },
    'message.send': ({ conversationId, text, to, replyTo }) =>
      sendText(messenger, conversationId, text, { to, replyTo }),
    'message.retry': async ({ messageId }) => {
      if ((await store.call('selectTransfer', { messageId })) !== null) {
        await messenger.transfers.resume(messageId);
        const sent = await store.call('selectMessage', { id: messageId });
        if (sent !== null) return sent;
      }
      const message = await store.call('updateMessageState', { id: messageId, state: 'queued' });
      if (message === null) throw new CallError('not-found', 'This message cannot be sent again.');
      feed.publish('message.changed', { message });
      await messenger.publishConversation(message.conversationId);
      (await linkOf(messenger, message.conversationId))?.send();
      return message;
    },
    'search.query': (input) => searchIn(store, input),
  };
}

function historyCommands({
  messenger,
}: CommandOptions): Part<'history.status' | 'history.backUp' | 'history.restore' | 'history.dismissNotice'> {
  const { history } = messenger;
  return {
    'history.status': () => Promise.resolve(history.status),
    'history.backUp': () => history.backUp(),
    'history.restore': ({ name }) => history.restore(name),
    'history.dismissNotice': () => Promise.resolve(history.dismissNotice()),
  };
}

function sessionCommands({
  messenger,
}: CommandOptions): Part<'session.start' | 'session.answer' | 'session.end' | 'session.list'> {
  return {
    'session.start': async ({ conversationId }) => {
      const { conversation, account } = await messenger.conversation(conversationId);
      messenger.presence.refuseBlocked(conversation);
      const link = account?.link(conversation);
      if (link === undefined) throw new CallError('not-signed-in', 'Sign in to start a session.');
      return link.startSession();
    },
    'session.answer': async ({ sessionId, accept }) => {
      const { conversation, link } = await sessionLink(messenger, sessionId);
      await messenger.setStanding(conversation.id, accept ? 'accepted' : 'declined');
      const session = link.isAsked(sessionId) ? await link.answer(accept) : undefined;
      if (session === undefined) throw new CallError('not-found', 'This invitation is no longer there.');
      return session;
    },
    'session.end': async ({ sessionId }) => {
      const { link } = await sessionLink(messenger, sessionId);
      const session = link.chat?.session.id === sessionId ? await link.endSession() : undefined;
      const known = session ?? messenger.chat(sessionId)?.session;
      if (known === undefined) throw new CallError('not-found', 'This session is over.');
      return known;
    },
    'session.list': ({ conversationId }) => {
      const sessions = messenger.sessions();
      return Promise.resolve(
        conversationId === undefined
          ? sessions
          : sessions.filter((session) => session.conversationId === conversationId),
      );
    },
  };
}

function serverCommands({
  messenger,
  imServer,
  secrets,
}: CommandOptions): Part<
  'imserver.status' | 'imserver.start' | 'imserver.stop' | 'imserver.addUser' | 'demo.start'
> {
  const { feed } = messenger;
  return {
    'imserver.status': () => imServer.status(),
    'imserver.start': async (input) => {
      const status = await imServer.start(input);
      feed.publish('imserver.changed', { running: status.running });
      return status;
    },
    'imserver.stop': async () => {
      const status = await imServer.stop();
      feed.publish('imserver.changed', { running: status.running });
      return status;
    },
    'imserver.addUser': async (input) => {
      const status = await imServer.addUser(input);
      feed.publish('imserver.changed', { running: status.running });
      return status;
    },
    'demo.start': async () => {
      const demo = await imServer.startDemo();
      feed.publish('imserver.changed', { running: true });
      const { address, password, server } = demo;
      const stored = await messenger.store.call('selectAccounts', null);
      const known = stored.find((account) => account.address === address);
      const account =
        known === undefined
          ? await addAccount(messenger, secrets, {
              address,
              password,
              displayName: 'Bob',
              server,
              kind: 'demo',
            })
          : messenger.shown(known);
      await messenger.store.call('upsertContact', {
        accountId: account.id,
        address: demo.peerAddress,
        displayName: demo.peerName,
      });
      const conversation = await messenger.openConversation(account.id, demo.peerAddress);
      await messenger.publishConversation(conversation.id);
      return account;
    },
  };
}

async function addAccount(
  messenger: Messenger,
  secrets: SecretBox,
  input: ServerPlace & AccountMedia & { password: string; displayName: string; kind: Account['kind'] },
): Promise<Account> {
  const { password, ...place } = input;
  checkPlace(place);
  return messenger.addAccount({
    id: randomUUID() as AccountId,
    ...place,
    secret: secrets.protect(password),
    secretBackend: secrets.backend,
  });
}

/** What an account chooses for itself: sessions from now on go by it. Rejects with CallError. */
async function updateMedia(
  messenger: Messenger,
  id: AccountId,
  choice: Omit<CheckedInput<'account.update'>, 'accountId'>,
): Promise<Account> {
  const before = await messenger.storedAccount(id);
  const mediaPath = choice.mediaPath ?? before.mediaPath ?? 'settings';
  const relays = choice.relays ?? before.relays ?? [];
  await messenger.store.call('updateAccountMedia', { id, mediaPath, relays });
  messenger
    .accounts()
    .find(({ stored }) => stored.id === id)
    ?.applyMedia({ mediaPath, relays });
  const account = messenger.shown({ ...before, mediaPath, relays });
  messenger.feed.publish('account.changed', { account });
  return account;
}

/** Rejects with CallError when server or proxies cannot be read. */
function checkPlace(place: ServerPlace): void {
  const { server, proxies = [] } = place;
  for (const one of [server, ...proxies]) {
    try {
      serverFlows({ ...place, server: one, proxies: [] });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw new CallError(
        'invalid-input',
        `"${one}" is not a server: write a name or address, or name:port.`,
      );
    }
  }
}

async function refuseSecondAccount(messenger: Messenger, address: string): Promise<void> {
  const accounts = await messenger.store.call('selectAccounts', null);
  if (accounts.some((account) => account.address === address)) {
    throw new CallError('already-exists', `${address} is signed in here already.`);
  }
}

/** Rejects with CallError when the account is not there, or the address is its own. */
async function refuseSelf(messenger: Messenger, accountId: AccountId, address: string): Promise<void> {
  if ((await messenger.storedAccount(accountId)).address === address) {
    throw new CallError('invalid-input', 'This is your own address.');
  }
}

/** The link of a conversation; undefined when its account is not here any more (history only). */
async function linkOf(messenger: Messenger, id: ConversationId): Promise<ConversationLink | undefined> {
  const { conversation, account } = await messenger.conversation(id);
  return account?.link(conversation);
}

async function sessionLink(
  messenger: Messenger,
  id: SessionId,
): Promise<{ conversation: Conversation; link: ConversationLink; session: Session }> {
  const chat = messenger.chat(id);
  if (chat === undefined) throw new CallError('not-found', 'This session is over.');
  const { conversation, account } = await messenger.conversation(chat.session.conversationId);
  if (account === undefined)
    throw new CallError('not-found', 'The account of this session is not here any more.');
  return { conversation, link: account.link(conversation), session: chat.session };
}
