/** Owns: the states of the settings and of the forms about servers. Called by: catalogue.ts. */
import { CallError } from '../../../shared/ipc/error-codes.ts';
import { noUpdate, type Update } from '../../../shared/domain/update.ts';
import type { SettingKey } from '../../../shared/settings.ts';
import { createRawSnippet } from 'svelte';
import type { AppState } from '../../../renderer/state/app.svelte.ts';
import type { World } from '../../renderer/support/memory-backend.ts';
import { scenarios } from '../../renderer/support/scenarios.ts';
import { changed, click, fill, type Entries, type Specimen } from '../specimen.ts';

const { presence, talking, unreachable } = scenarios;
const nothing = (): void => undefined;
const values = (app: AppState): Record<string, unknown> => ({ values: app.settings.values });

/** As a policy decides it. */
function decided(...keys: SettingKey[]): () => World {
  return changed(talking, (world) => {
    world.policy = {
      rules: keys.map((key) => ({ key, locked: true, source: 'machine' })),
      faults: [],
    };
  });
}

function refused(key: SettingKey): Specimen {
  return {
    props: values,
    prepare: (app) =>
      (app.settings.problem = { key, error: new CallError('invalid-input', 'That does not work.') }),
  };
}

const server = changed(talking, {
  imServer: {
    running: true,
    domain: 'chat.home.arpa',
    sip: ['sip:192.0.2.10:5060;transport=tcp', 'sip:[2001:db8::10]:5060;transport=tcp'],
    users: [
      { user: 'bob', displayName: 'Bob', online: true },
      { user: 'tom', displayName: '', online: false },
    ],
  },
});

const backups = changed(talking, {
  history: {
    backups: [4, 3, 2].map((day) => ({
      name: `history-2026-11-0${day}.sqlite`,
      madeAtMs: Date.UTC(2026, 10, day, 3),
      bytes: day * 48_000_000,
    })),
    restoring: 'history-2026-11-02.sqlite',
    notice: null,
  },
});

const withPassphrase = { passphrase: true, keyring: true, required: false };
const lockOf = (status: World['lock'], more: Partial<Specimen> = {}): Specimen => ({
  world: changed(talking, { lock: status ?? withPassphrase }),
  props: (app) => ({ status: app.lock.status }),
  ...more,
});

const faulty = changed(talking, {
  policy: { rules: [], faults: ['The policy file /etc/parley/policy.json is not JSON.'] },
});

const account = (app: AppState): Record<string, unknown> => ({ account: app.accounts.current });
const diagnose = { accountId: 'bob' };

/** A newer version, as the window knows of it. */
function update(status: Partial<Update>): Specimen {
  return { world: changed(talking, { update: { ...noUpdate, ...status } }) };
}

