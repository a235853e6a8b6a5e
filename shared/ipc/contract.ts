/**
 * Owns: every call and every event between window and main process: name, input schema, output type.
 * Called by: api-server (validates), commands (implements), renderer/api/client.ts (calls). Calls: valibot.
 */
import * as v from 'valibot';
import {
  accountMediaPaths,
  accountSchema,
  accountTransports,
  relayListSchema,
  type Account,
} from '../domain/account.ts';
import {
  contactSchema,
  conversationSchema,
  marksSchema,
  sessionSchema,
  type Contact,
  type Conversation,
  type Marks,
  type Session,
} from '../domain/conversation.ts';
import {
  accountIdSchema,
  addressSchema,
  conversationIdSchema,
  messageIdSchema,
  sessionIdSchema,
  type ConversationId,
} from '../domain/ids.ts';
import {
  historyJobSchema,
  historyStatusSchema,
  messageTraits,
  type ConversationFigures,
  type HistoryStatus,
  type MessageDay,
} from '../domain/history.ts';
import type { ConnectionReport } from '../domain/connection-report.ts';
import { floodSchema, maxKnownFloods, type Flood } from '../domain/flood.ts';
import type { Ladder } from '../domain/ladder.ts';
import { groupPersonSchema, groupSchema, type Group } from '../domain/group.ts';
import { messageSchema, type Message, type MessageDetails } from '../domain/message.ts';
import { transferSchema, type Transfer } from '../domain/transfer.ts';
import { policySchema, type ShownPolicy } from '../policy.ts';
import { settingKeys, type Settings } from '../settings.ts';
import { jobInputs, type JobOutputs } from './job-calls.ts';
import { openingEvents, openingInputs, type OpeningOutputs } from './opening-calls.ts';
import { presenceEvents, presenceInputs, type PresenceOutputs } from './presence-calls.ts';
import { updateEvents, updateInputs, type UpdateOutputs } from './update-calls.ts';
import { messageChangeInputs, type MessageChangeOutputs } from './message-change-calls.ts';

const nothing = v.object({});
const name = v.pipe(v.string(), v.trim(), v.maxLength(100));
const password = v.pipe(v.string(), v.minLength(1), v.maxLength(200));
const userPart = v.pipe(
  v.string(),
  v.trim(),
  v.regex(/^[A-Za-z0-9._-]{1,64}$/, 'A user name has letters, digits, dot, hyphen and underscore only.'),
);
const pageSize = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(200));
const position = v.pipe(v.number(), v.integer(), v.minValue(0));

/** Days of the local calendar from 1970-01-01. */
const day = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(100_000));
/** A little more than a year. */
const MAX_DAYS = 400;

const MAX_DRAFT_CHARS = 1024 * 1024;

const host = v.pipe(v.string(), v.trim(), v.maxLength(255));
/** `host`, `host:port` or a SIP URI; empty: the domain of the address. */
const server = v.optional(host, '');

/** The way of an account's messages and its relays, where they are other ones than those of the settings (absent: those). */
const ownMedia = {
  mediaPath: v.exactOptional(v.picklist(accountMediaPaths)),
  relays: v.exactOptional(relayListSchema),
} as const;

