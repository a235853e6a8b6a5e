/** What the history forgets by itself and by hand, as the window is told; and that nothing goes while it is on hold. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ConversationId } from '../../shared/domain/ids.ts';
import { Feed } from '../../main/messenger/feed.ts';
import { Retention } from '../../main/messenger/retention.ts';
import { silentLog } from '../../main/base/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { StoreFixture } from '../store/fixture.ts';

const DAY_MS = 86_400_000;

let fixture: StoreFixture;
let clock: ManualClock;
let retention: Retention;
let settings: { 'history.keepDays': number; 'history.hold': boolean };
let tom: ConversationId;
let changed: ConversationId[];
const feed = new Feed();

beforeEach(async () => {
  fixture = await StoreFixture.open();
  tom = await fixture.conversation('c-tom');
  clock = new ManualClock();
  settings = { 'history.keepDays': 0, 'history.hold': false };
  changed = [];
  retention = new Retention({
    store: fixture.store,
    feed,
    log: silentLog,
    settings: () => settings,
    publishConversation: (id) => {
      changed.push(id);
      return Promise.resolve();
    },
    clock,
  });
});
afterEach(async () => {
  await retention[Symbol.asyncDispose]();
  await fixture[Symbol.asyncDispose]();
});

async function write(text: string, ageMs: number) {
  const { message } = await fixture.store.insertMessage({
    conversationId: tom,
    direction: 'in',
    wireId: text,
    text,
    sentAtMs: clock.now() - ageMs,
    storedAtMs: clock.now() - ageMs,
    state: 'received',
    displayReportWanted: false,
  });
  return message;
}

async function texts(): Promise<string[]> {
  const { messages } = await fixture.store.call('selectMessagePage', { conversationId: tom, limit: 10 });
  return messages.map(({ text }) => text);
}

/** The positions of the next `messages.deleted`. */
function nextDeleted(): Promise<readonly number[]> {
  const { promise, resolve } = Promise.withResolvers<readonly number[]>();
  const release = feed.subscribe(({ event, data }) => {
    if (event !== 'messages.deleted') return;
    release();
    resolve(data.positions);
  });
  return promise;
}

it('goes when its time has come, without anybody doing anything', async () => {
  await retention.setRule(tom, DAY_MS);
  const message = await write('for one day', 0);
  const deleted = nextDeleted();
  retention.start();
  let isOver = false;
  void deleted.then(() => {
    isOver = true;
  });
  const startedMs = clock.now();
  while (!isOver) {
    clock.advance(60_000);
    await new Promise((done) => setImmediate(done));
  }
  expect(await deleted).toEqual([message.position]);
  expect(clock.now() - startedMs).toBeGreaterThanOrEqual(DAY_MS);
  expect(await texts()).toEqual([]);
});

it('a shorter setting takes effect at once; the window is told of the conversation as well', async () => {
  await write('two days old', 2 * DAY_MS);
  await write('new', 0);
  const deleted = nextDeleted();
  settings['history.keepDays'] = 1;
  retention.receiveChange();
  expect(await deleted).toHaveLength(1);
  expect(await texts()).toEqual(['new']);
  await retention[Symbol.asyncDispose]();
  expect(changed).toEqual([tom]);
});

it('on hold nothing goes, neither by age nor by hand; afterwards what is due goes', async () => {
  settings = { 'history.keepDays': 1, 'history.hold': true };
  const message = await write('evidence', 9 * DAY_MS);
  retention.receiveChange();
  await expect(retention.delete(tom, [message.id])).rejects.toMatchObject({
    code: 'not-allowed',
    message: expect.stringContaining('on hold') as string,
  });
  await expect(retention.clear(tom)).rejects.toMatchObject({ code: 'not-allowed' });
  expect(await texts()).toEqual(['evidence']);
  settings['history.hold'] = false;
  const deleted = nextDeleted();
  retention.receiveChange();
  await deleted;
  expect(await texts()).toEqual([]);
});

it('by hand: one, then all', async () => {
  const [first] = [await write('first', 0), await write('second', 0), await write('third', 0)];
  await retention.delete(tom, [first.id]);
  expect(await texts()).toEqual(['second', 'third']);
  await retention.clear(tom);
  expect(await texts()).toEqual([]);
  expect(changed).toEqual([tom, tom]);
});
