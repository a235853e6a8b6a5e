/** What stands before everything else, and windows that only read. */
import { describe, expect, it } from 'vitest';
import App from '../../../renderer/App.svelte';
import { convertingWorld, lockedWorld, readingWorld, talkingWorld } from '../support/scenarios.ts';
import { buttonNamed, fill, openWindow, settle, show } from '../support/window.ts';
import { eventually } from '../../support/eventually.ts';

describe('before anything is open', () => {
  it('how far a conversion is, then the window itself', async () => {
    const { app, backend } = await openWindow(convertingWorld());
    const view = show(app, App);
    expect(view.textContent).toContain('Encrypting your history…');
    expect(view.querySelector('progress')?.value).toBeCloseTo(0.34, 2);
    backend.publish('opening.changed', {
      opening: { state: 'working', task: 'encrypting', done: 900_000, total: 912_000 },
    });
    await settle();
    expect(view.querySelector('progress')?.value).toBeCloseTo(0.987, 2);
    // Nothing else was asked for meanwhile.
    expect(backend.calls.map(({ call }) => call)).toEqual(['opening.status']);
    backend.world.opening = { state: 'open' };
    backend.publish('opening.changed', { opening: { state: 'open' } });
    await settle();
    await settle();
    expect(view.querySelector('nav')?.textContent).toContain('Tom Weber');
  });

  it('an opening that is told of while it is asked for has everything read once', async () => {
    const world = convertingWorld();
    const { app, backend } = await openWindow(world);
    const answered = Promise.withResolvers<void>();
    backend.hold = answered.promise;
    world.opening = { state: 'open' };
    backend.publish('opening.changed', { opening: { state: 'open' } });
    backend.publish('opening.changed', { opening: { state: 'open' } });
    answered.resolve();
    const view = show(app, App);
    await eventually(() => expect(view.querySelector('nav')?.textContent).toContain('Tom Weber'));
    await settle();
    expect(backend.calls.filter(({ call }) => call === 'conversation.list')).toHaveLength(1);
  });

  it('a passphrase: a wrong one says so, guesses wait, the right one opens', async () => {
    const { app } = await openWindow(lockedWorld());
    const view = show(app, App);
    const attempt = async (passphrase: string): Promise<void> => {
      fill(view, 'Passphrase', passphrase);
      await settle();
      buttonNamed(view, 'Unlock').click();
      await settle();
    };
    expect(view.textContent).toContain('Your history is locked');
    expect(buttonNamed(view, 'Unlock').disabled).toBe(true);
    await attempt('wrong');
    expect(view.querySelector('[role=alert]')?.textContent).toContain('Nothing is lost');
    await attempt('right');
    await settle();
    expect(view.querySelector('nav')?.textContent).toContain('Tom Weber');
  });

  it('after some wrong ones the next is possible later only', async () => {
    const { app } = await openWindow(lockedWorld());
    const view = show(app, App);
    for (const wrong of ['a', 'b', 'c']) {
      fill(view, 'Passphrase', wrong);
      await settle();
      buttonNamed(view, 'Unlock').click();
      await settle();
    }
    expect(view.querySelector('[role=alert]')?.textContent).toMatch(/possible in \d+ seconds/);
    fill(view, 'Passphrase', 'right');
    await settle();
    expect(buttonNamed(view, 'Unlock').disabled).toBe(true);
  });

  it('why it cannot be opened', async () => {
    const { app } = await openWindow({
      ...talkingWorld(),
      opening: { state: 'failed', code: 'too-new', name: 'all.parley', message: 'Schema 99. Update Parley.' },
    });
    const alert = show(app, App).querySelector('[role=alert]');
    expect(alert?.textContent).toContain('Written by a newer Parley: all.parley');
    expect(alert?.textContent).toContain('Update Parley, then open it.');
    const details = alert?.querySelector('details');
    expect(details?.textContent).toContain('Schema 99. Update Parley.');
    expect(details?.open).toBe(false);
    expect(alert?.textContent).toContain('The file was not changed.');
  });

  it('a passphrase that a policy wants, with its recovery key', async () => {
    const { app } = await openWindow({
      ...talkingWorld(),
      lock: { passphrase: false, keyring: false, required: true },
    });
    const view = show(app, App);
    expect(view.textContent).toContain('Your organisation wants a passphrase');
    expect(view.querySelector('nav')).toBeNull();
    fill(view, 'Passphrase', 'a long one');
    fill(view, 'Once more', 'a long one');
    await settle();
    buttonNamed(view, 'Set a passphrase').click();
    await settle();
    await settle();
    expect(view.querySelectorAll('.key span')).toHaveLength(9);
    buttonNamed(view, 'I have kept it').click();
    await settle();
    expect(view.querySelector('nav')?.textContent).toContain('Tom Weber');
  });
});

describe('a window that only reads', () => {
  it('says what it reads and whether it is whole, and has nothing to write with', async () => {
    const { app, backend } = await openWindow(readingWorld());
    const view = show(app, App);
    const bar = view.querySelector('[aria-label="What this window reads"]');
    expect(bar?.textContent).toContain('Parley 2026-05-31 1204.parley');
    expect(bar?.textContent).toContain('Complete and unchanged');
    view.querySelector<HTMLButtonElement>('nav li button')?.click();
    await settle();
    expect(view.querySelector('textarea, [contenteditable]')).toBeNull();
    for (const name of ['New conversation', 'Settings', 'Accounts']) {
      expect(() => buttonNamed(view, name), name).toThrow(/there is no button/);
    }
    expect(app.writes).toBe(false);
    backend.publish('reading.changed', {
      reading: {
        ...app.reading.status!,
        check: { state: 'broken', done: 1, total: 1, problems: ['messages 1 to 400: changed'] },
      },
    });
    await settle();
    expect(bar?.textContent).toContain('Not what was written');
    buttonNamed(view, '1 problem').click();
    await settle();
    expect(view.textContent).toContain('messages 1 to 400: changed');
  });

  it('is there although its border refuses what only a messenger has', async () => {
    const world = readingWorld();
    const { backend, app } = await openWindow(world);
    for (const call of ['draft.list', 'imserver.status', 'history.status', 'lock.status', 'retention.get']) {
      backend.refusals.set(call, { code: 'read-only', message: 'This window only reads.' });
    }
    await app.resynchronise();
    const view = show(app, App);
    expect(view.querySelectorAll('nav li button').length).toBeGreaterThan(0);
  });
});
