/**
 * Owns: the states of what stands around a thread: shell, conversations, search, help. Called by: catalogue.ts.
 */
import type { HistoryJob, HistoryNotice } from '../../../shared/domain/history.ts';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import type { AppState } from '../../../renderer/state/app.svelte.ts';
import { parseInline } from '../../../renderer/views/help/markdown.ts';
import { scenarios } from '../../renderer/support/scenarios.ts';
import {
  changed,
  click,
  conversationOf,
  fill,
  openMenu,
  type Entries,
  type Entry,
  type Specimen,
} from '../specimen.ts';

const { asked, groups, presence, reading, states, talking, unreachable } = scenarios;
const nothing = (): void => undefined;

function of(id: string, more: Record<string, unknown> = {}): (app: AppState) => Record<string, unknown> {
  return (app) => ({ conversation: conversationOf(app, id), ...more });
}

const job: HistoryJob = {
  kind: 'export',
  state: 'running',
  folder: '/home/bob/Documents/Parley 2026-11-29',
  conversations: 12,
  messages: 310_000,
  total: 912_000,
  files: 31,
  added: 0,
  failure: null,
};
const jobs: Readonly<Record<string, Partial<HistoryJob>>> = {
  'an export runs': {},
  'an export is done': { state: 'done', messages: 912_000 },
  'an export was stopped': { state: 'stopped' },
  'the disk is full': { state: 'failed', failure: { code: 'disk-full', detail: '' } },
  'an import runs': { kind: 'import', total: null, added: 1_204 },
  'an import is done': { kind: 'import', state: 'done', messages: 912_000, added: 40 },
  'an import needs a passphrase': {
    kind: 'import',
    state: 'failed',
    failure: { code: 'locked', detail: '' },
  },
};
const jobNotices: Entry = Object.fromEntries(
  Object.entries(jobs).map(([name, change]): [string, Specimen] => [
    name,
    { world: changed(talking, { job: { ...job, ...change } }) },
  ]),
);

const path = '/home/bob/.parley/history-damaged-2026-11-29.sqlite';
const notices: Readonly<Record<string, HistoryNotice>> = {
  'damage was found': { kind: 'damaged' },
  'was repaired': { kind: 'recovered', source: 'file', messages: 911_000, missing: 1_000, path },
  'came from a backup': { kind: 'recovered', source: 'backup', messages: 912_000, missing: null, path },
  'a backup took its place': { kind: 'restored', path },
  'a backup failed': { kind: 'backup-failed', message: 'The disk is full.' },
};
const historyNotices: Entry = Object.fromEntries(
  Object.entries(notices).map(([name, notice]): [string, Specimen] => [
    name,
    { world: changed(talking, { history: { backups: [], restoring: null, notice } }) },
  ]),
);

const marked = changed(talking, (world) => {
  const [, ana, li, , maria] = world.conversations;
  world.marks = {
    [li!.id]: { pinned: true, muted: false, archived: false },
    [ana!.id]: { pinned: false, muted: true, archived: false, unread: true },
    [maria!.id]: { pinned: false, muted: false, archived: true },
  };
});

const draft = changed(talking, { drafts: { ['with-ana' as never]: 'I wanted to say that' } });
const noConversations = changed(talking, { conversations: [], sessions: [], messages: [] });
const refusedFirst = changed(unreachable, (world) => {
  world.accounts.reverse();
});

async function query(app: AppState, text: string): Promise<void> {
  app.search.focused = true;
  await app.search.query(text);
}

const search = (text: string): Specimen => ({
  world: groups,
  open: 'with-tom',
  room: 'column',
  prepare: (app) => query(app, text),
});

const menu: Partial<Specimen> = {
  room: 'page',
  props: of('with-tom', { x: 16, y: 16, close: nothing }),
};

