/**
 * The header block of each message (RFC 3862), from the wire into the export and into another history.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { exportHistory } from '../../main/messenger/history/export.ts';
import { importHistory } from '../../main/messenger/history/import.ts';
import { verifyExport } from '../../main/messenger/history/verify.ts';
import { Store } from '../../main/store/store.ts';
import { DOMAIN, World } from '../support/im-world.ts';

let world: World;

beforeEach(async () => {
  world = await World.open(['bob', 'tom']);
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

interface Line {
  readonly type: string;
  readonly text: string;
  readonly headers: string | null;
  readonly wireId: string;
  readonly sentAt: string;
}

it('both sides export the headers that were on the wire, and an import keeps them', async () => {
  const bob = await world.join('bob');
  const tom = await world.join('tom');
  await tom.meet('bob');
  const conversation = await bob.meet('tom');
  const message = await bob.send(conversation, 'hello');
  await bob.becomes(message, 'sent', 'delivered', 'displayed');
  await bob.session(conversation, 'open');
  await tom.messenger.removeAccount((await tom.account()).id);
  const away = await bob.send(conversation, 'for later');
  await bob.becomes(away, 'waiting');

  const linesOf = async (store: Store, name: string): Promise<Line[]> => {
    const folder = join(world.folder, name);
    await exportHistory({ store, folder, format: 'jsonl', program: 'test' });
    expect((await verifyExport(folder)).problems).toEqual([]);
    const written = await readFile(join(folder, 'messages.jsonl'), 'utf8');
    const all = written.split('\n').filter((line) => line !== '');
    return all.map((line) => JSON.parse(line) as Line).filter(({ type }) => type === 'message');
  };
  const blockOf = ({ wireId, sentAt }: Line, dispositions: string): string =>
    [
      `From: <sip:bob@${DOMAIN}>`,
      `To: <sip:tom@${DOMAIN}>`,
      `DateTime: ${sentAt}`,
      'NS: imdn <urn:ietf:params:imdn>',
      `imdn.Message-ID: ${wireId}`,
      `imdn.Disposition-Notification: ${dispositions}`,
      '',
      'Content-Type: text/plain; charset="utf8"',
      '',
      '',
    ].join('\r\n');
  const sent = await linesOf(bob.messenger.store, 'of-bob');
  const received = await linesOf(tom.messenger.store, 'of-tom');
  expect(sent.map(({ text }) => text)).toEqual(['hello', 'for later']);
  expect(sent.map(({ headers }) => headers)).toEqual([
    sent[0] && blockOf(sent[0], 'display'),
    sent[1] && blockOf(sent[1], 'positive-delivery, negative-delivery, display'),
  ]);
  expect(received.map(({ headers }) => headers)).toEqual([sent[0]?.headers]);

  await using other = await Store.open(join(world.folder, 'other.sqlite'));
  const from = join(world.folder, 'of-bob');
  await importHistory({ store: other, from, filesFolder: join(world.folder, 'files') });
  expect((await linesOf(other, 'again')).map(({ headers }) => headers)).toEqual(
    sent.map(({ headers }) => headers),
  );
});
