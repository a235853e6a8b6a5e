import { describe, expect, it } from 'vitest';
import type { AccountId, ConversationId, SessionId } from '../../../shared/domain/ids.ts';
import { askedWorld, bob, emptyWorld, talkingWorld, unreachableWorld } from '../support/scenarios.ts';
import { openWindow, settle } from '../support/window.ts';

const tom = 'with-tom' as ConversationId;
const ana = 'with-ana' as ConversationId;

describe('Conversations', () => {
  it('are sorted by last activity and move up with a new message', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    const last = app.conversations.sorted.at(-1)!;
    backend.addMessage(last.id, { direction: 'in', text: 'x', state: 'received' }, Date.now() + 86_400_000);
    expect(app.conversations.sorted[0]?.id).toBe(last.id);
  });

  it('count what is unread in all of them', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    expect(app.unreadCount).toBe(2);
    backend.addMessage(ana, { direction: 'in', text: 'x', state: 'received' });
    expect(app.unreadCount).toBe(3);
  });

  it('know who types, until the message has come', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    backend.publishComposing(ana);
    expect(app.conversations.composing(ana)).toHaveLength(1);
    backend.addMessage(ana, { direction: 'in', text: 'x', state: 'received' });
    expect(app.conversations.composing(ana)).toEqual([]);
  });

  it('keep a change that arrives while an older list is on its way', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    let release = (): void => undefined;
    backend.hold = new Promise((done) => (release = done));
    const loading = app.conversations.load();
    await settle();
    backend.addMessage(ana, { direction: 'in', text: 'newer than the list', state: 'received' });
    release();
    await loading;
    expect(app.conversations.get(ana)?.lastMessage?.text).toBe('newer than the list');
  });

  it('are those of the chosen account', async () => {
    const { app } = await openWindow(unreachableWorld());
    expect(app.conversations.ofAccount(app.accounts.current?.id)).toHaveLength(6);
    app.accounts.chosenId = 'work' as AccountId;
    expect(app.conversations.ofAccount(app.accounts.current?.id)).toEqual([]);
  });
});

describe('Accounts', () => {
  it('follow the events about them', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    const refused = { status: 'refused', code: 'wrong-password', reason: 'Wrong password.' } as const;
    backend.publish('account.changed', { account: bob(refused) });
    expect(app.accounts.current?.connection).toEqual(refused);
    backend.publish('account.removed', { accountId: bob().id });
    expect(app.accounts.current).toBeUndefined();
  });

  it('are asked for by the three doors on the first run only', async () => {
    expect((await openWindow(emptyWorld())).app.shell.welcome).toBe(true);
    expect((await openWindow(talkingWorld())).app.shell.welcome).toBe(false);
  });
});

describe('Sessions', () => {
  it('show the one that is not over before a newer one that has ended', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    const open = app.sessions.latest(tom)!;
    backend.publish('session.changed', {
      session: {
        ...open,
        id: 'later' as SessionId,
        state: 'ended',
        startedMs: open.startedMs + 1,
        endedMs: open.startedMs + 2,
      },
    });
    expect(app.sessions.latest(tom)?.id).toBe(open.id);
  });

  it('open when the user accepts', async () => {
    const { app } = await openWindow(askedWorld());
    const eve = 'with-eve' as ConversationId;
    await app.sessions.answer(app.sessions.latest(eve)!, true);
    expect(app.sessions.latest(eve)?.state).toBe('open');
  });

  it('keep what a refused start came to, until the next change', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    backend.refusals.set('session.start', { code: 'not-signed-in', message: 'Sign in first.' });
    await app.sessions.start(ana);
    expect(app.sessions.problems.get(ana)).toMatchObject({ code: 'not-signed-in' });
    backend.refusals.clear();
    await app.sessions.start(ana);
    expect(app.sessions.problems.get(ana)).toBeUndefined();
    expect(app.sessions.latest(ana)?.state).toBe('inviting');
  });
});

describe('Drafts', () => {
  it('are kept per conversation, and blank ones are none', async () => {
    const { app } = await openWindow(talkingWorld());
    app.drafts.set(tom, 'half a');
    app.drafts.set(ana, '  \n');
    expect([app.drafts.get(tom), app.drafts.get(ana)]).toEqual(['half a', '']);
    app.drafts.set(tom, '');
    expect(app.drafts.get(tom)).toBe('');
  });
});

describe('Settings', () => {
  it('set theme, language and direction of the page', async () => {
    const { app } = await openWindow(talkingWorld());
    await app.settings.set('appearance.theme', 'dark');
    await app.settings.set('appearance.language', 'ar');
    const { dataset, dir, lang } = document.documentElement;
    expect([dataset['theme'], dir, lang]).toEqual(['dark', 'rtl', 'ar']);
    await app.settings.set('appearance.language', 'en');
    expect(document.documentElement.dir).toBe('ltr');
  });

  it('keep the value and say why when a change is refused', async () => {
    const { app, backend } = await openWindow(talkingWorld());
    backend.refusals.set('settings.set', { code: 'not-allowed', message: 'Managed by your organisation.' });
    await app.settings.set('appearance.theme', 'dark');
    expect(app.settings.values?.['appearance.theme']).toBe('system');
    expect(app.settings.problem).toMatchObject({ key: 'appearance.theme', error: { code: 'not-allowed' } });
  });
});