/** Input of every call. */
export const callInputs = {
  'app.info': nothing,
  /** Ends the program and starts it again; answered before. Refused with `not-allowed` where `app.info` says no `canRestart`. */
  'app.restart': nothing,
  /** A report for whoever helps, as a ZIP file to be read first. Saved or returned as `session.save` does. */
  'app.diagnostics': nothing,
  'account.add': v.object({
    address: addressSchema,
    password,
    displayName: v.optional(name, ''),
    server,
    transport: v.optional(v.picklist(accountTransports), 'auto'),
    proxies: v.optional(v.pipe(v.array(host), v.maxLength(2)), []),
    ...ownMedia,
  }),
  /** What an account chooses for itself instead of the settings; what is absent stays. Counts for sessions from now on. */
  'account.update': v.object({
    accountId: accountIdSchema,
    ...ownMedia,
  }),
  /** Tries at once to sign in an account that is here already; with another password where one is given. */
  'account.signIn': v.object({ accountId: accountIdSchema, password: v.optional(password) }),
  /** Tests the way to the server step by step: of an account, or of what a form has. Takes up to 20 s. */
  'account.diagnose': v.union([
    v.object({ accountId: accountIdSchema }),
    v.object({
      address: addressSchema,
      password: v.pipe(v.string(), v.maxLength(200)),
      server,
      transport: v.optional(v.picklist(accountTransports), 'auto'),
      proxies: v.optional(v.pipe(v.array(host), v.maxLength(2)), []),
      ...ownMedia,
    }),
  ]),
  'account.list': nothing,
  'account.remove': v.object({ accountId: accountIdSchema }),
  'contact.list': v.object({ accountId: v.optional(accountIdSchema) }),
  'contact.add': v.object({
    accountId: accountIdSchema,
    address: addressSchema,
    displayName: v.optional(name, ''),
  }),
  'conversation.list': v.object({ accountId: v.optional(accountIdSchema) }),
  /** Finds or creates the conversation with a person. */
  'conversation.open': v.object({ accountId: accountIdSchema, address: addressSchema }),
  /** Everything up to and including `position` has been seen; without one, everything that is there. */
  'conversation.markRead': v.object({ conversationId: conversationIdSchema, position: v.optional(position) }),
  /** Our user types, or has stopped. */
  'conversation.setComposing': v.object({ conversationId: conversationIdSchema, active: v.boolean() }),
  /** The user's answer to a stranger who has written or invited; a waiting invitation is answered with it. */
  'conversation.answer': v.object({ conversationId: conversationIdSchema, accept: v.boolean() }),
  /** What was typed and not sent. */
  'draft.list': nothing,
  'draft.set': v.object({
    conversationId: conversationIdSchema,
    text: v.pipe(v.string(), v.maxLength(MAX_DRAFT_CHARS)),
  }),
  'marks.list': nothing,
  'marks.set': v.object({ conversationId: conversationIdSchema, marks: marksSchema }),
  /**
   * A page of messages in ascending order: the newest, or before/after a position, or around one. With `floods`, those
   * that the window knows, messages behind collapsed floods are left out. `reveal`: a flood with the message at `around`
   * behind it is opened.
   */
  'message.list': v.object({
    conversationId: conversationIdSchema,
    before: v.optional(position),
    after: v.optional(position),
    around: v.optional(position),
    limit: v.optional(pageSize, 50),
    floods: v.optional(v.pipe(v.array(floodSchema), v.maxLength(maxKnownFloods))),
    reveal: v.optional(v.boolean()),
  }),
  /** `to`: in a group to this member only; `replyTo`: the message that it answers. */
  'message.send': v.object({
    conversationId: conversationIdSchema,
    text: v.pipe(v.string(), v.minLength(1)),
    to: v.optional(addressSchema),
    replyTo: v.optional(messageIdSchema),
  }),
  /**
   * A group of these people, made at the server as soon as that can be reached. With a `name` whoever knows its address
   * (`name@domain`) may join it; that the server has to agree to at once.
   */
  'group.create': v.object({
    accountId: accountIdSchema,
    title: v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(80)),
    addresses: v.pipe(v.array(addressSchema), v.maxLength(199)),
    name: v.optional(
      v.pipe(v.string(), v.trim(), v.toLowerCase(), v.regex(/^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/)),
    ),
  }),
  /** A group that people join by its address. */
  'group.join': v.object({ accountId: accountIdSchema, address: addressSchema }),
  'group.list': nothing,
  'group.invite': v.object({
    conversationId: conversationIdSchema,
    addresses: v.pipe(v.array(addressSchema), v.minLength(1), v.maxLength(199)),
  }),
  'group.remove': v.object({ conversationId: conversationIdSchema, address: addressSchema }),
  'group.leave': v.object({ conversationId: conversationIdSchema }),
  'group.rename': v.object({
    conversationId: conversationIdSchema,
    title: v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(80)),
  }),
  'group.setOwner': v.object({ conversationId: conversationIdSchema, address: addressSchema }),
  /** What others read as our user's name in a group; empty: his own. */
  'group.setNickname': v.object({
    conversationId: conversationIdSchema,
    nickname: v.pipe(v.string(), v.trim(), v.maxLength(100)),
  }),
  'message.retry': v.object({ messageId: messageIdSchema }),
  'message.details': v.object({ messageId: messageIdSchema }),
  /** Where the text goes is asked by the host: only where `app.info` says `hasFileDialogs`. */
  'message.save': v.object({ messageId: messageIdSchema }),
  /** `fileId` is what the host calls a file that the user has chosen; `preview` a small JPEG or PNG as base64. */
  'transfer.send': v.object({
    conversationId: conversationIdSchema,
    fileId: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
    preview: v.optional(v.pipe(v.string(), v.maxLength(40_000), v.regex(/^[A-Za-z0-9+/]*={0,2}$/))),
  }),
  'transfer.accept': v.object({ messageId: messageIdSchema }),
  'transfer.decline': v.object({ messageId: messageIdSchema }),
  'transfer.pause': v.object({ messageId: messageIdSchema }),
  /** After a pause, or after a failure: it goes on from what is there. */
  'transfer.resume': v.object({ messageId: messageIdSchema }),
  'transfer.cancel': v.object({ messageId: messageIdSchema }),
  /** These three need the desktop: only where `app.info` says `hasFileDialogs`. */
  'transfer.open': v.object({ messageId: messageIdSchema }),
  'transfer.reveal': v.object({ messageId: messageIdSchema }),
  'transfer.save': v.object({ messageId: messageIdSchema }),
  'session.start': v.object({ conversationId: conversationIdSchema }),
  /** The user's answer to a stranger's invitation (session state `asked`). */
  'session.answer': v.object({ sessionId: sessionIdSchema, accept: v.boolean() }),
  'session.end': v.object({ sessionId: sessionIdSchema }),
  /** Sessions that are not over, and the last ended one of each conversation. */
  'session.list': v.object({ conversationId: v.optional(conversationIdSchema) }),
  'session.ladder': v.object({ sessionId: sessionIdSchema }),
  /**
   * What the session had on the wire, without passwords and texts: as text, or as a capture for Wireshark. A host with
   * dialogs asks where and saves it: null. Else the file itself.
   */
  'session.save': v.object({
    sessionId: sessionIdSchema,
    format: v.picklist(['text', 'pcap']),
    /** With credentials and what people wrote, which are left out otherwise. */
    isWhole: v.optional(v.boolean(), false),
  }),
  'search.query': v.object({
    text: v.pipe(v.string(), v.maxLength(500)),
    conversationId: v.optional(conversationIdSchema),
    limit: v.optional(pageSize, 50),
    /** A search overtakes those of the same lane: each search field has one. */
    lane: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(63)), 0),
  }),
  /** The days that have messages, from one day to another: at most 400 days. */
  'browse.days': v.pipe(
    v.object({ conversationId: conversationIdSchema, fromDay: day, toDay: day }),
    v.check(({ fromDay, toDay }) => toDay - fromDay < MAX_DAYS, 'At most 400 days at once.'),
  ),
  /** Where a day begins; when it has no messages, where the next day with some does. Null: none has. */
  'browse.positionOfDay': v.object({ conversationId: conversationIdSchema, day }),
  'browse.firstUnread': v.object({ conversationId: conversationIdSchema }),
  /** Messages with a picture, a file or a link: newest first, before a position, or oldest first after one. */
  'browse.withTrait': v.object({
    conversationId: conversationIdSchema,
    trait: v.picklist(messageTraits),
    before: v.optional(position),
    after: v.optional(position),
    limit: v.optional(pageSize, 50),
  }),
  'browse.figures': v.object({ conversationId: conversationIdSchema }),
  'history.status': nothing,
  'history.backUp': nothing,
  /** Chooses the backup that takes the place of the history at the next start; null: none. */
  'history.restore': v.object({ name: v.nullable(v.pipe(v.string(), v.maxLength(100))) }),
  'history.dismissNotice': nothing,
  ...jobInputs,
  ...openingInputs,
  ...updateInputs,
  /** For oneself: the other side keeps what it has. */
  'message.delete': v.object({
    conversationId: conversationIdSchema,
    ids: v.pipe(v.array(messageIdSchema), v.minLength(1), v.maxLength(500)),
  }),
  'conversation.clear': v.object({ conversationId: conversationIdSchema }),
  'retention.get': v.object({ conversationId: conversationIdSchema }),
  /** How long messages of a conversation are kept; 0: for ever; null: as the setting says. */
  'retention.set': v.object({
    conversationId: conversationIdSchema,
    keepMs: v.nullable(
      v.pipe(
        v.number(),
        v.integer(),
        v.check((ms) => ms === 0 || ms >= 60_000),
      ),
    ),
  }),
  'imserver.status': nothing,
  /** Starts the IM Server inside this program; with `host` 127.0.0.1 only this computer reaches it. */
  'imserver.start': v.object({
    domain: v.optional(
      v.pipe(v.string(), v.regex(/^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/)),
      'chat.home.arpa',
    ),
    host: v.optional(v.pipe(v.string(), v.maxLength(64)), '0.0.0.0'),
    port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535)), 5060),
  }),
  'imserver.stop': nothing,
  'imserver.addUser': v.object({ user: userPart, password, displayName: v.optional(name, '') }),
  /** *Try it*: an account on the embedded server and Tom, a bot that answers. */
  'demo.start': nothing,
  'settings.get': nothing,
  /** What a rollout has decided. */
  'policy.get': nothing,
  /** The address of a link that the system has handed to the program, once; null: there is none. */
  'link.take': nothing,
  'settings.set': v.object({ key: v.picklist(settingKeys), value: v.unknown() }),
  ...presenceInputs,
  ...messageChangeInputs,
} as const;