export const shell: Entries = {
  'views/shell/Shell.svelte': {
    'nothing is open': { room: 'page' },
    'two people talk': { open: 'with-tom', room: 'page' },
    'with details': { open: 'with-tom', prepare: (app) => app.toggleDetails(), room: 'page' },
    'with the inspector': { open: 'with-tom', prepare: (app) => app.toggleInspector(), room: 'page' },
    settings: { prepare: (app) => app.shell.showMain('settings'), room: 'page' },
    help: { prepare: (app) => app.shell.showMain('help'), room: 'page' },
  },
  'views/shell/Sidebar.svelte': {
    conversations: { room: 'column' },
    'a new conversation': { prepare: (app) => app.shell.showSide('new'), room: 'column' },
    'a search': search('the'),
    'only reads': { world: reading, room: 'column' },
    'refused by the server': { world: refusedFirst, room: 'column' },
  },
  'views/shell/AccountBar.svelte': {
    online: {},
    'with presence': { world: presence },
    'cannot be reached': { world: unreachable },
    'no account': { world: changed(talking, { accounts: [] }) },
    'menu open': { world: presence, act: (frame) => click(frame, '.account'), room: 'column' },
  },
  'views/shell/AccountMenu.svelte': {
    'one account': { world: presence, props: () => ({ close: nothing }) },
    'two accounts': { world: unreachable, props: () => ({ close: nothing }) },
  },
  'views/shell/AccountNotice.svelte': {
    'cannot be reached': { world: unreachable, props: (app) => ({ account: app.accounts.all[0] }) },
    'the password is wrong': { world: unreachable, props: (app) => ({ account: app.accounts.all[1] }) },
    'nothing to say': { props: (app) => ({ account: app.accounts.all[0] }) },
  },
  'views/shell/HistoryNotice.svelte': historyNotices,
  'views/shell/JobNotice.svelte': {
    ...jobNotices,
    'an export is handed in': { prepare: (app) => (app.historyJob.handingIn = { done: 12, total: 310 }) },
    'was refused': {
      prepare: (app) => (app.historyJob.problem = new CallError('disk-full', 'The disk is full.')),
    },
  },
  'views/shell/LinkNotice.svelte': {
    lost: { prepare: (app) => app.link.applyState('down') },
    'is there': {},
  },
  'views/shell/RestartButton.svelte': {
    'the program starts itself again': {},
    'its user has to': {
      world: changed(talking, (world) => {
        world.info = { ...world.info, canRestart: false };
      }),
    },
  },
  'views/shell/ListResizer.svelte': {
    'between list and thread': { act: (frame) => frame.querySelector<HTMLElement>('.resizer')?.focus() },
  },
  'views/shell/PageHead.svelte': { settings: { props: () => ({ title: 'Settings' }) } },
  'views/conversations/ConversationAvatar.svelte': {
    'a person, a person that is there, a group': {
      world: changed(presence, (world) => {
        const { conversations, groups: all } = groups();
        world.conversations.push(...conversations.filter(({ kind }) => kind === 'group'));
        world.groups = all ?? [];
      }),
      props: (app) =>
        ['with-maha', 'with-tom', 'with-trip'].map((id) => ({ conversation: conversationOf(app, id) })),
    },
    small: {
      world: presence,
      props: (app) => ({ conversation: conversationOf(app, 'with-ana'), size: 'small' }),
    },
  },
  'views/conversations/ConversationList.svelte': {
    'some conversations': { open: 'with-tom', room: 'column' },
    'long names, many unread': { world: states, room: 'column' },
    'marks and an archive': { world: marked, room: 'column' },
    'a menu': { room: 'page', act: (frame) => openMenu(frame, '.row', 1) },
    'the archive open': { world: marked, room: 'column', act: (frame) => click(frame, '.folder') },
    'strangers wait': { world: asked, room: 'column' },
    'people ask': { world: presence, room: 'column' },
    'of accounts that are gone': {
      world: changed(talking, (world) => {
        world.conversations = world.conversations.map((each, nth) =>
          nth > 3 ? { ...each, accountId: 'gone' as typeof each.accountId } : each,
        );
      }),
      room: 'column',
    },
    'nothing yet': { world: noConversations, room: 'column' },
  },
  'views/conversations/ConversationMenu.svelte': {
    'a person': { ...menu },
    'with marks': { ...menu, world: marked },
    blocked: { ...menu, world: presence, props: of('with-maria', { x: 16, y: 16, close: nothing }) },
    'a group': { ...menu, world: groups, props: of('with-trip', { x: 16, y: 16, close: nothing }) },
  },
  'views/conversations/ConversationRow.svelte': {
    unread: { props: of('with-lixiaolong', { tabindex: 0, menu: nothing }) },
    open: { open: 'with-ana', props: of('with-ana', { tabindex: 0, menu: nothing }) },
    'somebody types': { props: of('with-tom', { tabindex: 0, menu: nothing }) },
    'a draft': { world: draft, props: of('with-ana', { tabindex: 0, menu: nothing }) },
    'not to be disturbed': { world: presence, props: of('with-lixiaolong', { tabindex: 0, menu: nothing }) },
    blocked: { world: presence, props: of('with-maria', { tabindex: 0, menu: nothing }) },
    'pinned, muted': { world: marked, props: of('with-lixiaolong', { tabindex: 0, menu: nothing }) },
    'marked as unread': { world: marked, props: of('with-ana', { tabindex: 0, menu: nothing }) },
    'a stranger asks': { world: asked, props: of('with-eve', { tabindex: 0, menu: nothing }) },
    'a group': { world: groups, props: of('with-trip', { tabindex: 0, menu: nothing }) },
    'a long name': {
      world: states,
      props: of('with-maximiliana.alexandrovna.von-und-zu-hohenlohe', { tabindex: 0, menu: nothing }),
    },
  },
  'views/conversations/LastLine.svelte': {
    'ours, displayed': { props: of('with-ana') },
    theirs: { props: of('with-maha') },
    'somebody types': { props: of('with-tom') },
    'a draft': { world: draft, props: of('with-ana') },
    'a group': { world: groups, props: of('with-trip') },
    'an invitation': { world: asked, props: of('with-eve') },
  },
  'views/conversations/NewConversation.svelte': {
    'a person': { room: 'column' },
    'an address from a link': { room: 'column', prepare: (app) => app.shell.showNew('tom@example.org') },
    'a group': { world: groups, room: 'column', prepare: (app) => app.shell.showNewGroup([]) },
    'joins a group': {
      world: groups,
      room: 'column',
      act: (frame) => click(frame, '.kinds input', 2),
    },
    'was refused': {
      room: 'column',
      prepare: (_, { refusals }) =>
        refusals.set('contact.add', { code: 'invalid-input', message: 'That is not an address.' }),
      act: (frame) => {
        fill(frame, 'input', 'nobody');
        click(frame, '.primary');
      },
    },
  },
  'views/search/SearchField.svelte': {
    empty: {},
    'in one conversation': {
      open: 'with-tom',
      prepare: (app) => app.search.begin(conversationOf(app, 'with-tom')),
    },
    'with text': { prepare: (app) => query(app, 'build') },
  },
  'views/search/SearchFilters.svelte': {
    'none chosen': { open: 'with-tom' },
    'some chosen': { open: 'with-tom', prepare: (app) => query(app, 'has:image from:ana plan') },
    dates: {
      open: 'with-tom',
      prepare: (app) => query(app, 'after:2026-01-01'),
      act: (frame) => click(frame, '[aria-expanded]'),
    },
  },
  'views/search/SearchHelp.svelte': { 'all of it': { room: 'column' } },
  'views/search/SearchResults.svelte': {
    'people and messages': search('an'),
    nothing: search('nothing has this'),
    'was refused': {
      ...search('x'),
      prepare: async (app, { refusals }) => {
        refusals.set('search.query', { code: 'internal', message: 'The disk cannot be read.' });
        await query(app, 'x');
      },
    },
  },
  'views/help/HelpView.svelte': {
    'the first page': { room: 'page' },
    'another page': { room: 'page', act: (frame) => click(frame, 'nav button', 1) },
  },
  'views/help/HelpInline.svelte': {
    'text, code, what is strong, links': {
      props: () => ({
        parts: parseInline(
          'Write `from:ana`, press **Enter**, read [the history](history.md) or [the flow](https://example.org).',
        ),
        open: nothing,
      }),
    },
  },
};
