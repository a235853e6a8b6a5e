/**
 * Files between two messengers by way of an IM Server (RFC 5547): sent, asked about, declined, taken back, several.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { openPair, QUICK, World } from '../../support/im-world.ts';
import { arrived, becomes, fileOf, progressOf, received, sendFile, writeRandom } from './desk.ts';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

it('a contact receives a file without being asked; both sides see it done, and it is the same to the byte', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, ofBob, ofTom } = await openPair(world);
  const path = await writeRandom(world, 'Pläne für 你好.bin', 3_000_000);
  const sent = await sendFile(bob, ofBob, path, { type: 'image/png', preview: PNG.toString('base64') });
  const came = await arrived(tom, ofTom);
  expect(came.text).toBe('Pläne für 你好.bin');
  const done = await becomes(tom, came, 'done');
  await becomes(bob, sent, 'done');
  await bob.becomes(sent, 'delivered');
  expect(done).toMatchObject({ type: 'image/png', size: 3_000_000, bytesDone: 3_000_000, available: true });
  expect(Buffer.from(done.preview ?? '', 'base64').equals(PNG)).toBe(true);
  const file = await received(tom, came);
  expect(file.bytes.equals(await readFile(path))).toBe(true);
  expect(await readdir(dirname(file.path))).toEqual(['Pläne für 你好.bin']);
  expect(Math.max(...progressOf(tom, came))).toBe(3_000_000);
  // RFC 5547 §6: the selector as it stood on the wire, and the way there was that of the flow.
  const invite = world.received('INVITE').find((text) => text.includes('file-selector')) ?? '';
  expect(invite).toMatch(
    /a=file-selector:name:"Pläne für 你好.bin" type:image\/png size:3000000 hash:sha-1:([0-9A-F]{2}:){19}[0-9A-F]{2}\r\n/,
  );
  expect(invite).toMatch(/a=sendonly\r\n/);
  expect(invite).toContain('multipart/related');
});

it('an empty file is a file', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, ofBob, ofTom } = await openPair(world);
  const sent = await sendFile(bob, ofBob, await writeRandom(world, 'empty.txt', 0));
  const came = await arrived(tom, ofTom);
  await becomes(tom, came, 'done');
  await becomes(bob, sent, 'done');
  expect((await received(tom, came)).bytes).toHaveLength(0);
});

it('a large file rings until the user takes it; a second one of the same name stands beside the first', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, ofBob, ofTom } = await openPair(world);
  await tom.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 0 });
  for (const nth of [0, 1]) {
    const path = await writeRandom(world, 'report.pdf', 200_000 + nth);
    const sent = await sendFile(bob, ofBob, path);
    const came = await arrived(tom, ofTom, nth);
    await becomes(bob, sent, 'offered');
    expect((await fileOf(tom, came)).state).toBe('offered');
    await tom.commands['transfer.accept']({ messageId: came.id });
    await becomes(tom, came, 'done');
    await becomes(bob, sent, 'done');
    const file = await received(tom, came);
    expect(file.path.endsWith(nth === 0 ? 'report.pdf' : 'report (2).pdf')).toBe(true);
    expect(file.bytes.equals(await readFile(path))).toBe(true);
  }
});

it('a declined file is told so, and nothing of it is on the disk', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, ofBob, ofTom } = await openPair(world);
  await tom.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 0 });
  const sent = await sendFile(bob, ofBob, await writeRandom(world, 'no.bin', 10_000));
  const came = await arrived(tom, ofTom);
  await becomes(bob, sent, 'offered');
  await tom.until('ringing', () => Promise.resolve(world.received('INVITE').length > 0));
  await tom.commands['transfer.decline']({ messageId: came.id });
  await becomes(bob, sent, 'declined');
  expect((await bob.becomes(sent, 'failed')).failure?.code).toBe('file-declined');
  expect((await fileOf(tom, came)).state).toBe('declined');
  await expect(readdir(join(world.folder, 'tom', 'files'))).rejects.toMatchObject({ code: 'ENOENT' });
});

it('declined when it does not ring any more: the sender is told all the same (RFC 5438 §7.2.1.2)', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, ofBob, ofTom } = await openPair(world, { limits: { ...QUICK.limits, ringMs: 200 } });
  await tom.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 0 });
  const sent = await sendFile(bob, ofBob, await writeRandom(world, 'no.bin', 10_000));
  const came = await arrived(tom, ofTom);
  await expect.poll(() => world.wire.some(({ text }) => text.startsWith('SIP/2.0 487 '))).toBe(true);
  expect((await fileOf(bob, sent)).state).toBe('offered');
  await tom.commands['transfer.decline']({ messageId: came.id });
  await becomes(bob, sent, 'declined');
  await bob.becomes(sent, 'failed');
  // It is over on both sides: nothing of it may be had any more, and nobody asks again.
  expect((await fileOf(tom, came)).state).toBe('declined');
  expect(await bob.texts(ofBob, 'in')).toEqual([]);
});

it('the sender takes an offer back: it cannot be had any more', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, ofBob, ofTom } = await openPair(world);
  await tom.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 0 });
  const sent = await sendFile(bob, ofBob, await writeRandom(world, 'oops.bin', 10_000));
  const came = await arrived(tom, ofTom);
  await becomes(bob, sent, 'offered');
  await bob.commands['transfer.cancel']({ messageId: sent.id });
  expect((await fileOf(bob, sent)).state).toBe('cancelled');
  expect((await bob.becomes(sent, 'failed')).failure?.code).toBe('file-cancelled');
  await tom.commands['transfer.accept']({ messageId: came.id });
  expect((await becomes(tom, came, 'failed')).failure?.code).toBe('gone');
});

it('from a stranger nothing is downloaded before he is let in', async () => {
  await using world = await World.open(['bob', 'tom']);
  const bob = await world.join('bob');
  const tom = await world.join('tom');
  const ofBob = await bob.meet('tom');
  const sent = await sendFile(bob, ofBob, await writeRandom(world, 'hello.bin', 10_000));
  const ofTom = await tom.with('bob');
  const came = await arrived(tom, ofTom);
  expect(ofTom.standing).toBe('asked');
  await becomes(bob, sent, 'offered');
  expect((await fileOf(tom, came)).state).toBe('offered');
  await tom.commands['conversation.answer']({ conversationId: ofTom.id, accept: true });
  await tom.commands['transfer.accept']({ messageId: came.id });
  await becomes(tom, came, 'done');
});

it('several files go at once, and a text is not behind them', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, ofBob, ofTom } = await openPair(world);
  const paths = await Promise.all(
    [1, 2, 3, 4, 5, 6].map((nth) => writeRandom(world, `${nth}.bin`, 4_000_000 + nth)),
  );
  const sent = await Promise.all(paths.map((path) => sendFile(bob, ofBob, path)));
  const text = await bob.send(ofBob, 'before they are there');
  await bob.becomes(text, 'sent', 'delivered', 'displayed');
  for (const message of sent) await becomes(bob, message, 'done');
  const came = (await tom.messages(ofTom)).filter(({ file }) => file !== undefined);
  expect(came.map(({ file }) => file?.state)).toEqual(Array(6).fill('done'));
});

it('what was not there is offered when he is back', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, ofBob } = await openPair(world);
  await tom[Symbol.asyncDispose]();
  const sent = await sendFile(bob, ofBob, await writeRandom(world, 'later.bin', 50_000));
  await becomes(bob, sent, 'waiting');
  const again = await world.openPerson('tom');
  await again.online();
  const came = await arrived(again, await again.open('bob'));
  await becomes(again, came, 'done');
  await becomes(bob, sent, 'done');
});

it('a file that was changed after it was offered is not sent as the one that was offered', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, ofBob } = await openPair(world);
  await tom[Symbol.asyncDispose]();
  const path = await writeRandom(world, 'draft.txt', 50_000);
  const sent = await sendFile(bob, ofBob, path);
  await becomes(bob, sent, 'waiting');
  await writeFile(path, 'another one');
  const again = await world.openPerson('tom');
  await again.online();
  expect((await becomes(bob, sent, 'failed')).failure?.code).toBe('changed');
  await bob.commands['transfer.resume']({ messageId: sent.id });
  await becomes(bob, sent, 'done');
  const came = await arrived(again, await again.open('bob'));
  expect((await received(again, came)).bytes.toString()).toBe('another one');
});

it('what was changed after it had arrived, and is offered under the same id, stands beside what has arrived', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, ofBob, ofTom } = await openPair(world);
  const path = await writeRandom(world, 'draft.txt', 50_000);
  const before = await readFile(path);
  const sent = await sendFile(bob, ofBob, path);
  const came = await arrived(tom, ofTom);
  await Promise.all([becomes(tom, came, 'done'), becomes(bob, sent, 'done')]);
  // The last answer was lost on its way, and the program was closed: it begins again with what was changed meanwhile.
  const stored = await bob.messenger.store.call('selectTransfer', { messageId: sent.id });
  if (stored === null) throw new Error('it is not stored');
  await bob.messenger.store.call('upsertTransfer', { ...stored, state: 'waiting' });
  await bob[Symbol.asyncDispose]();
  await writeFile(path, 'another one');
  const again = await world.openPerson('bob');
  await again.online();
  expect((await becomes(again, sent, 'failed')).failure?.code).toBe('changed');
  await again.commands['transfer.resume']({ messageId: sent.id });
  await becomes(again, sent, 'done');
  const anew = await arrived(tom, ofTom, 1);
  await becomes(tom, anew, 'done');
  expect((await received(tom, anew)).bytes.toString()).toBe('another one');
  expect((await received(tom, came)).bytes.equals(before)).toBe(true);
});
