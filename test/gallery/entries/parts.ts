/** Owns: the states of the leaf parts, renderer/components. Called by: catalogue.ts. */
import { createRawSnippet, type Snippet } from 'svelte';
import { icons } from '../../../renderer/components/icons.ts';
import { PageSections } from '../../../renderer/components/page-sections.svelte.ts';
import { click, fill, type Entries } from '../specimen.ts';

const nothing = (): void => undefined;

function html(text: string): Snippet {
  return createRawSnippet(() => ({ render: () => text }));
}

const tom = { name: 'Tom Weber', address: 'tom@chat.home.arpa' };
const people = [
  tom,
  { name: 'Ana Sørensen', address: 'ana@chat.home.arpa' },
  { name: '李小龙', address: 'lixiaolong@chat.home.arpa' },
  { name: 'مها الأحمد', address: 'maha@chat.home.arpa' },
  { name: 'bob@chat.home.arpa', address: 'bob@chat.home.arpa' },
];

/** As a page with these sections has them. */
function sectionsOf(titles: readonly string[], current: number): PageSections {
  const sections = new PageSections();
  const page = document.createElement('div');
  for (const title of titles) {
    const element = page.appendChild(document.createElement('section'));
    sections.add({ id: title, title: () => title, element });
  }
  sections.currentId = titles[current] ?? '';
  return sections;
}

const languages = {
  label: 'Theme',
  options: [
    { value: 'system', text: 'As the system' },
    { value: 'light', text: 'Light' },
    { value: 'dark', text: 'Dark' },
  ],
  change: nothing,
};

const menu = {
  label: 'More',
  x: 16,
  y: 16,
  close: nothing,
  items: [
    { icon: 'reply', text: 'Reply', run: nothing },
    { icon: 'copy', text: 'Copy', run: nothing },
    { icon: 'trash', text: 'Delete', ask: 'Delete it for good?', run: nothing },
  ],
};

const newPassphrase = {
  label: 'New passphrase',
  repeat: 'Once more',
  differs: 'The two are not the same.',
  hint: 'At least 8 characters.',
  value: '',
};

export const parts: Entries = {
  'components/Avatar.svelte': {
    'two letters, one letter, an address': { props: () => people },
    small: { props: () => people.map((person) => ({ ...person, size: 'small' })) },
    'of groups': { props: () => people.map((group) => ({ ...group, kind: 'group' })) },
    'of groups, small': { props: () => people.map((group) => ({ ...group, kind: 'group', size: 'small' })) },
  },
  'components/PersonAvatar.svelte': {
    'there, away, not known': {
      props: () => [{ ...tom, show: 'available' }, { ...tom, show: 'away', size: 'small' }, { ...tom }],
    },
  },
  'components/DropHint.svelte': {
    plain: { props: () => ({ icon: 'eye', text: 'Drop it to read it' }), room: 'page' },
    'with a hint': {
      props: () => ({ icon: 'paperclip', text: 'Drop files to send them', hint: 'An archive is opened.' }),
      room: 'page',
    },
  },
  'components/CopyButton.svelte': {
    'at rest': { props: () => ({ text: 'text', label: 'Copy', done: 'Copied' }) },
    copied: {
      props: () => ({ text: 'text', label: 'Copy', done: 'Copied' }),
      act: (frame) => click(frame, 'button'),
    },
  },
  'components/Field.svelte': {
    empty: { props: () => ({ label: 'Address', value: '', placeholder: 'name@example.org' }) },
    'with a hint': { props: () => ({ label: 'Name', value: 'Tom', hint: 'As others see you.' }) },
    'written from right to left': { props: () => ({ label: 'Name', value: 'مها الأحمد' }) },
    'cannot be used': { props: () => ({ label: 'Name', value: 'Tom', disabled: true }) },
    password: { props: () => ({ label: 'Password', value: 'secret', type: 'password' }) },
  },
  'components/Icon.svelte': {
    all: { props: () => Object.keys(icons).map((name) => ({ name })) },
    'small ones': { props: () => Object.keys(icons).map((name) => ({ name, class: 'small' })) },
  },
  'components/Marked.svelte': {
    'a match': { props: () => ({ parts: ['Thanks, that ', 'fixed', ' it'] }) },
    'nothing matches': { props: () => ({ parts: ['Thanks'] }) },
  },
  'components/Menu.svelte': {
    open: { props: () => menu },
    'asks before it deletes': { props: () => menu, act: (frame) => click(frame, '[role=menuitem]', -1) },
    'something above the lines': {
      props: () => ({ ...menu, above: html('<p style="padding: 8px 12px">👍 ❤️ 😂</p>') }),
    },
    'something instead of the lines': {
      props: () => ({ ...menu, instead: html('<p style="padding: 8px 12px">A choice</p>') }),
    },
  },
  'components/NewPassphrase.svelte': {
    empty: { props: () => newPassphrase },
    'the two differ': {
      props: () => newPassphrase,
      act: (frame) => {
        fill(frame, 'input', 'correct horse', 0);
        fill(frame, 'input', 'correct house', 1);
      },
    },
  },
  'components/NoticeBar.svelte': {
    short: { props: () => ({ icon: 'unplug', children: html('<span>The connection is lost.</span>') }) },
    long: {
      props: () => ({
        icon: 'circle-alert',
        children: html(`<span>${'The history was damaged and has been read anew. '.repeat(5)}</span>`),
      }),
    },
  },
  'components/PresenceDot.svelte': {
    'available, away, not to be disturbed, offline': {
      props: () => ['available', 'away', 'dnd', 'offline'].map((show) => ({ show })),
    },
  },
  'components/Problem.svelte': {
    short: { props: () => ({ text: 'The password is not right.' }) },
    long: {
      props: () => ({ text: 'The server cannot be reached. Check its name, then try again. '.repeat(4) }),
    },
  },
  'components/Row.svelte': {
    plain: { props: () => ({ label: 'Theme', children: html('<button class="button">Change</button>') }) },
    'with a hint': {
      props: () => ({
        label: 'Read receipts',
        hint: 'Others see when you have read their messages.',
        children: html('<button class="button">Change</button>'),
      }),
    },
    'decided by a policy': {
      props: () => ({
        label: 'Read receipts',
        locked: 'Managed by your organisation',
        children: html('<button class="button">Change</button>'),
      }),
    },
  },
  'components/Section.svelte': {
    'two rows': {
      props: () => ({
        title: 'Appearance',
        children: html('<div><p style="padding: 16px">One</p><p style="padding: 16px">Two</p></div>'),
      }),
    },
  },
  'components/SectionList.svelte': {
    'one is read': {
      props: () => ({
        label: 'Sections',
        sections: sectionsOf(['Accounts', 'Appearance', 'Mitteilungen und Benachrichtigungen', 'About'], 1),
      }),
    },
  },
  'components/Segments.svelte': {
    'first chosen': { props: () => ({ ...languages, value: 'system' }) },
    'last chosen': { props: () => ({ ...languages, value: 'dark' }) },
  },
  'components/StateGlyph.svelte': {
    'queued, waiting, sent, delivered, displayed, failed': {
      props: () =>
        ['queued', 'waiting', 'sent', 'delivered', 'displayed', 'failed'].map((state) => ({
          state,
          text: state,
        })),
    },
  },
  'components/Toggle.svelte': {
    'off and on': {
      props: () => [
        { id: 'off', checked: false, change: nothing },
        { id: 'on', checked: true, change: nothing },
      ],
    },
  },
};
