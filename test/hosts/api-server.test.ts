import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiServer } from '../../main/hosts/api-server.ts';
import { IPC_LIMITS } from '../../main/base/limits.ts';
import { createLog } from '../../main/base/log.ts';
import { Feed } from '../../main/messenger/feed.ts';
import { StoreError } from '../../main/store/database.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import { World, type Person } from '../support/im-world.ts';

describe('calls with a real messenger', () => {
  let world: World;
  let bob: Person;
  let api: ApiServer;
  beforeAll(async () => {
    world = await World.open(['bob']);
    bob = await world.openPerson('bob');
    api = new ApiServer({ commands: bob.commands, feed: bob.messenger.feed, log: bob.messenger.log });
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  it.each([
    [null, 0, 'invalid-input'],
    ['text', 0, 'invalid-input'],
    [[], 0, 'invalid-input'],
    [{ id: 1 }, 0, 'invalid-input'],
    [{ id: 1.5, call: 'app.info' }, 0, 'invalid-input'],
    [{ id: 7, call: 'no.such.call' }, 7, 'unknown-call'],
    [{ id: 7, call: 'constructor' }, 7, 'unknown-call'],
    [{ id: 7, call: '__proto__' }, 7, 'unknown-call'],
    [{ id: 'a', call: 'account.add', input: {} }, 'a', 'invalid-input'],
    [{ id: 'a', call: 'account.add', input: 'text' }, 'a', 'invalid-input'],
    [{ id: 1, call: 'account.add', input: { address: 'no address', password: 'x' } }, 1, 'invalid-input'],
    [
      { id: 1, call: 'account.add', input: { address: 'a@b', password: 'x', server: 'not a server' } },
      1,
      'invalid-input',
    ],
    [{ id: 1, call: 'message.send', input: { conversationId: 'none', text: 'x' } }, 1, 'not-found'],
    [{ id: 1, call: 'message.send', input: { conversationId: 'none', text: '' } }, 1, 'invalid-input'],
    [{ id: 1, call: 'message.list', input: { conversationId: 'none' } }, 1, 'not-found'],
    [{ id: 1, call: 'message.retry', input: { messageId: 'none' } }, 1, 'not-found'],
    [{ id: 1, call: 'session.end', input: { sessionId: 'none' } }, 1, 'not-found'],
    [{ id: 1, call: 'session.ladder', input: { sessionId: 'none' } }, 1, 'not-found'],
    [{ id: 1, call: 'account.remove', input: { accountId: 'none' } }, 1, 'not-found'],
    [{ id: 1, call: 'search.query', input: { text: 'x', limit: 0 } }, 1, 'invalid-input'],
    [{ id: 1, call: 'settings.set', input: { key: 'no.such.setting', value: 1 } }, 1, 'invalid-input'],
    [{ id: 1, call: 'settings.set', input: { key: 'sessions.idleMinutes', value: -1 } }, 1, 'invalid-input'],
  ])('%j is refused', async (envelope, id, code) => {
    const answer = await api.receiveCall(envelope);
    expect(answer).toEqual({ id, ok: false, code, message: expect.stringMatching(/\S/) as string });
  });

  it('what is wrong is named by its path', async () => {
    const input = { address: 'bob@example.org', password: '' };
    expect(await api.receiveCall({ id: 1, call: 'account.add', input })).toMatchObject({
      message: expect.stringMatching(/^password: /) as string,
    });
  });

  it('a setting that is wrong changes nothing; a right one is kept and told', async () => {
    const before = bob.messenger.settings;
    await api.receiveCall({ id: 1, call: 'settings.set', input: { key: 'appearance.theme', value: 'pink' } });
    expect(bob.messenger.settings).toEqual(before);
    const answer = await api.receiveCall({
      id: 2,
      call: 'settings.set',
      input: { key: 'appearance.theme', value: 'dark' },
    });
    expect(answer).toMatchObject({ id: 2, ok: true, value: { 'appearance.theme': 'dark' } });
    expect(bob.events.at(-1)).toMatchObject({
      event: 'settings.changed',
      data: { settings: { 'appearance.theme': 'dark' } },
    });
  });
});

describe('errors of commands', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'debug', sink: (line) => lines.push(line) });
  const withInfo = (info: () => Promise<never>) =>
    new ApiServer({ commands: { 'app.info': info }, feed: new Feed(), log });

  it.each([
    [new CallError('too-large', 'Too long.'), 'too-large', 'Too long.'],
    [new StoreError('STORE_FULL', 'Full.'), 'disk-full', 'Full.'],
    [new StoreError('STORE_FAILED', 'Failed.'), 'store-failed', 'Failed.'],
    [
      new TypeError('x is undefined'),
      'internal',
      'Something went wrong inside Parley. The log has the details.',
    ],
  ])('%s', async (error, code, message) => {
    const api = withInfo(() => Promise.reject(error));
    expect(await api.receiveCall({ id: 1, call: 'app.info' })).toEqual({ id: 1, ok: false, code, message });
  });

  it('a bug is in the log, with its stack', () => {
    expect(lines.some((line) => line.includes('call.failed') && line.includes('x is undefined'))).toBe(true);
  });

  it('as many calls as may be under way pass, one more is refused, and there is room again', async () => {
    const release = Promise.withResolvers<never>();
    const api = withInfo(() => release.promise);
    const pending = Array.from({ length: IPC_LIMITS.maxPendingCalls }, (_, id) =>
      api.receiveCall({ id, call: 'app.info' }),
    );
    expect(await api.receiveCall({ id: 'more', call: 'app.info' })).toMatchObject({
      id: 'more',
      ok: false,
      code: 'too-many',
    });
    release.reject(new CallError('closed', 'x'));
    const answers = await Promise.all(pending);
    expect(answers.map(({ id }) => id)).toEqual(pending.map((_call, id) => id));
    expect(await api.receiveCall({ id: 'then', call: 'app.info' })).toMatchObject({ code: 'closed' });
  });

  it('as many subscribers as may be, one more is none, and releasing twice makes room once', () => {
    const api = withInfo(() => Promise.reject(new Error('unused')));
    const releases = Array.from({ length: IPC_LIMITS.maxSubscribers }, () => api.subscribe(() => undefined));
    expect(releases.every((release) => release !== undefined)).toBe(true);
    expect(api.subscribe(() => undefined)).toBeUndefined();
    releases[0]?.();
    releases[0]?.();
    expect(api.subscribe(() => undefined)).toBeDefined();
    expect(api.subscribe(() => undefined)).toBeUndefined();
  });
});

it('events are numbered without a gap, and the same for every subscriber', () => {
  const feed = new Feed();
  const seen: number[][] = [[], []];
  const releases = seen.map((list) => feed.subscribe(({ seq }) => list.push(seq)));
  feed.publish('imserver.changed', { running: true });
  feed.publish('imserver.changed', { running: false });
  releases[0]?.();
  feed.publish('imserver.changed', { running: true });
  expect(seen).toEqual([
    [1, 2],
    [1, 2, 3],
  ]);
  expect(feed.seq).toBe(3);
});
