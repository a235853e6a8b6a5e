import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EventEnvelope } from '../../shared/ipc/envelope.ts';
import { OPENING_LIMITS } from '../../main/base/limits.ts';
import { silentLog } from '../../main/base/log.ts';
import { AppDoor } from '../../main/hosts/app-door.ts';
import { App, type AppOptions } from '../../main/hosts/app.ts';
import { LateStart } from '../../main/hosts/late-start.ts';
import { filePermissionSecrets } from '../../main/messenger/secrets.ts';
import { World } from '../support/im-world.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { eventually } from '../support/eventually.ts';

const { startAfterListMs, startWithoutWindowMs } = OPENING_LIMITS;

describe('what the list does not need', () => {
  let clock: ManualClock;
  let late: LateStart;
  let begun: number;
  const begin = (): void => {
    begun += 1;
  };
  beforeEach(() => {
    clock = new ManualClock();
    late = new LateStart({ clock });
    begun = 0;
  });

  it('begins a moment after a window was given the list, once', () => {
    late.wait(begin);
    late.receiveAnswered('settings.get');
    clock.advance(startAfterListMs);
    expect(begun).toBe(0);
    late.receiveAnswered('conversation.list');
    clock.advance(startAfterListMs - 1);
    late.receiveAnswered('conversation.list');
    expect(begun).toBe(0);
    clock.advance(1);
    expect(begun).toBe(1);
    clock.advance(startWithoutWindowMs);
    expect([begun, clock.pending]).toEqual([1, 0]);
  });

  it('begins without a window after its time, and a window that comes then changes nothing', () => {
    late.wait(begin);
    clock.advance(startWithoutWindowMs - 1);
    expect(begun).toBe(0);
    clock.advance(1);
    expect(begun).toBe(1);
    late.receiveAnswered('conversation.list');
    clock.advance(startAfterListMs);
    expect(begun).toBe(1);
  });

  it('does not begin any more when the program ends', () => {
    late.wait(begin);
    late[Symbol.dispose]();
    clock.advance(startWithoutWindowMs);
    late.receiveAnswered('conversation.list');
    clock.advance(startAfterListMs);
    expect([begun, clock.pending]).toEqual([0, 0]);
  });
});

describe('a program whose account is on the disk', () => {
  let world: World;
  let open: AsyncDisposable[];
  let options: AppOptions;

  beforeAll(async () => {
    world = await World.open(['bob']);
    const bob = await world.join('bob');
    await bob[Symbol.asyncDispose]();
    options = {
      profile: join(world.folder, 'bob'),
      host: 'browser',
      secrets: filePermissionSecrets,
      log: silentLog,
      policyPlaces: [],
    };
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => {
    open = [];
  });
  afterEach(async () => {
    for (const each of open.reverse()) await each[Symbol.asyncDispose]();
  });

  /** What the account has been, in the order in which a window heard of it. */
  function standing(events: readonly EventEnvelope[]): string[] {
    return events.flatMap(({ event, data }) =>
      event === 'account.changed' ? [data.account.connection.status] : [],
    );
  }

  function start(): { door: AppDoor; events: EventEnvelope[]; registered: number } {
    const registered = world.received('REGISTER').length;
    const door = AppDoor.start(options);
    open.push(door);
    const events: EventEnvelope[] = [];
    door.feed.subscribe((event) => events.push(event));
    return { door, events, registered };
  }

  it('signs in when its window has its list, which says that it is about to', async () => {
    const { door, events, registered } = start();
    await door.opened;
    const accounts = await door.api.receiveCall({ id: 1, call: 'account.list', input: {} });
    expect(accounts).toMatchObject({ ok: true, value: [{ connection: { status: 'connecting' } }] });
    expect(await door.api.receiveCall({ id: 2, call: 'conversation.list', input: {} })).toMatchObject({
      ok: true,
    });
    expect([world.received('REGISTER').length, standing(events)]).toEqual([registered, []]);
    await eventually(() => expect(standing(events).at(-1)).toBe('online'));
  });

  it('signs in by itself when no window asks, and can be talked to meanwhile', async () => {
    const { door, events } = start();
    const app = await door.opened;
    const [account] = await app.commands['account.list']({});
    const contact = { accountId: account!.id, address: 'tom@chat.home.arpa', displayName: 'Tom' };
    expect(await door.api.receiveCall({ id: 1, call: 'contact.add', input: contact })).toMatchObject({
      ok: true,
    });
    await eventually(() => expect(standing(events).at(-1)).toBe('online'));
  });

  it('signs in where there is no window at all, which nobody waits for', async () => {
    const app = await App.open({ ...options, host: 'headless' });
    open.push(app);
    await eventually(async () => {
      const [account] = await app.commands['account.list']({});
      expect(account?.connection.status).toBe('online');
    });
  });

  it('that ends before its time has not signed in, and leaves nothing behind', async () => {
    const { door, registered } = start();
    await door.opened;
    await door[Symbol.asyncDispose]();
    expect(world.received('REGISTER').length).toBe(registered);
  });
});
