/** Owns: the states of the parts of a thread, renderer/views/thread. Called by: catalogue.ts. */
import { createRawSnippet } from 'svelte';
import type { Session } from '../../../shared/domain/conversation.ts';
import type { Flood } from '../../../shared/domain/flood.ts';
import type { Message } from '../../../shared/domain/message.ts';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import type { AppState } from '../../../renderer/state/app.svelte.ts';
import { emojiWords } from '../../../renderer/views/thread/emoji-words.ts';
import { emojiSuggestions } from '../../../renderer/state/emoji-suggestions.svelte.ts';
import { mentionSuggestions } from '../../../renderer/state/mention-suggestions.ts';
import { Suggestions } from '../../../renderer/state/suggestions.svelte.ts';
import type { World } from '../../renderer/support/memory-backend.ts';
import { openSession, scenarios } from '../../renderer/support/scenarios.ts';
import {
  changed,
  click,
  conversationOf,
  dragFiles,
  fill,
  messageOf,
  type Entries,
  type Entry,
  type Specimen,
} from '../specimen.ts';

const { asked, changes, files, flood, groupFiles, groups, long, presence, states, talking, unreachable } =
  scenarios;
const nothing = (): void => undefined;
const hohenlohe = 'with-maximiliana.alexandrovna.von-und-zu-hohenlohe';

const emojiPicker = ({ locale }: AppState) => ({
  words: emojiWords(locale),
  choose: nothing,
  close: nothing,
  inline: true,
});

type With = Pick<Specimen, 'world' | 'open'>;
const withTom: With = { open: 'with-tom' };
const inStates: With = { world: states, open: hohenlohe };
const inChanges: With = { world: changes, open: 'with-tom' };
const inGroup: With = { world: changes, open: 'with-trip' };
const inGroupFiles: With = { world: groupFiles, open: 'with-trip' };
const inFlood: With = { world: flood, open: 'with-tom' };
const inFiles: With = { world: files, open: 'with-tom' };

/** The conversation that is open, as most parts want it. */
function conversation(more: Record<string, unknown> = {}): (app: AppState) => Record<string, unknown> {
  return (app) => ({ conversation: conversationOf(app, app.conversations.openId ?? ''), ...more });
}

function bubble(around: With, beginning: string, more: Record<string, unknown> = {}): Specimen {
  return {
    ...around,
    props: (app) => ({
      message: messageOf(app, beginning),
      name: app.conversations.open?.peerName ?? '',
      place: 'first',
      menu: nothing,
      ...more,
    }),
  };
}

const bubbles: Entry = {
  incoming: bubble(withTom, 'Coming in'),
  displayed: bubble(inStates, 'Gelesen'),
  delivered: bubble(inStates, 'Zugestellt'),
  sent: bubble(inStates, 'Gesendet'),
  'waits at the server': bubble(inStates, 'Wartet'),
  queued: bubble(inStates, 'Liegt'),
  failed: bubble(inStates, 'Das ging'),
  'continues the one above': bubble(withTom, 'All 1 204', { place: 'joined' }),
  'from right to left': bubble(inStates, 'شكرا'),
  'a link without a break': bubble(inStates, 'https://'),
  'Chinese without a break': bubble(inStates, '会议改到四点，'),
  answers: bubble(inChanges, 'All 1 204'),
  'changed, with reactions': bubble(inChanges, 'Good. I am'),
  'answers what is gone': bubble(inChanges, 'Coming in'),
  'taken back': bubble(inChanges, ''),
  'in a group': bubble(inGroup, 'I know a house'),
  'private, incoming': bubble(inGroup, 'Can you lend'),
  'private, outgoing': bubble(inGroup, 'Of course'),
  'a file': bubble(inFiles, 'Floor plan'),
  'a file in a group': bubble(inGroupFiles, 'house.png'),
  'a file of ours in a group': bubble(inGroupFiles, 'Packing list'),
  'a text that is too long': bubble(inFiles, 'Line 1 of'),
  'was searched for': { ...bubble(withTom, 'Coming in'), act: (_, app) => flash(app, 'Coming in') },
};

function flash(app: AppState, beginning: string): void {
  app.thread.flashedId = messageOf(app, beginning).id;
}

/** A file that is pasted while one writes to one member alone. */
function pasteFile(frame: Element): void {
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File(['x'], 'plan.txt'));
  frame
    .querySelector('textarea')!
    .dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
}

