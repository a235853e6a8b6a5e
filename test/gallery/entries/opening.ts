/** Owns: the states of what stands before a conversation: opening, welcome, windows that only read. Called by: catalogue.ts. */
import { openingFailures, openingTasks, type Opening } from '../../../shared/domain/opening.ts';
import type { Reading } from '../../../shared/domain/reading.ts';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import { ServerSetup } from '../../../renderer/state/server-setup.svelte.ts';
import type { AppState } from '../../../renderer/state/app.svelte.ts';
import { scenarios } from '../../renderer/support/scenarios.ts';
import { changed, click, dragFiles, fill, type Entries, type Entry, type Specimen } from '../specimen.ts';

const { empty, locked, reading, talking } = scenarios;
const nothing = (): void => undefined;
const page = { room: 'page' } as const;
const recoveryKey = '3F7K-9QXM-2TVB-8HNC-5RWD-1GJZ-6PSE-4YAK-Q0MT';

type Locked = Extract<Opening, { state: 'locked' }>;
const profile: Locked = { state: 'locked', what: 'profile', name: null, failures: 0, againAtMs: null };
const archive: Locked = { ...profile, what: 'archive', name: 'Parley 2026-05-31 1204.parley' };

function opening(state: Opening): Specimen {
  return { ...page, world: changed(talking, { opening: state }) };
}

function unlock(status: Locked, more: Partial<Specimen> = {}): Specimen {
  return { world: changed(locked, { opening: status }), props: () => ({ status }), ...more };
}

const tasks: Entry = Object.fromEntries(
  openingTasks.map((task) => [task, opening({ state: 'working', task, done: 310_000, total: 912_000 })]),
);
const failures: Entry = Object.fromEntries(
  openingFailures.map((code) => [
    `failed: ${code}`,
    opening({
      state: 'failed',
      code,
      name: 'history.sqlite',
      message: 'Nothing was changed. Look at the disk.',
    }),
  ]),
);

const demanded = changed(talking, { lock: { passphrase: false, keyring: true, required: true } });

function check(change: Partial<Reading['check']>, more: Partial<Reading> = {}): Partial<Specimen> {
  const base = reading().reading!;
  const changedReading: Reading = { ...base, ...more, check: { ...base.check, ...change } };
  return { world: changed(reading, { reading: changedReading }), props: () => ({ reading: changedReading }) };
}

const broken: Partial<Reading['check']> = {
  state: 'broken',
  problems: ['Message 12 has another hash.', 'Message 40 is missing.'],
};

function setup(app: AppState, change: (setup: ServerSetup) => void = nothing): ServerSetup {
  const made = new ServerSetup(app.imServer, app.accounts, app.contacts, app.conversations);
  change(made);
  return made;
}

const invitation = {
  name: 'Tom',
  address: 'tom@chat.home.arpa',
  password: 'correct horse',
  servers: ['192.0.2.10', '192.0.2.10:5061'],
};

const noDemo: Specimen['prepare'] = (_, { refusals }) =>
  refusals.set('demo.start', { code: 'port-in-use', message: 'No port is free.' });

const asEmpty = (more: Partial<Specimen> = {}): Specimen => ({ world: empty, ...page, ...more });