export const settings: Entries = {
  'views/settings/SettingsView.svelte': {
    'all of it': { world: server, room: 'page' },
    'decided by a policy': {
      world: decided('appearance.theme', 'privacy.sendDisplayed', 'messages.encryption'),
      room: 'page',
    },
  },
  'views/settings/UpdateRow.svelte': {
    'nobody looks': {},
    ...Object.fromEntries(
      (['unknown', 'checking', 'current', 'available', 'downloading', 'ready'] as const).map((state) => [
        state,
        update({ state, version: '0.2.0', share: 0.42 }),
      ]),
    ),
    'not signed': update({ state: 'failed', failure: 'not-trusted' }),
    'a session is open': {
      ...update({ state: 'ready', version: '0.2.0' }),
      act: (frame) => click(frame, '.button'),
    },
  },
  'views/settings/AboutSettings.svelte': {
    plain: {},
    'a policy that cannot be read': { world: faulty },
  },
  'views/settings/AccountSettings.svelte': {
    'one account': {},
    'two accounts': { world: unreachable },
    'asks before it removes one': { act: (frame) => click(frame, '.button') },
  },
  'views/settings/AddUserForm.svelte': {
    empty: { world: server },
    'is there already': {
      world: server,
      act: (frame) => {
        fill(frame, 'input', 'tom', 0);
        fill(frame, 'input', 'a secret', 1);
        click(frame, 'button[type=submit]');
      },
    },
  },
  'views/settings/AppearanceSettings.svelte': {
    plain: { props: values },
    'decided by a policy': { world: decided('appearance.theme'), props: values },
    'was refused': refused('appearance.theme'),
  },
  'views/settings/ConnectionCheck.svelte': {
    'before it runs': { props: () => ({ input: () => diagnose }) },
    report: { props: () => ({ input: () => diagnose }), act: (frame) => click(frame, '.button') },
    'could not be made': {
      prepare: (_, { refusals }) =>
        refusals.set('account.diagnose', { code: 'internal', message: 'Something went wrong.' }),
      props: () => ({ input: () => diagnose }),
      act: (frame) => click(frame, '.button'),
    },
  },
  'views/settings/DrachtioForm.svelte': {
    'not described yet': { props: () => ({ engine: { kind: 'embedded' } }) },
    described: {
      props: () => ({ engine: { kind: 'drachtio', host: '192.0.2.30', port: 9022, secret: 'cymru' } }),
    },
  },
  'views/settings/ExportSettings.svelte': {
    plain: {},
    'one runs': {
      prepare: (app) => (app.historyJob.handingIn = { done: 1, total: 3 }),
    },
  },
  'views/settings/FileSettings.svelte': {
    plain: { props: values },
    'decided by a policy': { world: decided('files.autoAcceptBytes'), props: values },
  },
  'views/settings/HistorySettings.svelte': {
    'no backup': { props: values },
    'backups, one takes the place of the history': { world: backups, props: values },
    'asks before it restores one': {
      world: backups,
      props: values,
      act: (frame) => click(frame, '.button', 1),
    },
    'decided by a policy': { world: decided('history.keepDays', 'history.hold'), props: values },
  },
  'views/settings/LockSettings.svelte': {
    'no passphrase': lockOf({ passphrase: false, keyring: true, required: false }),
    'no passphrase, no keyring': lockOf({ passphrase: false, keyring: false, required: false }),
    'sets one': lockOf(
      { passphrase: false, keyring: true, required: false },
      { act: (frame) => click(frame, '.button') },
    ),
    'has one': lockOf(withPassphrase),
    'wanted by a policy': lockOf({ ...withPassphrase, required: true }),
    'changes it': lockOf(withPassphrase, { act: (frame) => click(frame, '.button', 0) }),
    'removes it': lockOf(withPassphrase, { act: (frame) => click(frame, '.button', 1) }),
    'a new recovery key': lockOf(withPassphrase, {
      prepare: (app) => (app.lock.recoveryKey = '3F7K-9QXM-2TVB-8HNC-5RWD-1GJZ-6PSE-4YAK-Q0MT'),
    }),
  },
  'views/settings/MessageWaySettings.svelte': {
    plain: { props: values },
    'decided by a policy': { world: decided('messages.encryption'), props: values },
  },
  'views/settings/NetworkSettings.svelte': {
    plain: { props: values },
    'a drachtio server': { props: values, act: (frame) => click(frame, 'input[type=radio]', 1) },
  },
  'views/settings/NotificationSettings.svelte': {
    'in a browser': { props: values },
    'on the desktop': {
      world: changed(talking, (world) => {
        world.info = { ...world.info, host: 'electron', hasFileDialogs: true };
      }),
      props: values,
    },
  },
  'views/settings/PeopleRules.svelte': {
    'nobody is blocked': { props: account },
    'some are blocked, some may see': { world: presence, props: account },
  },
  'views/settings/PresenceSettings.svelte': {
    plain: { world: presence, props: values },
    'decided by a policy': { world: decided('presence.visibleTo'), props: values },
  },
  'views/settings/PrivacySettings.svelte': {
    plain: { props: values },
    'people are blocked': { world: presence, props: values },
  },
  'views/settings/ServerSettings.svelte': {
    'does not run': {},
    runs: { world: server },
    'could not be started': {
      prepare: (_, { refusals }) =>
        refusals.set('imserver.start', {
          code: 'port-in-use',
          message: 'Port 5060 is in use by another program. Choose another port.',
        }),
      act: (frame) => click(frame, '.button'),
    },
  },
  'views/settings/SettingProblem.svelte': {
    'was refused': { ...refused('appearance.theme'), props: () => ({ keys: ['appearance.theme'] }) },
    'of another setting': { ...refused('history.hold'), props: () => ({ keys: ['appearance.theme'] }) },
  },
  'views/settings/SettingRow.svelte': {
    plain: { props: () => settingRow },
    'decided by a policy': { world: decided('appearance.theme'), props: () => settingRow },
  },
  'views/server/MediaChoice.svelte': {
    'as the settings say': { props: () => ({ mediaPath: 'settings', relays: [], change: nothing }) },
    'over relays': {
      props: () => ({ mediaPath: 'relay', relays: ['msrps://relay.example.org:2855'], change: nothing }),
    },
  },
  'views/server/ServerPlace.svelte': {
    closed: { props: () => ({ problem: null }) },
    'the port is in use': { props: () => ({ problem: new CallError('port-in-use', 'In use.') }) },
  },
};

const settingRow = {
  key: 'appearance.theme',
  label: 'Theme',
  children: createRawSnippet(() => ({ render: () => '<button class="button">Change</button>' })),
};