/** The IM Server inside this program. */
export interface ImServerStatus {
  readonly running: boolean;
  readonly domain: string;
  /** SIP URIs that other computers put into "Server". */
  readonly sip: readonly string[];
  readonly users: readonly {
    readonly user: string;
    readonly displayName: string;
    readonly online: boolean;
  }[];
}

/** One found message; `snippet` alternates plain and matching text, beginning with plain. */
export interface SearchHit {
  readonly message: Message;
  readonly conversation: Conversation;
  readonly snippet: readonly string[];
}

export interface AppInfo {
  readonly version: string;
  readonly host: 'electron' | 'browser' | 'headless';
  readonly platform: string;
  /** Folder in which everything is kept. */
  readonly profile: string;
  /** True when nothing has been set up yet: the three doors are shown. */
  readonly firstRun: boolean;
  /** Files are opened, shown in their folder and saved by the program; else the window downloads them. */
  readonly hasFileDialogs: boolean;
  /** The program starts itself again when `app.restart` asks for it. */
  readonly canRestart: boolean;
}

/** Output of every call. */
export interface CallOutputs
  extends JobOutputs, OpeningOutputs, UpdateOutputs, PresenceOutputs, MessageChangeOutputs {
  'app.info': AppInfo;
  'app.restart': null;
  'account.add': Account;
  'account.update': Account;
  'account.signIn': Account;
  'account.diagnose': ConnectionReport;
  'account.list': readonly Account[];
  'account.remove': null;
  'contact.list': readonly Contact[];
  'contact.add': Contact;
  'conversation.list': readonly Conversation[];
  'conversation.open': Conversation;
  'conversation.markRead': Conversation;
  'conversation.setComposing': null;
  'conversation.answer': Conversation;
  'draft.list': readonly { readonly conversationId: ConversationId; readonly text: string }[];
  'draft.set': null;
  'marks.list': readonly { readonly conversationId: ConversationId; readonly marks: Marks }[];
  'marks.set': null;
  'message.list': {
    readonly messages: readonly Message[];
    readonly hasBefore: boolean;
    readonly hasAfter: boolean;
    /** Floods of these messages that were not known, or have grown. */
    readonly floods: readonly Flood[];
  };
  'message.send': Message;
  'group.create': Conversation;
  'group.join': Conversation;
  'group.list': readonly Group[];
  'group.invite': Group;
  'group.remove': Group;
  'group.leave': Group;
  'group.rename': Group;
  'group.setOwner': Group;
  'group.setNickname': Group;
  'message.retry': Message;
  'message.details': MessageDetails;
  'message.save': null;
  'transfer.send': Message;
  'transfer.accept': Transfer;
  'transfer.decline': Transfer;
  'transfer.pause': Transfer;
  'transfer.resume': Transfer;
  'transfer.cancel': Transfer;
  'transfer.open': null;
  'transfer.reveal': null;
  'transfer.save': null;
  'session.start': Session;
  'session.answer': Session;
  'session.end': Session;
  'session.list': readonly Session[];
  'session.ladder': Ladder;
  'session.save': SavedFile | null;
  'app.diagnostics': SavedFile | null;
  'search.query': { readonly hits: readonly SearchHit[]; readonly tookMs: number };
  'browse.days': readonly MessageDay[];
  'browse.positionOfDay': number | null;
  'browse.firstUnread': number | null;
  'browse.withTrait': { readonly messages: readonly Message[]; readonly hasMore: boolean };
  'browse.figures': ConversationFigures;
  'history.status': HistoryStatus;
  'history.backUp': HistoryStatus;
  'history.restore': HistoryStatus;
  'history.dismissNotice': HistoryStatus;
  'message.delete': null;
  'conversation.clear': null;
  'retention.get': { readonly keepMs: number | null };
  'retention.set': { readonly keepMs: number | null };
  'imserver.status': ImServerStatus;
  'imserver.start': ImServerStatus;
  'imserver.stop': ImServerStatus;
  'imserver.addUser': ImServerStatus;
  'demo.start': Account;
  'settings.get': Settings;
  'policy.get': ShownPolicy;
  'link.take': string | null;
  'settings.set': Settings;
}

