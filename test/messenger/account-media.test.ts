/** The way of messages and the relays that one account chooses for itself, instead of those of the settings. */
import * as v from 'valibot';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initialSettings, type Settings } from '../../shared/settings.ts';
import { callInputs } from '../../shared/ipc/contract.ts';
import type { AccountId } from '../../shared/domain/ids.ts';
import { mediaOf } from '../../main/messenger/account-media.ts';
import { DOMAIN, passwordOf, World, type Person } from '../support/im-world.ts';
import { MsrpPeerListener } from '../support/msrp-peer.ts';

const nothingLocked = (): boolean => false;

describe('what counts for an account', () => {
  it('is what the settings say, until it chooses', () => {
    const changed: Settings = {
      ...initialSettings(),
      'messages.path': 'relay',
      'messages.relays': ['of.settings'],
    };
    expect(mediaOf({}, changed, nothingLocked)).toEqual({ way: 'relay', relays: ['of.settings'] });
    expect(mediaOf({ mediaPath: 'settings', relays: [] }, changed, nothingLocked)).toEqual({
      way: 'relay',
      relays: ['of.settings'],
    });
    expect(mediaOf({ mediaPath: 'direct', relays: ['own'] }, changed, nothingLocked)).toEqual({
      way: 'direct',
      relays: ['own'],
    });
    // One without the other.
    expect(mediaOf({ mediaPath: 'auto' }, changed, nothingLocked)).toEqual({
      way: 'auto',
      relays: ['of.settings'],
    });
    expect(mediaOf({ relays: ['own'] }, changed, nothingLocked)).toEqual({ way: 'relay', relays: ['own'] });
  });

  it('and when a policy has locked them, they count for every account', () => {
    const locked: Settings = {
      ...initialSettings(),
      'messages.path': 'relay',
      'messages.relays': ['of.policy'],
    };
    const own = { mediaPath: 'direct', relays: ['own'] } as const;
    expect(mediaOf(own, locked, (key) => key === 'messages.path')).toEqual({ way: 'relay', relays: ['own'] });
    expect(mediaOf(own, locked, () => true)).toEqual({ way: 'relay', relays: ['of.policy'] });
  });

  it.each([
    { mediaPath: 'tunnel' },
    { relays: ['two words'] },
    { relays: Array.from({ length: 9 }, (_, index) => `r${index}.example`) },
  ])('%j is refused by the contract', (choice) => {
    const call = callInputs['account.update'];
    expect(v.safeParse(call, { accountId: 'a', relays: ['r.example'] }).success).toBe(true);
    expect(v.safeParse(call, { accountId: 'a', ...choice }).success).toBe(false);
  });
});

describe('an account', () => {
  let world: World;
  let bob: Person;
  beforeEach(async () => {
    world = await World.open(['bob', 'tom']);
    bob = await world.openPerson('bob', { name: 'bob' });
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  function add(choice: { mediaPath?: 'relay' | 'direct'; relays?: string[] }) {
    return bob.commands['account.add']({
      address: `bob@${DOMAIN}`,
      password: passwordOf('bob'),
      displayName: '',
      server: world.uri,
      transport: 'auto',
      proxies: [],
      ...choice,
    });
  }

  it('goes by the settings unless it says otherwise, and says so', async () => {
    expect(await add({})).toMatchObject({ mediaPath: 'settings', relays: [] });
  });

  it('asks its own relay and not that of the settings, and another one once it chooses another', async () => {
    await using own = await MsrpPeerListener.listen();
    await using other = await MsrpPeerListener.listen();
    const [ownUri = '', otherUri = ''] = [own, other].map(({ path }) => path.replace('/listener', ''));
    // Nobody is there: whoever asks it fails at once.
    await bob.commands['settings.set']({ key: 'messages.relays', value: ['msrp://127.0.0.1:1'] });
    await add({ mediaPath: 'relay', relays: [ownUri] });
    await bob.online();
    const { id } = await bob.account();
    const ofBob = await bob.meet('tom');
    const start = () => bob.commands['session.start']({ conversationId: ofBob.id });
    await start();
    const peer = await own.accept();
    const auth = await peer.frame();
    expect(auth.kind).toBe('AUTH');
    peer.send(
      `MSRP ${auth.id} 403 Forbidden\r\nTo-Path: ${auth.headers.get('From-Path')!}\r\nFrom-Path: ${auth.headers.get('To-Path')!}\r\n-------${auth.id}$\r\n`,
    );
    await bob.session(ofBob, 'ended');
    expect(await bob.commands['account.update']({ accountId: id, relays: [otherUri] })).toMatchObject({
      mediaPath: 'relay',
      relays: [otherUri],
    });
    await start();
    expect((await (await other.accept()).frame()).kind).toBe('AUTH');
  });

  it('goes directly while the settings want a relay, and keeps its choice over a restart', async () => {
    await using tom = await world.join('tom');
    await bob.commands['settings.set']({ key: 'messages.path', value: 'relay' });
    await add({ mediaPath: 'direct' });
    await bob.online();
    const ofBob = await bob.meet('tom');
    await tom.meet('bob');
    await bob.becomes(await bob.send(ofBob, 'without a relay'), 'delivered', 'displayed');
    expect(await bob.session(ofBob, 'open')).toMatchObject({ mediaPath: 'direct' });
    await bob[Symbol.asyncDispose]();
    bob = await world.openPerson('bob', { name: 'bob' });
    expect(await bob.account()).toMatchObject({ mediaPath: 'direct', relays: [] });
    const { id } = await bob.account();
    const back = await bob.commands['account.update']({ accountId: id, mediaPath: 'settings' });
    expect(back).toMatchObject({ mediaPath: 'settings' });
    expect(await bob.account()).toMatchObject({ mediaPath: 'settings' });
  });

  it('its connection report tests the way that it has chosen', async () => {
    await add({ mediaPath: 'relay' });
    await bob.online();
    const { id } = await bob.account();
    const { steps } = await bob.commands['account.diagnose']({ accountId: id });
    expect(steps.find(({ step }) => step === 'messages-out')?.detail).toBe(
      'No relay lets you in: no relay is known.',
    );
  });

  it('that does not exist cannot choose', async () => {
    await expect(
      bob.commands['account.update']({ accountId: 'nobody' as AccountId, mediaPath: 'relay' }),
    ).rejects.toMatchObject({ code: 'not-found' });
  });
});
