/**
 * Owns: the views: the whole window in each situation. Their pictures are kept and compared.
 * Called by: catalogue.ts, views.e2e.ts. Calls: nothing.
 */
import { emojiWords } from '../../../renderer/views/thread/emoji-words.ts';
import { scenarios } from '../../renderer/support/scenarios.ts';
import {
  changed,
  click,
  conversationOf,
  dragFiles,
  fill,
  messageOf,
  openMenu,
  type Entry,
  type Specimen,
} from '../specimen.ts';
import { chooseThree, chooseTwo, come, look } from './sharing.ts';

const {
  asked,
  changes,
  converting,
  empty,
  files,
  flood,
  groupFiles,
  groups,
  locked,
  pictures,
  presence,
  reading,
  states,
  talking,
  unreachable,
} = scenarios;
const hohenlohe = 'with-maximiliana.alexandrovna.von-und-zu-hohenlohe';

type SectionTitle = 'settings.accounts' | 'settings.privacy' | 'history.title' | 'settings.network';

function page(specimen: Specimen): Specimen {
  return { room: 'page', ...specimen };
}

/** The settings, scrolled to the section with this title. */
function section(title: SectionTitle): Specimen {
  return page({
    world: changed(presence, {
      lock: { passphrase: false, keyring: true, required: false },
      imServer: {
        running: true,
        domain: 'chat.home.arpa',
        sip: ['sip:192.0.2.10:5060;transport=tcp'],
        users: [{ user: 'tom', displayName: 'Tom Weber', online: true }],
      },
    }),
    prepare: (app) => app.shell.showMain('settings'),
    act: (frame, app) => {
      const titles = [...frame.querySelectorAll('h2')];
      titles.find(({ textContent }) => textContent === app.locale.t(title))?.scrollIntoView();
    },
  });
}

export const views: Entry = {
  welcome: page({ world: empty }),
  'welcome-sign-in': page({ world: empty, act: (frame) => click(frame, '.door', 0) }),
  'welcome-server': page({ world: empty, act: (frame) => click(frame, '.door', 1) }),
  locked: page({ world: locked }),
  converting: page({ world: converting }),
  passphrase: page({
    world: changed(talking, { lock: { passphrase: false, keyring: true, required: true } }),
  }),
  recovery: page({
    prepare: (app) => (app.lock.recoveryKey = '3F7K-9QXM-2TVB-8HNC-5RWD-1GJZ-6PSE-4YAK-Q0MT'),
  }),
  list: page({}),
  'list-avatars': page({
    world: changed(asked, (world) => {
      world.settings = { ...world.settings, 'appearance.listWidth': 72 };
    }),
  }),
  'list-empty': page({ world: changed(talking, { conversations: [], sessions: [], messages: [] }) }),
  'list-menu': page({ act: (frame) => openMenu(frame, 'nav li button', 1) }),
  'account-menu': page({ world: presence, act: (frame) => click(frame, '.account') }),
  'new-person': page({ prepare: (app) => app.shell.showSide('new') }),
  'new-group': page({ world: groups, prepare: (app) => app.shell.showNewGroup(['tom@chat.home.arpa']) }),
  thread: page({ open: 'with-tom' }),
  'thread-states': page({ world: states, open: hohenlohe }),
  'thread-changes': page({ world: changes, open: 'with-tom' }),
  'thread-flood': page({ world: flood, open: 'with-tom' }),
  'thread-pictures': page({ world: pictures, open: 'with-tom' }),
  picture: page({
    world: pictures,
    open: 'with-tom',
    prepare: (app) => look(app, 'harbour'),
    act: come,
  }),
  select: page({ world: changes, open: 'with-tom', prepare: chooseThree }),
  forward: page({
    world: groups,
    open: 'with-tom',
    prepare: (app) => app.forward([messageOf(app, 'Did the new')]),
    act: chooseTwo,
  }),
  'picture-too-large': page({
    world: pictures,
    open: 'with-tom',
    prepare: (app) => look(app, 'map of'),
    act: come,
  }),
  'thread-files': page({ world: files, open: 'with-tom' }),
  'thread-group': page({ world: groups, open: 'with-trip' }),
  'thread-group-files': page({ world: groupFiles, open: 'with-trip' }),
  'thread-presence': page({ world: presence, open: 'with-tom' }),
  'thread-blocked': page({ world: presence, open: 'with-maria' }),
  'thread-asked': page({ world: asked, open: 'with-eve' }),
  'thread-unreachable': page({ world: unreachable, open: 'with-tom' }),
  'thread-drop': page({ open: 'with-tom', act: dragFiles }),
  'message-menu': page({ world: changes, open: 'with-tom', act: (frame) => click(frame, '[data-menu]', 2) }),
  reply: page({
    world: changes,
    open: 'with-tom',
    prepare: (app) => app.changes.begin({ kind: 'reply', message: messageOf(app, 'All 1 204') }),
    act: (frame) => fill(frame, 'textarea', 'The old machine is off'),
  }),
  emoji: page({
    world: changed(talking, (world) => {
      world.settings = {
        ...world.settings,
        'appearance.recentEmoji': '🎉 🚀 🐼 🍀 😂 🥳 👀 🤖 🔥'.split(' '),
      };
    }),
    open: 'with-tom',
    act: (frame) => click(frame, '.attach', -1),
  }),
  'emoji-by-name': page({
    open: 'with-tom',
    act: async (frame, { locale }) => {
      await emojiWords(locale).names();
      fill(frame, 'textarea', { en: 'Well done :hea', de: '', zh: '', ar: 'شكرا :قلب' }[locale.language]);
    },
  }),
  mention: page({ world: groups, open: 'with-trip', act: (frame) => fill(frame, 'textarea', 'Hello @') }),
  calendar: page({ open: 'with-tom', prepare: (app) => app.openCalendar() }),
  details: page({ world: presence, open: 'with-tom', prepare: (app) => app.toggleDetails() }),
  'details-group': page({ world: groups, open: 'with-trip', prepare: (app) => app.toggleDetails() }),
  'details-files': page({ world: files, open: 'with-tom', prepare: (app) => app.toggleDetails() }),
  'details-message': page({
    open: 'with-tom',
    prepare: (app) => app.showMessageDetails(messageOf(app, 'Did the new')),
  }),
  inspector: page({
    open: 'with-tom',
    prepare: (app) => app.toggleInspector(),
    act: (frame) => click(frame, '.ladder li button', 3),
  }),
  search: page({
    world: groups,
    open: 'with-tom',
    prepare: async (app) => {
      app.shell.showSide();
      app.search.focused = true;
      await app.search.query('an');
    },
  }),
  'search-help': page({
    prepare: (app) => app.search.begin(conversationOf(app, 'with-tom')),
  }),
  'settings-account': section('settings.accounts'),
  'settings-privacy': section('settings.privacy'),
  'settings-history': section('history.title'),
  'settings-network': section('settings.network'),
  help: page({ prepare: (app) => app.shell.showMain('help') }),
  reading: page({ world: reading, open: 'with-tom' }),
  'export-runs': page({
    world: changed(talking, {
      job: {
        kind: 'export',
        state: 'running',
        folder: '/home/bob/Parley 2026-11-29',
        conversations: 12,
        messages: 310_000,
        total: 912_000,
        files: 31,
        added: 0,
        failure: null,
      },
    }),
    open: 'with-tom',
  }),
  'link-lost': page({ open: 'with-tom', prepare: (app) => app.link.applyState('down') }),
};