const ended = { code: 'ended-by-peer', message: 'Tom Weber ended the session.' } as const;
const failed = { code: 'media-failed', message: 'No direct connection came about.' } as const;
const elsewhere = { code: 'answered-elsewhere', message: 'You answered on another device.' } as const;
const sessions: Readonly<Record<string, Partial<Session> | null>> = {
  none: null,
  inviting: { state: 'inviting', openedMs: null },
  'they ask': { state: 'asked', direction: 'incoming', openedMs: null },
  opening: { state: 'opening', openedMs: null },
  'open, direct': { state: 'open' },
  'open, encrypted, over a relay': { state: 'open', encrypted: true, mediaPath: 'relay' },
  ending: { state: 'ending' },
  'ended by them': { state: 'ended', endedMs: Date.now(), end: ended },
  'came to nothing': { state: 'ended', endedMs: Date.now(), end: failed },
  'answered on another device': {
    ...{ state: 'ended', direction: 'incoming', openedMs: null },
    ...{ endedMs: Date.now(), end: elsewhere },
  },
};

function withSession(change: Partial<Session> | null): () => World {
  return changed(talking, (world) => {
    const tom = world.conversations[0]!.id;
    world.sessions = change === null ? [] : [openSession(tom, change)];
  });
}

function ofSessions(props: (app: AppState) => Record<string, unknown>): Entry {
  return Object.fromEntries(
    Object.entries(sessions).map(([name, change]) => [
      name,
      { ...withTom, world: withSession(change), props },
    ]),
  );
}

const declined = changed(asked, (world) => {
  world.conversations = world.conversations.map((each) =>
    each.id === 'with-eve' ? { ...each, standing: 'declined' } : each,
  );
});

const askedToGroup = changed(groups, (world) => {
  world.conversations = world.conversations.map((each) =>
    each.kind === 'group' ? { ...each, standing: 'asked' } : each,
  );
});

const askedByTom = changed(askedToGroup, (world) => {
  world.groups = world.groups!.map((group) => ({ ...group, members: group.members.slice(1, 2) }));
});

const leftGroup = changed(groups, (world) => {
  world.groups = world.groups!.map((group) => ({ ...group, membership: 'left' }));
});

const noAccount = changed(talking, { accounts: [], sessions: [] });
const unread = changed(long, (world) => {
  world.conversations[0] = { ...world.conversations[0]!, unreadCount: 3, readPosition: 9_995 };
});

async function failToRead(
  _: unknown,
  app: AppState,
  backend: { refusals: Map<string, unknown> },
): Promise<void> {
  backend.refusals.set('message.list', { code: 'internal', message: 'The disk cannot be read.' });
  await app.thread.resynchronise();
}

function menuOf(around: With, beginning: string, more: Record<string, unknown> = {}): Specimen {
  return {
    ...around,
    props: (app) => ({
      place: { message: messageOf(app, beginning), x: 16, y: 16 },
      conversation: app.conversations.open,
      readOnly: false,
      close: nothing,
      ...more,
    }),
  };
}

function quote(change: Partial<NonNullable<Message['reply']>>, more: Record<string, unknown> = {}): Specimen {
  const theirs = { position: 3, direction: 'in', text: 'Shall we show it at four?', name: null };
  return { ...withTom, props: () => ({ quote: { ...theirs, ...change }, name: 'Tom Weber', ...more }) };
}

function floodRow(change: Partial<Flood>, name = 'Tom Weber'): Specimen {
  const flood = { first: 7, shown: 11, last: 5_006, lastSentAtMs: 0, count: 5_000, open: false };
  return { props: () => ({ flood: { ...flood, ...change }, name, toggle: nothing }) };
}

function replyTo(beginning: string, kind: 'reply' | 'edit'): (app: AppState) => Record<string, unknown> {
  return (app) => ({ task: { kind, message: messageOf(app, beginning) }, name: 'Tom Weber', end: nothing });
}

