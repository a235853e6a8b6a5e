/**
 * Owns: the states of what stands beside a thread: details, groups, people, the inspector. Called by: catalogue.ts.
 */
import type { Ladder } from '../../../shared/domain/ladder.ts';
import type { Session } from '../../../shared/domain/conversation.ts';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import type { AppState } from '../../../renderer/state/app.svelte.ts';
import { scenarios } from '../../renderer/support/scenarios.ts';
import {
  changed,
  click,
  conversationOf,
  messageOf,
  type Entries,
  type Entry,
  type Specimen,
} from '../specimen.ts';

const { changes, files, groups, presence, reading, talking } = scenarios;
const nothing = (): void => undefined;
const withTom = { open: 'with-tom' } as const;
const inGroup = { world: groups, open: 'with-trip' } as const;
const inFiles = { world: files, open: 'with-tom' } as const;

function conversation(app: AppState): Record<string, unknown> {
  return { conversation: conversationOf(app, app.conversations.openId ?? '') };
}

function group(app: AppState): Record<string, unknown> {
  const { id } = conversationOf(app, 'with-trip');
  return { ...conversation(app), group: app.groups.get(id) };
}

function details(around: Pick<Specimen, 'world' | 'open'>, more: Partial<Specimen> = {}): Specimen {
  return {
    ...around,
    room: 'column',
    prepare: (app) => app.toggleDetails(),
    props: conversation,
    ...more,
  };
}

const unlike = changed(groups, (world) => {
  world.groups = world.groups!.map((each) => ({
    ...each,
    isOpen: true,
    members: each.members.map((member) => ({ ...member, role: 'member' })),
  }));
});

const marked = changed(talking, (world) => {
  const tom = world.conversations[0]!.id;
  world.marks = { [tom]: { pinned: true, muted: true, archived: false } };
});

const sharedFiles = changed(files, (world) => {
  world.messages = world.messages.map((message, nth) =>
    nth % 3 === 1 && message.file !== undefined
      ? { ...message, file: { ...message.file, type: 'image/png', name: `picture ${nth}.png` } }
      : message,
  );
  const last = world.messages.at(-1)!;
  world.messages.push({
    ...last,
    id: 'link' as typeof last.id,
    position: last.position + 1,
    text: 'It is all at https://example.org/plans',
  });
});

function ladderProps(change: Record<string, unknown> = {}): (app: AppState) => Record<string, unknown> {
  return (app) => ({ ladder: app.inspector.ladder, filter: '', chosen: null, choose: nothing, ...change });
}

const inspector: Partial<Specimen> = { ...withTom, prepare: (app: AppState) => app.toggleInspector() };
const column: Partial<Specimen> = { ...inspector, room: 'column' };

function rowOf(place: number, chosen = false): (app: AppState) => Record<string, unknown> {
  return (app) => {
    const { names, entries } = app.inspector.ladder!;
    return { entry: entries[place], names, chosen, choose: nothing };
  };
}

const emptyLadder: Ladder = { names: { bob: 'Bob', server: 'IM Server', tom: 'Tom' }, entries: [] };

const summaries: Entry = Object.fromEntries(
  (['inviting', 'open', 'ended'] as const).map((state) => [
    state,
    {
      ...inspector,
      props: (app: AppState) => ({
        session: { ...(app.sessions.latest(conversationOf(app, 'with-tom').id) as Session), state },
        ladder: app.inspector.ladder,
      }),
    },
  ]),
);

