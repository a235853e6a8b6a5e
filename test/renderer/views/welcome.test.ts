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

  it('signs in to a server', async () => {
    await enter('Sign in');
    fill(view, 'Address', 'bob@example.com');
    fill(view, 'Password', 'secret');
    await submit();
    expect(made('account.add')).toEqual([
      {
        call: 'account.add',
        input: { address: 'bob@example.com', password: 'secret', displayName: '', server: '' },
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
