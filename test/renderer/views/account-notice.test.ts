import { describe, expect, it } from 'vitest';
import AccountBar from '../../../renderer/views/shell/AccountBar.svelte';
import AccountNotice from '../../../renderer/views/shell/AccountNotice.svelte';
import type { Account } from '../../../shared/domain/account.ts';
import { talkingWorld } from '../support/scenarios.ts';
import { buttonNamed, fill, openWindow, settle, show } from '../support/window.ts';

const refused = { status: 'refused', code: 'wrong-password', reason: 'The password is not right.' } as const;
const away = { status: 'connecting', code: 'unreachable', reason: 'The server cannot be reached.' } as const;

async function openAs(connection: Account['connection']) {
  const world = talkingWorld();
  world.accounts = world.accounts.slice(0, 1).map((account) => ({ ...account, connection }));
  const { app, backend } = await openWindow(world);
  return { app, backend, account: app.accounts.current! };
}

describe('AccountNotice', () => {
  it('says nothing while all is well', async () => {
    const { app, account } = await openAs({ status: 'online' });
    expect(show(app, AccountNotice, { account }).textContent.trim()).toBe('');
  });

  it('says why the server is not there, in the language of the window', async () => {
    const { app, account } = await openAs(away);
    const view = show(app, AccountNotice, { account });
    expect(view.textContent).toContain('The server cannot be reached.');
    app.locale.language = 'de';
    await settle();
    expect(view.textContent).toContain('Der Server chat.home.arpa ist nicht erreichbar.');
    expect(view.querySelector('form')).toBeNull();
  });

  it('lets a refused account sign in with another password', async () => {
    const { app, backend, account } = await openAs(refused);
    const view = show(app, AccountNotice, { account });
    expect(view.querySelector('[role="alert"]')?.textContent).toContain('The password is not right.');
    fill(view, 'Password', 'another');
    view.querySelector('form')!.requestSubmit();
    await settle();
    expect(backend.calls.at(-1)).toEqual({
      call: 'account.signIn',
      input: { accountId: account.id, password: 'another' },
    });
    expect(app.accounts.current?.connection).toEqual({ status: 'online' });
  });

  it('asks for no password when the certificate of the server is not right, and tries once more', async () => {
    const { app, backend, account } = await openAs({ status: 'refused', code: 'certificate', reason: '' });
    const view = show(app, AccountNotice, { account });
    expect(view.querySelector('[role="alert"]')?.textContent).toContain('put its certificate right');
    expect(view.querySelector('input')).toBeNull();
    view.querySelector('form')!.requestSubmit();
    await settle();
    expect(backend.calls.at(-1)).toEqual({ call: 'account.signIn', input: { accountId: account.id } });
    expect(app.accounts.current?.connection).toEqual({ status: 'online' });
  });

  it('has the connection report one click away while the server is not there', async () => {
    const { app, account } = await openAs(away);
    const view = show(app, AccountNotice, { account });
    buttonNamed(view, 'Check connection').click();
    await settle();
    expect(view.querySelector('[aria-label="Connection report"]')).not.toBeNull();
  });
});

describe('AccountBar', () => {
  it('has room for one word about the connection only', async () => {
    const { app } = await openAs(refused);
    expect(show(app, AccountBar).querySelector('.status')?.textContent.trim()).toBe('Not signed in');
  });
});
