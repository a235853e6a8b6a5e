/**
 * Owns: every setting: its type, default, description and whether a policy may lock it.
 * Called by: contract, store, settings views, policy templates. Calls: valibot.
 */
import * as v from 'valibot';
import { mediaPaths, relayListSchema } from './domain/account.ts';
import { MAX_NOTE_CHARS, presenceChoices } from './domain/presence.ts';
import { maxRecentEmoji } from './emoji.ts';

/** One setting. `lockable`: a policy may set it and take it out of the user's hands. */
interface SettingSpec<Schema extends v.GenericSchema> {
  readonly schema: Schema;
  readonly initial: v.InferOutput<Schema>;
  readonly description: string;
  readonly lockable: boolean;
  /** Only a policy may set it: not what a window, or whoever has got hold of one, should choose. */
  readonly policyOnly?: true;
  /** What holds when a policy wants something that cannot be read; default: `initial`. */
  readonly strictest?: v.InferOutput<Schema>;
}

function setting<Schema extends v.GenericSchema>(spec: SettingSpec<Schema>): SettingSpec<Schema> {
  return spec;
}

export const settingSpecs = {
  'appearance.theme': setting({
    schema: v.picklist(['system', 'light', 'dark']),
    initial: 'system',
    description: 'Colours of the window.',
    lockable: true,
  }),
  'appearance.language': setting({
    schema: v.picklist(['system', 'en', 'de', 'zh', 'ar']),
    initial: 'system',
    description: 'Language of the window.',
    lockable: true,
  }),
  'appearance.listWidth': setting({
    schema: v.pipe(v.number(), v.integer(), v.minValue(72), v.maxValue(360)),
    initial: 320,
    description: 'Width of the list of conversations in pixels, 280 to 360; below that only its pictures.',
    lockable: false,
  }),
  'appearance.recentEmoji': setting({
    schema: v.pipe(v.array(v.pipe(v.string(), v.maxLength(16))), v.maxLength(maxRecentEmoji)),
    initial: [],
    description: 'Emoji that were chosen last, the newest first.',
    lockable: false,
  }),
  'privacy.sendDisplayed': setting({
    schema: v.boolean(),
    initial: true,
    description: 'Tell people when their messages have been read.',
    lockable: true,
    strictest: false,
  }),
  'privacy.sendComposing': setting({
    schema: v.boolean(),
    initial: true,
    description: 'Tell people that you are typing.',
    lockable: true,
    strictest: false,
  }),
  'privacy.tellOwnDevices': setting({
    schema: v.boolean(),
    initial: true,
    description: 'Messages, and what is read, come to your other devices by way of your server.',
    lockable: true,
    strictest: false,
  }),
  'presence.choice': setting({
    schema: v.picklist(presenceChoices),
    initial: 'available',
    description: 'What you are for others; dnd silences announcements as well.',
    lockable: false,
  }),
  'presence.note': setting({
    schema: v.pipe(v.string(), v.trim(), v.maxLength(MAX_NOTE_CHARS)),
    initial: '',
    description: 'Words beside your presence; empty: none.',
    lockable: false,
  }),
  'presence.visibleTo': setting({
    schema: v.picklist(['known', 'asked', 'nobody']),
    initial: 'known',
    description:
      'Who sees whether you are there. known: contacts and people whom you talk with, without asking you; asked: only whom you have allowed; nobody: nothing is published.',
    lockable: true,
    strictest: 'nobody',
  }),
  'presence.watch': setting({
    schema: v.boolean(),
    initial: true,
    description: 'Show whether people are there; the server learns whom you talk with.',
    lockable: true,
    strictest: false,
  }),
  'presence.awayMinutes': setting({
    schema: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(24 * 60)),
    initial: 10,
    description: 'You are away after so many minutes without doing anything; 0: never by itself.',
    lockable: true,
  }),
  'sessions.acceptContacts': setting({
    schema: v.boolean(),
    initial: true,
    description: 'Accept sessions from people in your contacts without asking.',
    lockable: true,
    strictest: false,
  }),
  'sessions.idleMinutes': setting({
    schema: v.pipe(v.number(), v.minValue(0.01), v.maxValue(24 * 60)),
    initial: 10,
    description: 'End a session after this many minutes without a message.',
    lockable: true,
  }),
  'files.autoAcceptBytes': setting({
    schema: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER)),
    initial: 25 * 1024 * 1024,
    description: 'Files from contacts up to this many bytes are received without asking; 0: always ask.',
    lockable: true,
    strictest: 0,
  }),
  'notifications.show': setting({
    schema: v.boolean(),
    initial: true,
    description: 'Announce new messages while the window is not looked at.',
    lockable: true,
  }),
  'notifications.text': setting({
    schema: v.boolean(),
    initial: true,
    description: 'Announcements of new messages show who has written and what.',
    lockable: true,
    strictest: false,
  }),
  'desktop.tray': setting({
    schema: v.boolean(),
    initial: false,
    description: 'Keep running in the notification area when the window is closed (desktop program).',
    lockable: true,
  }),
  'desktop.startAtLogin': setting({
    schema: v.boolean(),
    initial: false,
    description: 'Start when the user signs in to the computer (desktop program).',
    lockable: true,
  }),
  'desktop.shortcut': setting({
    schema: v.pipe(
      v.string(),
      v.maxLength(100),
      v.regex(
        /^(?:(?:(?:CommandOrControl|Control|Command|Alt|Shift|Super)\+){1,4}(?:[A-Z0-9]|F(?:[1-9]|1[0-9]|2[0-4])|Space))?$/,
        'A shortcut is one to four of Control, CommandOrControl, Command, Alt, Shift and Super and a key, such as Control+Alt+P.',
      ),
    ),
    initial: '',
    description:
      'Keys that bring the window to the front from anywhere, such as Control+Alt+P; empty: none (desktop program).',
    lockable: true,
  }),
  'spelling.folder': setting({
    schema: v.pipe(
      v.string(),
      v.maxLength(1_000),
      v.regex(
        /^(?:(?:\/|[A-Za-z]:[\\/]|\\\\[^\\/])[^\0]*)?$/,
        'A folder is named by its whole path, such as /usr/share/parley/dictionaries.',
      ),
    ),
    initial: '',
    description:
      'Folder with dictionaries for the spelling (.bdic, named as Chromium names them), Windows and Linux; empty: "dictionaries" in the profile. Without files there spelling is not checked (desktop program).',
    lockable: true,
    policyOnly: true,
  }),
  'messages.largeTextBytes': setting({
    schema: v.pipe(v.number(), v.integer(), v.minValue(1_024), v.maxValue(1024 * 1024)),
    initial: 64 * 1024,
    description: 'Texts of more bytes are shown as a file with their first lines.',
    lockable: true,
  }),
  'messages.encryption': setting({
    schema: v.picklist(['required', 'preferred', 'off']),
    initial: 'preferred',
    description:
      'Direct sessions over TLS. required: nothing goes in the clear; preferred: only with people whose program cannot encrypt; off: we do not offer it.',
    lockable: true,
    strictest: 'required',
  }),
  'messages.path': setting({
    schema: v.picklist(mediaPaths),
    initial: 'auto',
    description:
      'The way of messages. auto: directly, and through a relay when that does not come about. An account may choose another one.',
    lockable: true,
  }),
  'messages.relays': setting({
    schema: relayListSchema,
    initial: [],
    description:
      'MSRP relays, tried in turn: msrps://host:port, or a name. None: those that DNS names for the domain of the address. An account may have its own.',
    lockable: true,
  }),
  'messages.cema': setting({
    schema: v.boolean(),
    initial: false,
    description: 'Let a middlebox on the way take the connection to itself (CEMA, RFC 6714).',
    lockable: true,
  }),
  'history.dailyBackups': setting({
    schema: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(100)),
    initial: 7,
    description:
      'Copies of the history that are kept, one for each of the last days; 0 and 0 weekly: none is made.',
    lockable: true,
  }),
  'history.weeklyBackups': setting({
    schema: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(100)),
    initial: 4,
    description: 'Copies of the history that are kept, one for each of the last weeks.',
    lockable: true,
  }),
  'history.keepDays': setting({
    schema: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(36_500)),
    initial: 0,
    description:
      'Messages are deleted after so many days, except in conversations with a rule of their own; 0: never. Backups keep them until they are replaced.',
    lockable: true,
  }),
  'history.hold': setting({
    schema: v.boolean(),
    initial: false,
    description: 'Nothing is deleted from the history, neither by age nor by hand.',
    lockable: true,
    strictest: true,
  }),
  'history.requirePassphrase': setting({
    schema: v.boolean(),
    initial: false,
    description:
      'Where the system has no keyring, the history has to have a passphrase, which the window asks for at each start.',
    lockable: true,
    strictest: true,
  }),
  'updates.mode': setting({
    schema: v.picklist(['off', 'tell', 'install']),
    initial: 'off',
    description:
      'Newer versions of the desktop program. off: nobody looks; tell: looked for at updates.url and told in About; install: fetched, and installed when the program ends, where it may replace itself.',
    lockable: true,
    strictest: 'off',
  }),
  'updates.url': setting({
    schema: v.pipe(v.string(), v.maxLength(1_000), v.regex(/^(?:https?:\/\/[^\s?#]+)?$/)),
    initial: '',
    description: 'Where the feed of newer versions lies (https); empty: nobody looks.',
    lockable: true,
  }),
  'updates.channel': setting({
    schema: v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,32}$/)),
    initial: 'stable',
    description: 'Which feed at updates.url is read: its name without ".json".',
    lockable: true,
  }),
  'updates.key': setting({
    schema: v.pipe(v.string(), v.regex(/^(?:[A-Za-z0-9+/]{43}=)?$/)),
    initial: '',
    description: 'The public key (Ed25519, 32 bytes, base64) that the feed has to be signed with.',
    lockable: true,
  }),
  'network.engine': setting({
    schema: v.variant('kind', [
      v.object({ kind: v.literal('embedded') }),
      v.object({
        kind: v.literal('drachtio'),
        host: v.pipe(v.string(), v.minLength(1), v.maxLength(255)),
        port: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)),
        secret: v.pipe(v.string(), v.minLength(1), v.maxLength(200)),
      }),
    ]),
    initial: { kind: 'embedded' },
    description: 'The SIP engine: the one inside the program, or a drachtio server.',
    lockable: true,
  }),
  'network.bindAddress': setting({
    schema: v.pipe(v.string(), v.maxLength(64)),
    initial: '',
    description: 'Local IP address for SIP and MSRP; empty: the one that leads to the server.',
    lockable: true,
  }),
} as const;

export type SettingKey = keyof typeof settingSpecs;
export const settingKeys = Object.keys(settingSpecs) as SettingKey[];
export type Settings = { [Key in SettingKey]: v.InferOutput<(typeof settingSpecs)[Key]['schema']> };

/** Every setting at its default. */
export function initialSettings(): Settings {
  return Object.fromEntries(settingKeys.map((key) => [key, settingSpecs[key].initial])) as Settings;
}

/** Whether new messages are announced while nobody looks: not to somebody who does not want to be disturbed. */
export function areAnnounced(settings: Settings): boolean {
  return settings['notifications.show'] && settings['presence.choice'] !== 'dnd';
}