export const before: Entries = {
  'views/opening/OpeningView.svelte': {
    'starts again': { ...page, prepare: (app) => (app.restarting = true) },
    starting: opening({ state: 'working', task: null, done: 0, total: null }),
    ...tasks,
    'of unknown length': opening({ state: 'working', task: 'recovering', done: 10, total: null }),
    locked: opening(profile),
    ...failures,
  },
  'views/opening/Unlock.svelte': {
    'the passphrase': unlock(profile),
    'was wrong': unlock({ ...profile, failures: 1 }),
    'was wrong too often': unlock({ ...profile, failures: 3, againAtMs: Date.now() + 60_000_000 }),
    'the recovery key': unlock(profile, { act: (frame) => click(frame, '.link-button') }),
    'an archive': unlock(archive),
    'an archive, was wrong': unlock({ ...archive, failures: 1 }),
    'could not be tried': unlock(profile, {
      prepare: (app) => (app.opening.problem = new CallError('internal', 'The disk cannot be read.')),
    }),
  },
  'views/opening/PassphraseDemand.svelte': {
    empty: { ...page, world: demanded },
    'was refused': {
      ...page,
      world: demanded,
      prepare: (app) => (app.lock.problem = new CallError('disk-full', 'The disk is full.')),
    },
  },
  'views/opening/RecoveryCard.svelte': { 'a key': { props: () => ({ recoveryKey }) } },
  'views/reading/ReadingBar.svelte': {
    checking: { ...check({ state: 'checking', done: 12_000 }) },
    whole: { ...check({ state: 'whole' }) },
    'sound, nothing to compare with': { ...check({ state: 'sound' }, { kind: 'history', madeAtMs: null }) },
    broken: { ...check(broken) },
    'what is broken': { ...check(broken), act: (frame) => click(frame, '.button') },
  },
  'views/reading/ReadingHead.svelte': {
    closed: { world: reading },
    'exports it': { world: reading, act: (frame) => click(frame, '.icon-button') },
  },
  'views/reading/ReadingDrop.svelte': {
    'files over the window': { ...page, act: dragFiles },
    opening: { prepare: (app) => (app.reading.opening = { name: 'trip.parley', url: null }) },
    'opened elsewhere': {
      prepare: (app) => (app.reading.opening = { name: 'trip.parley', url: 'http://127.0.0.1/' }),
    },
    'not a history': { prepare: (app) => (app.reading.problem = app.locale.t('reading.noHistory')) },
  },
  'views/welcome/Welcome.svelte': {
    'three doors': asEmpty(),
    'signs in': asEmpty({ act: (frame) => click(frame, '.door', 0) }),
    'starts a server': asEmpty({ act: (frame) => click(frame, '.door', 1) }),
    'a further account': { ...page },
  },
  'views/welcome/Doors.svelte': {
    three: { world: empty, props: () => ({ signIn: nothing, startServer: nothing }) },
    'the demo cannot be had': {
      world: empty,
      props: () => ({ signIn: nothing, startServer: nothing }),
      prepare: noDemo,
      act: (frame) => click(frame, '.door', 2),
    },
  },
  'views/welcome/SignInForm.svelte': {
    empty: { world: empty },
    'more of it': {
      world: empty,
      act: (frame) => {
        click(frame, 'summary');
        frame.querySelector('details')!.open = true;
      },
    },
    'the password is wrong': {
      world: empty,
      prepare: (_, backend) => {
        backend.signIn = { status: 'refused', code: 'wrong-password', reason: 'The password is not right.' };
      },
      act: (frame) => {
        fill(frame, 'input', 'bob@example.org', 0);
        fill(frame, 'input', 'a secret', 1);
        click(frame, '.primary');
      },
    },
  },
  'views/welcome/ServerForm.svelte': {
    empty: { world: empty, props: (app) => ({ setup: setup(app) }) },
    'the same name twice': {
      world: empty,
      props: (app) => ({ setup: setup(app) }),
      act: (frame) => {
        fill(frame, 'input', 'bob', 0);
        fill(frame, 'input', 'bob', 3);
      },
    },
    'the port is in use': {
      world: empty,
      props: (app) => ({
        setup: setup(app, (one) => {
          one.problem = new CallError('port-in-use', 'Port 5060 is in use by another program.');
        }),
      }),
    },
    'starts it': {
      world: empty,
      props: (app) => ({
        setup: setup(app, (one) => {
          one.step = 'starting';
        }),
      }),
    },
  },
  'views/welcome/InvitationCard.svelte': {
    'what the other needs': { world: empty, props: () => ({ invitation, leave: nothing }) },
  },
};