export const thread: Entries = {
  'views/thread/Bubble.svelte': bubbles,
  'views/thread/QuoteBlock.svelte': {
    theirs: quote({}, { show: nothing }),
    ours: quote({ direction: 'out' }, { show: nothing }),
    'somebody in a group': quote({ name: 'Ana Sørensen' }),
    'taken back': quote({ text: '' }),
    gone: quote({ position: null }),
  },
  'views/thread/Reactions.svelte': {
    'ours and theirs': {
      ...inChanges,
      props: (app) => ({ message: messageOf(app, 'Good. I am'), name: 'Tom Weber', readOnly: false }),
    },
    'several people': {
      ...inGroup,
      props: (app) => ({ message: messageOf(app, 'Where shall'), name: 'Sea trip', readOnly: false }),
    },
    'only to be looked at': {
      ...inGroup,
      props: (app) => ({ message: messageOf(app, 'Where shall'), name: 'Sea trip', readOnly: true }),
    },
  },
  'views/thread/MessageMenu.svelte': {
    'our own': menuOf(inChanges, 'Good. I am'),
    theirs: menuOf(inChanges, 'All 1 204'),
    'taken back': menuOf(inChanges, ''),
    'only to be read': menuOf(inChanges, 'All 1 204', { readOnly: true }),
    'all reactions': {
      ...menuOf(inChanges, 'All 1 204'),
      act: (frame) => click(frame, '.quick [role=menuitem]'),
    },
  },
  'views/thread/MentionList.svelte': {
    'all members': {
      ...inGroup,
      props: (app) => {
        const { conversationId } = app.thread;
        const members = conversationId === null ? [] : (app.groups.get(conversationId)?.members ?? []);
        const suggestions = mentionSuggestions(() => members);
        suggestions.update('@');
        return { id: 'members', suggestions, choose: nothing };
      },
    },
  },
  'views/thread/EmojiPicker.svelte': {
    inline: { props: emojiPicker },
    'some were used': {
      world: changed(scenarios.talking, (world) => {
        world.settings = {
          ...world.settings,
          'appearance.recentEmoji': '🎉 🚀 🐼 🍀 😂 ☕ 🥳 👀 🤖 🔥'.split(' '),
        };
      }),
      props: emojiPicker,
    },
    'by name': {
      props: emojiPicker,
      act: (frame, { locale }) =>
        fill(frame, 'input', { en: 'hand', de: 'hand', zh: '手', ar: 'يد' }[locale.language]),
    },
    'none of this name': { props: emojiPicker, act: (frame) => fill(frame, 'input', 'xyzzy') },
  },
  'views/thread/EmojiList.svelte': {
    'what fits': {
      ...withTom,
      props: ({ locale }) => {
        const suggestions = emojiSuggestions(() => emojiWords(locale).names());
        suggestions.update({ en: ':hea', de: ':her', zh: ':笑脸', ar: ':قلب' }[locale.language]);
        return { id: 'emoji', suggestions, choose: nothing };
      },
    },
  },
  'views/thread/SuggestionList.svelte': {
    'the first is chosen': {
      ...withTom,
      props: () => {
        const suggestions = new Suggestions({
          typed: () => '',
          find: () => ['One', 'Two', 'A third one'],
          keyOf: (item) => item,
          textOf: (item) => item,
        });
        suggestions.update('');
        const row = createRawSnippet((item: () => string) => ({ render: () => `<span>${item()}</span>` }));
        return { id: 'suggestions', label: 'Suggestions', suggestions, choose: nothing, row };
      },
    },
  },
  'views/thread/ComposerTaskBar.svelte': {
    'answers them': { ...withTom, props: replyTo('All 1 204', 'reply') },
    'answers ourselves': { ...withTom, props: replyTo('Did the new', 'reply') },
    'changes a message': { ...withTom, props: replyTo('Did the new', 'edit') },
  },
  'views/thread/Composer.svelte': {
    empty: { ...withTom, props: conversation() },
    'a line': { ...withTom, props: conversation(), act: (frame) => fill(frame, 'textarea', 'At four it is') },
    'more lines than it grows': {
      ...withTom,
      props: conversation(),
      act: (frame) =>
        fill(frame, 'textarea', Array.from({ length: 12 }, (_, n) => `Line ${n + 1}`).join('\n')),
    },
    'answers a message': {
      ...withTom,
      prepare: (app) => app.changes.begin({ kind: 'reply', message: messageOf(app, 'All 1 204') }),
      props: conversation(),
    },
    'changes a message': {
      ...withTom,
      prepare: (app) => app.changes.begin({ kind: 'edit', message: messageOf(app, 'Did the new') }),
      props: conversation(),
    },
    'to one member of a group': {
      ...inGroup,
      prepare: (app) => {
        const { id } = conversationOf(app, 'with-trip');
        app.groups.writeTo(id, app.groups.get(id)?.members[1]);
      },
      props: conversation(),
    },
    'a file for one member of a group': {
      ...inGroup,
      prepare: (app) => {
        const { id } = conversationOf(app, 'with-trip');
        app.groups.writeTo(id, app.groups.get(id)?.members[1]);
      },
      props: conversation(),
      act: pasteFile,
    },
    'names a member': {
      ...inGroup,
      props: conversation(),
      act: (frame) => fill(frame, 'textarea', 'Hello @'),
    },
    'chooses an emoji': {
      ...withTom,
      props: conversation(),
      act: (frame) => click(frame, '.attach', -1),
      room: 'page',
    },
    'could not be sent': {
      ...withTom,
      prepare: (_, { refusals }) =>
        refusals.set('message.send', { code: 'disk-full', message: 'The disk is full. Make room first.' }),
      props: conversation(),
      act: (frame) => {
        fill(frame, 'textarea', 'At four it is');
        click(frame, '.send');
      },
    },
  },
  'views/thread/DropTarget.svelte': {
    'files over the window': {
      ...withTom,
      props: conversation({ drop: nothing }),
      act: dragFiles,
      room: 'page',
    },
    'nothing is dragged': { ...withTom, props: conversation({ drop: nothing }) },
  },
  'views/thread/Invitation.svelte': {
    'a stranger asks': { world: asked, open: 'with-eve', props: conversation(), room: 'page' },
    declined: { world: declined, open: 'with-eve', props: conversation(), room: 'page' },
    'to a group': { world: askedToGroup, open: 'with-trip', props: conversation(), room: 'page' },
    'to a group, by somebody': {
      ...{ world: askedByTom, open: 'with-trip', props: conversation(), room: 'page' },
    },
    blocked: { world: presence, open: 'with-maria', props: conversation(), room: 'page' },
  },
  'views/thread/SessionActions.svelte': ofSessions((app) => {
    const tom = conversationOf(app, 'with-tom');
    return { conversation: tom, session: app.sessions.latest(tom.id) };
  }),
  'views/thread/SessionStrip.svelte': {
    ...ofSessions(conversation()),
    'a group': { ...inGroup, props: conversation() },
    'could not be started': {
      ...withTom,
      world: withSession(null),
      props: conversation(),
      prepare: (app) =>
        app.sessions.problems.set(
          conversationOf(app, 'with-tom').id,
          new CallError('not-allowed', 'A policy does not allow it.'),
        ),
    },
  },
  'views/thread/ThreadHeader.svelte': {
    'a person': { ...withTom, props: conversation() },
    'who is there': { world: presence, open: 'with-tom', props: conversation() },
    'a group': { ...inGroup, props: conversation() },
    'a long name': { ...inStates, props: conversation() },
  },
  'views/thread/FloodRow.svelte': {
    collapsed: floodRow({}),
    open: floodRow({ open: true }),
    'one message': floodRow({ count: 6 }),
    'a long name': floodRow({}, 'Maximiliana Alexandrovna von und zu Hohenlohe-Waldenburg-Schillingsfürst'),
  },
  'views/thread/JumpButton.svelte': {
    'to the latest': {
      props: () => ({ icon: 'arrow-down', keys: 'Control+End', text: '3 new messages', jump: nothing }),
    },
    'to what is unread': {
      props: () => ({ icon: 'arrow-up', keys: 'Control+J', text: 'Unread messages', jump: nothing }),
    },
  },
  'views/thread/CalendarView.svelte': {
    'this month': { ...withTom, prepare: (app) => app.openCalendar() },
    'several years': {
      world: changed(talking, (world) => {
        const first = world.messages[0]!;
        world.messages[0] = { ...first, sentAtMs: first.sentAtMs - 800 * 86_400_000 };
      }),
      open: 'with-tom',
      prepare: (app) => app.openCalendar(),
    },
  },
  'views/thread/MessageList.svelte': {
    'a few messages, somebody types': { ...withTom, props: conversation(), room: 'page' },
    'the line above what is new': { world: unread, open: 'with-tom', props: conversation(), room: 'page' },
    'nothing yet': { world: asked, open: 'with-eve', props: conversation(), room: 'page' },
    'a group': { ...inGroup, props: conversation(), room: 'page' },
    'a flood': { ...inFlood, props: conversation(), room: 'page' },
    'a flood that is open': {
      ...inFlood,
      props: conversation(),
      act: (frame) => click(frame, '[aria-expanded=false]'),
      room: 'page',
    },
    'ten thousand messages': { world: long, open: 'with-tom', props: conversation(), room: 'page' },
  },
  'views/thread/ThreadView.svelte': {
    'nothing is open': { room: 'page' },
    'two people talk': { ...withTom, room: 'page' },
    'every state of a message': { ...inStates, room: 'page' },
    files: { ...inFiles, room: 'page' },
    'a group': { ...inGroup, room: 'page' },
    'a group that was left': { world: leftGroup, open: 'with-trip', room: 'page' },
    'a stranger asks': { world: asked, open: 'with-eve', room: 'page' },
    'no account any more': { world: noAccount, open: 'with-tom', room: 'page' },
    'the server cannot be reached': { world: unreachable, open: 'with-tom', room: 'page' },
    'could not be read': {
      ...withTom,
      prepare: (app, backend) => failToRead(undefined, app, backend),
      room: 'page',
    },
  },
};