/** A file that the window saves, because its host cannot ask where. */
export interface SavedFile {
  readonly name: string;
  readonly base64: string;
}

export type CallName = keyof typeof callInputs;

/** What a caller passes. */
export type CallInput<Name extends CallName> = v.InferInput<(typeof callInputs)[Name]>;
/** What the implementation gets after validation. */
export type CheckedInput<Name extends CallName> = v.InferOutput<(typeof callInputs)[Name]>;
export type CallOutput<Name extends CallName> = CallOutputs[Name];

/** Data of every event. Each carries the whole changed thing, never a difference. */
export const eventData = {
  'message.added': v.object({ message: messageSchema }),
  'message.changed': v.object({ message: messageSchema }),
  /** Have left the history; at most a hundred at once. */
  'messages.deleted': v.object({
    conversationId: conversationIdSchema,
    positions: v.array(v.number()),
  }),
  /** The file of a message has moved on; at most ten times a second. */
  'transfer.changed': v.object({
    conversationId: conversationIdSchema,
    messageId: messageIdSchema,
    transfer: transferSchema,
  }),
  'conversation.changed': v.object({ conversation: conversationSchema }),
  'group.changed': v.object({ group: groupSchema }),
  'marks.changed': v.object({ conversationId: conversationIdSchema, marks: marksSchema }),
  'session.changed': v.object({ session: sessionSchema }),
  'account.changed': v.object({ account: accountSchema }),
  'account.removed': v.object({ accountId: accountIdSchema }),
  'contact.changed': v.object({ contact: contactSchema }),
  /** All others who type in this conversation now, who began first before the others. */
  'composing.changed': v.object({
    conversationId: conversationIdSchema,
    people: v.array(groupPersonSchema),
  }),
  'settings.changed': v.object({ settings: v.record(v.string(), v.unknown()) }),
  /** The user has asked for this conversation outside of the window: a click on an announcement. */
  'conversation.shown': v.object({ conversationId: conversationIdSchema }),
  /** `link.take` has something. */
  'link.opened': v.object({}),
  'policy.changed': v.object({ policy: policySchema }),
  'history.changed': v.object({ status: historyStatusSchema }),
  'job.changed': v.object({ job: v.nullable(historyJobSchema) }),
  ...openingEvents,
  ...updateEvents,
  'imserver.changed': v.object({ running: v.boolean() }),
  ...presenceEvents,
} as const;

export type EventName = keyof typeof eventData;

export type EventData<Name extends EventName> = v.InferOutput<(typeof eventData)[Name]>;