export const people: Entries = {
  'views/details/DetailsPane.svelte': {
    'a person': details(withTom),
    'a person that is there': details({ world: presence, open: 'with-tom' }),
    'files and pictures': details({ world: sharedFiles, open: 'with-tom' }),
    'a group': details(inGroup),
    'one message': details(withTom, {
      prepare: (app) => app.showMessageDetails(messageOf(app, 'Did the new')),
    }),
    'only to be read': details({ world: reading, open: 'with-tom' }),
  },
  'views/details/ExportForm.svelte': {
    'as pages': { props: () => ({ label: 'Export this conversation' }) },
    'as an archive': {
      props: () => ({ label: 'Export this conversation' }),
      act: (frame) => click(frame, 'input[type=radio]', 1),
    },
    'as an archive with a passphrase': {
      props: () => ({ label: 'Export this conversation' }),
      act: (frame) => {
        click(frame, 'input[type=radio]', 1);
        click(frame, '[role=switch]');
      },
    },
    'what was found': { props: () => ({ label: 'Export', search: 'budget' }) },
  },
  'views/details/Figures.svelte': {
    'with files': {
      props: () => ({
        figures: {
          incoming: 1_204_311,
          outgoing: 310_200,
          firstSentAtMs: Date.UTC(2019, 3, 1),
          lastSentAtMs: Date.UTC(2026, 10, 29),
          files: 1_204,
          fileBytes: 12_400_000_000,
        },
      }),
    },
    'nothing yet': {
      props: () => ({
        figures: {
          incoming: 0,
          outgoing: 0,
          firstSentAtMs: null,
          lastSentAtMs: null,
          files: 0,
          fileBytes: 0,
        },
      }),
    },
  },
  'views/details/KeepForm.svelte': {
    'as the settings say': { ...withTom, props: conversation },
    'a number of days of its own': {
      ...withTom,
      props: conversation,
      prepare: (app) => (app.details.keepMs = 90 * 86_400_000),
    },
    'asks before it deletes': {
      ...withTom,
      props: conversation,
      act: (frame) => click(frame, '.button'),
    },
    'was refused': {
      ...withTom,
      props: conversation,
      prepare: (app) =>
        (app.details.refusal = new CallError('not-allowed', 'A legal hold keeps every message.')),
    },
  },
  'views/details/MarksForm.svelte': {
    'no marks': { ...withTom, props: conversation },
    'pinned and muted': { ...withTom, world: marked, props: conversation },
  },
  'views/details/MessageFacts.svelte': {
    sent: {
      ...withTom,
      prepare: (app) => app.showMessageDetails(messageOf(app, 'Did the new')),
      props: (app) => ({ message: messageOf(app, 'Did the new'), name: 'Tom Weber' }),
    },
    'in a group': {
      ...inGroup,
      prepare: (app) => app.showMessageDetails(messageOf(app, 'I know a house')),
      props: (app) => ({ message: messageOf(app, 'I know a house'), name: 'Sea trip' }),
    },
  },
  'views/details/Shared.svelte': {
    pictures: details({ world: sharedFiles, open: 'with-tom' }),
    files: details(inFiles, {
      prepare: (app) => {
        app.toggleDetails();
        app.details.choose('file');
      },
    }),
    links: details(
      { world: sharedFiles, open: 'with-tom' },
      {
        prepare: (app) => {
          app.toggleDetails();
          app.details.choose('link');
        },
      },
    ),
    'none of them': details(withTom),
  },
  'views/details/SharedItem.svelte': {
    'a file': {
      ...inFiles,
      prepare: (app) => (app.details.trait = 'file'),
      props: (app) => ({ ...conversation(app), message: messageOf(app, 'Floor plan') }),
    },
    'a picture that is not here': {
      ...inFiles,
      prepare: (app) => (app.details.trait = 'image'),
      props: (app) => ({ ...conversation(app), message: messageOf(app, 'sunset') }),
    },
    'a link': {
      world: sharedFiles,
      open: 'with-tom',
      prepare: (app) => (app.details.trait = 'link'),
      props: (app) => ({ ...conversation(app), message: messageOf(app, 'It is all') }),
    },
  },
  'views/groups/GroupSection.svelte': {
    'an owner': { ...inGroup, props: group },
    'a member of an open group': { world: unlike, open: 'with-trip', props: group },
    'what can be done with a member': {
      ...inGroup,
      props: group,
      act: (frame) => click(frame, 'button.member'),
    },
    'adds people': { ...inGroup, props: group, act: (frame) => click(frame, '.buttons .button', 0) },
    'another name': { ...inGroup, props: group, act: (frame) => click(frame, '.buttons .button', 1) },
    'a nickname': { ...inGroup, props: group, act: (frame) => click(frame, '.buttons .button', 2) },
    'asks before one leaves': {
      ...inGroup,
      props: group,
      act: (frame) => click(frame, '.buttons .button', 3),
    },
  },
  'views/groups/MemberRow.svelte': {
    'here, away, invited, oneself': {
      ...inGroup,
      props: (app) =>
        (app.groups.get(conversationOf(app, 'with-trip').id)?.members ?? []).map((member, nth) => ({
          member,
          isUs: nth === 0,
          actions: [],
          seen: nth === 1 ? { show: 'available', note: '' } : undefined,
        })),
    },
    'with actions': {
      ...inGroup,
      props: (app) => ({
        member: app.groups.get(conversationOf(app, 'with-trip').id)?.members[1],
        isUs: false,
        actions: [{ text: 'Write privately', run: nothing }],
        seen: { show: 'away', note: '' },
      }),
      act: (frame) => click(frame, 'button.member'),
    },
  },
  'views/groups/NewGroup.svelte': {
    empty: { ...inGroup, props: (app) => ({ account: app.accounts.current, people: [] }) },
    'with somebody, open to all': {
      ...inGroup,
      props: (app) => ({ account: app.accounts.current, people: ['tom@chat.home.arpa'] }),
      act: (frame) => click(frame, '.choice input'),
    },
  },
  'views/groups/JoinGroup.svelte': {
    empty: { ...inGroup, props: (app) => ({ account: app.accounts.current }) },
  },
  'views/groups/PeoplePicker.svelte': {
    'nobody chosen': { ...inGroup, props: (app) => ({ account: app.accounts.current, chosen: [] }) },
    'two chosen, one of them a stranger': {
      ...inGroup,
      props: (app) => ({
        account: app.accounts.current,
        chosen: ['tom@chat.home.arpa', 'noor@chat.home.arpa'],
      }),
    },
  },
  'views/people/BlockedBar.svelte': {
    blocked: { world: presence, open: 'with-maria', props: conversation },
  },
  'views/people/OwnPresence.svelte': {
    available: { world: presence, props: (app) => ({ values: app.settings.values }) },
    'not to be disturbed, with a note': {
      world: changed(presence, (world) => {
        world.settings = { ...world.settings, 'presence.choice': 'dnd', 'presence.note': 'In a meeting' };
      }),
      prepare: (app) =>
        app.settings.applySettingsChanged({
          ...app.settings.values,
          'presence.choice': 'dnd',
          'presence.note': 'In a meeting',
        }),
      props: (app) => ({ values: app.settings.values }),
    },
    'a server without presence': { props: (app) => ({ values: app.settings.values }) },
  },
  'views/people/PersonName.svelte': {
    'as it is': { world: presence, open: 'with-tom', props: conversation },
    changing: {
      world: presence,
      open: 'with-tom',
      props: conversation,
      act: (frame) => click(frame, '.button'),
    },
    'not saved': {
      world: presence,
      open: 'with-tom',
      props: conversation,
      prepare: (_app, { refusals }) =>
        refusals.set('contact.add', { code: 'internal', message: 'The disk cannot be written.' }),
      act: (frame) => {
        click(frame, '.button');
        click(frame, '.button.primary');
      },
    },
  },
  'views/people/PersonRules.svelte': {
    'not blocked': { world: presence, open: 'with-tom', props: conversation },
    blocked: { world: presence, open: 'with-maria', props: conversation },
  },
  'views/people/PresenceAsks.svelte': {
    'more than are shown': { world: presence, props: (app) => ({ accountId: app.accounts.current?.id }) },
    'all of them': {
      world: presence,
      props: (app) => ({ accountId: app.accounts.current?.id }),
      act: (frame) => click(frame, '.link-button'),
    },
  },
  'views/inspector/Inspector.svelte': {
    'nothing chosen': { ...column },
    'a message chosen': { ...column, act: (frame) => click(frame, 'ol button', 2) },
    'no session': {
      world: changed(changes, { sessions: [] }),
      open: 'with-tom',
      room: 'column',
      prepare: (app) => app.toggleInspector(),
    },
    'could not be read': {
      ...column,
      prepare: (app, { refusals }) => {
        refusals.set('session.ladder', { code: 'internal', message: 'The disk cannot be read.' });
        app.toggleInspector();
      },
    },
  },
  'views/inspector/InspectorFiles.svelte': {
    'no filter': { ...inspector },
    'with texts and credentials': { ...inspector, act: (frame) => click(frame, '.whole input') },
    'a filter': { ...inspector, prepare: (app) => (app.inspector.filter = 'INVITE') },
  },
  'views/inspector/InspectorSummary.svelte': summaries,
  'views/inspector/LadderRow.svelte': {
    'a SIP request': { ...inspector, props: rowOf(0) },
    'an MSRP request over both spans': { ...inspector, props: rowOf(3) },
    'not a step of the flow': { ...inspector, props: rowOf(1) },
    chosen: { ...inspector, props: rowOf(6, true) },
  },
  'views/inspector/LadderView.svelte': {
    'the whole flow': { ...inspector, props: ladderProps({ chosen: 3 }) },
    'only some': { ...inspector, props: ladderProps({ filter: 'invite' }) },
    'nothing fits': { ...inspector, props: ladderProps({ filter: 'nothing has this' }) },
    'nothing yet': { ...inspector, props: ladderProps({ ladder: emptyLadder }) },
  },
};
