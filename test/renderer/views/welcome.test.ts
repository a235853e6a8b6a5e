import { beforeEach, describe, expect, it } from 'vitest';
import Welcome from '../../../renderer/views/welcome/Welcome.svelte';
import { emptyWorld } from '../support/scenarios.ts';
import { buttonNamed, fill, openWindow, settle, show, type TestWindow } from '../support/window.ts';

let window: TestWindow;
let view: HTMLElement;

async function submit(): Promise<void> {
  view.querySelector('form')!.requestSubmit();
  await settle();
}

function made(...names: string[]): unknown[] {
  return window.backend.calls.filter(({ call }) => names.includes(call));
}

beforeEach(async () => {
  window = await openWindow(emptyWorld());
  view = show(window.app, Welcome);
});

async function enter(door: string): Promise<void> {
  buttonNamed(view, door).click();
  await settle();
}

describe('Welcome', () => {
  it('has three doors', () => {
    expect([...view.querySelectorAll('.door strong')].map(({ textContent }) => textContent)).toEqual([
      'Sign in to a server',
      'Start a server on this computer',
      'Try it',
    ]);
  });

  it.each([
    ['Sign in', 'Address'],
    ['Start a server', 'User name'],
  ])('the keys begin in the first field behind the door %s', async (door, label) => {
    await enter(door);
    const field = document.activeElement as HTMLInputElement;
    expect(field.labels?.[0]?.textContent).toContain(label);
  });

  it('signs in to a server', async () => {
    await enter('Sign in');
    fill(view, 'Address', 'bob@example.com');
    fill(view, 'Password', 'secret');
    await submit();
    expect(made('account.add')).toEqual([
      {
        call: 'account.add',
        input: {
          address: 'bob@example.com',
          password: 'secret',
          displayName: '',
          server: '',
          transport: 'auto',
          proxies: [],
        },
      },
    ]);
    expect(window.app.shell.welcome).toBe(false);
    expect(window.app.accounts.current?.address).toBe('bob@example.com');
  });

  it('stays and says why when the server refuses', async () => {
    window.backend.refusals.set('account.add', { code: 'wrong-password', message: 'Wrong password.' });
    await enter('Sign in');
    fill(view, 'Address', 'bob@example.com');
    fill(view, 'Password', 'wrong');
    await submit();
    expect(view.querySelector('[role="alert"]')?.textContent).toContain('Wrong password.');
    expect(window.app.shell.welcome).toBe(true);
  });

  const refused = {
    status: 'refused',
    code: 'wrong-password',
    reason: 'The password for bob@example.com is not right. Sign in again with the right one.',
  } as const;

  it('keeps no account that its server does not let in, and all that was typed', async () => {
    window.backend.signIn = refused;
    await enter('Sign in');
    fill(view, 'Address', 'bob@example.com');
    fill(view, 'Password', 'wrong');
    await submit();
    expect(view.querySelector('[role="alert"]')?.textContent).toContain(refused.reason);
    expect(window.backend.world.accounts).toEqual([]);
    window.backend.signIn = { status: 'online' };
    fill(view, 'Password', 'right');
    await submit();
    expect(window.app.shell.welcome).toBe(false);
    expect(window.app.accounts.current?.connection).toEqual({ status: 'online' });
  });

  it('waits for the first answer of the server, and takes the account back when the user leaves before', async () => {
    window.backend.signIn = { status: 'connecting' };
    await enter('Sign in');
    fill(view, 'Address', 'bob@example.com');
    fill(view, 'Password', 'secret');
    await submit();
    expect(buttonNamed(view, 'Signing you in').disabled).toBe(true);
    buttonNamed(view, 'Back').click();
    await settle();
    expect(made('account.remove')).toHaveLength(1);
    expect(window.backend.world.accounts).toEqual([]);
  });

  it('says that no server is there', async () => {
    window.backend.signIn = { status: 'connecting', code: 'unreachable', reason: 'Trying again.' };
    await enter('Sign in');
    fill(view, 'Address', 'bob@example.com');
    fill(view, 'Password', 'secret');
    await submit();
    expect(view.querySelector('[role="alert"]')?.textContent).toContain('The server cannot be reached.');
    expect(window.backend.world.accounts).toEqual([]);
  });

  it('does not start a server for two people with one name', async () => {
    await enter('Start a server');
    fill(view, 'User name', 'bob', 0);
    fill(view, 'User name', 'bob', 1);
    await settle();
    expect(view.querySelector('[role="alert"]')?.textContent).toContain('different user names');
    expect(buttonNamed(view, 'Start server').disabled).toBe(true);
  });

  async function fillPeople(): Promise<void> {
    await enter('Start a server');
    for (const [nth, user] of ['bob', 'tom'].entries()) {
      fill(view, 'User name', user, nth);
      fill(view, 'Password', `${user}'s secret`, nth);
    }
    fill(view, 'Name', 'Tom Weber', 1);
  }

  it('starts a server for two people and shows what to give to the other', async () => {
    await fillPeople();
    await submit();
    expect(made('imserver.start', 'imserver.addUser', 'account.add')).toEqual([
      { call: 'imserver.start', input: { host: '0.0.0.0', port: 5060 } },
      { call: 'imserver.addUser', input: { user: 'bob', password: "bob's secret", displayName: '' } },
      {
        call: 'imserver.addUser',
        input: { user: 'tom', password: "tom's secret", displayName: 'Tom Weber' },
      },
      {
        call: 'account.add',
        input: {
          address: 'bob@chat.home.arpa',
          password: "bob's secret",
          displayName: '',
          server: 'sip:192.0.2.10:5060;transport=tcp',
        },
      },
    ]);
    expect([...view.querySelectorAll('dd')].map(({ textContent }) => textContent)).toEqual([
      'tom@chat.home.arpa',
      "tom's secret",
      '192.0.2.10:5060',
    ]);
    expect(window.app.shell.welcome).toBe(true);
    buttonNamed(view, 'Continue').click();
    expect(window.app.shell.welcome).toBe(false);
    expect(window.app.conversations.sorted.map(({ peerName }) => peerName)).toEqual(['Tom Weber']);
  });

  it('does not add the same people twice when a later step has to be repeated', async () => {
    await fillPeople();
    window.backend.refusals.set('account.add', { code: 'server-unreachable', message: 'No answer.' });
    await submit();
    expect(view.querySelector('[role="alert"]')?.textContent).toContain('No answer.');
    window.backend.refusals.clear();
    await submit();
    expect(made('imserver.addUser')).toHaveLength(2);
    expect(view.querySelectorAll('dd')).toHaveLength(3);
  });

  it('says that the port is taken', async () => {
    window.backend.refusals.set('imserver.start', { code: 'port-in-use', message: 'Port 5060 is taken.' });
    await fillPeople();
    await submit();
    expect(view.querySelector('[role="alert"]')?.textContent).toContain('Port 5060 is taken.');
    expect(made('imserver.addUser')).toEqual([]);
  });

  it('opens the demo workspace', async () => {
    await enter('Try it');
    expect(made('demo.start')).toHaveLength(1);
    expect(window.app.shell.welcome).toBe(false);
    expect(window.app.accounts.current?.kind).toBe('demo');
  });
});
