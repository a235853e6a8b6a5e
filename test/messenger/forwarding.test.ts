/** Messages that are sent on: to one person, to several and a group, later, and files from where they lie. */
import { readFile, rm } from 'node:fs/promises';
import * as v from 'valibot';
import { expect, it } from 'vitest';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { callInputs } from '../../shared/ipc/contract.ts';
import { maxChosenMessages, maxForwardTargets } from '../../shared/ipc/message-change-calls.ts';
import { createGroup, groupOf, stateOf, untilLine, untilMembers } from '../support/group-people.ts';
import { openPair, World, type Person } from '../support/im-world.ts';
import { arrived, becomes, received, sendFile, writeRandom } from './transfers/desk.ts';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

function untilText(person: Person, conversation: { id: ConversationId }, text: string): Promise<Message> {
  return person.until(text, async () =>
    (await person.messages(conversation)).find((each) => each.text === text),
  );
}

it('texts go on in their order, and nothing says whose they were or what they answered', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, ofBob, tom, ofTom } = await openPair(world);
  const told = await tom.send(ofTom, 'The bridge is closed from Monday');
  await tom.commands['message.send']({
    conversationId: ofTom.id,
    text: 'Take the ferry',
    replyTo: told.id,
  });
  const first = await untilText(bob, ofBob, 'The bridge is closed from Monday');
  const second = await untilText(bob, ofBob, 'Take the ferry');
  expect(second.reply?.text).toBe('The bridge is closed from Monday');
  const outcome = await bob.commands['message.forward']({
    messageIds: [second.id, first.id],
    conversationIds: [ofBob.id, ofBob.id],
  });
  expect(outcome).toEqual({ sent: 2, refused: [] });
  expect(await tom.received(ofTom, 2)).toEqual(['The bridge is closed from Monday', 'Take the ferry']);
  const came = (await tom.messages(ofTom)).filter(({ direction }) => direction === 'in');
  expect(came.map(({ reply }) => reply)).toEqual([undefined, undefined]);
  const sent = (await bob.messages(ofBob)).filter(({ direction }) => direction === 'out');
  await Promise.all(sent.map((message) => bob.becomes(message, 'delivered')));
});

it('a text goes on to a group and to a person at once', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, ofBob, tom, ofTom } = await openPair(world);
  const trip = await createGroup(bob, 'Trip', ['tom']);
  const tripAtTom = await groupOf(tom, 'Trip');
  await untilMembers(bob, trip, ['bob', 'tom']);
  const note = await bob.send(ofBob, 'At the pier');
  const outcome = await bob.commands['message.forward']({
    messageIds: [note.id],
    conversationIds: [trip.id, ofBob.id],
  });
  expect(outcome).toEqual({ sent: 2, refused: [] });
  await untilLine(tom, tripAtTom, 'bob: At the pier');
  expect(await tom.received(ofTom, 2)).toEqual(['At the pier', 'At the pier']);
});

it('a file that has come goes on with the same bytes and picture; one that is gone says so, the rest goes', async () => {
  await using world = await World.open(['bob', 'tom', 'eve']);
  const { bob, ofBob, tom, ofTom } = await openPair(world);
  const eve = await world.join('eve');
  const ofEve = await bob.meet('eve');
  const ofBobAtEve = await eve.meet('bob');
  const path = await writeRandom(world, 'harbour.png', 400_000);
  await sendFile(tom, ofTom, path, { type: 'image/png', preview: PNG.toString('base64') });
  const picture = await arrived(bob, ofBob);
  await becomes(bob, picture, 'done');
  const forward = { messageIds: [picture.id], conversationIds: [ofEve.id] };
  expect(await bob.commands['message.forward'](forward)).toEqual({ sent: 1, refused: [] });
  const came = await arrived(eve, ofBobAtEve);
  const done = await becomes(eve, came, 'done');
  expect(done).toMatchObject({ name: 'harbour.png', type: 'image/png', size: 400_000 });
  expect(Buffer.from(done.preview ?? '', 'base64').equals(PNG)).toBe(true);
  expect((await received(eve, came)).bytes.equals(await readFile(path))).toBe(true);

  const note = await bob.send(ofBob, 'Look at this');
  await rm((await bob.messenger.transfers.fileOf(picture.id)).path);
  const outcome = await bob.commands['message.forward']({ ...forward, messageIds: [picture.id, note.id] });
  expect(outcome).toEqual({
    sent: 1,
    refused: [
      {
        conversationId: ofEve.id,
        messageId: picture.id,
        code: 'not-found',
        message: 'This file is not on this computer any more.',
      },
    ],
  });
  await untilText(eve, ofBobAtEve, 'Look at this');
});

it('without a server it waits on this computer and goes out when there is one', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, ofBob, tom, ofTom } = await openPair(world);
  const note = await bob.send(ofBob, 'Bring the tickets');
  const file = await sendFile(bob, ofBob, await writeRandom(world, 'tickets.pdf', 50_000));
  await becomes(bob, file, 'done');
  await world.stopServer();
  const outcome = await bob.commands['message.forward']({
    messageIds: [note.id, file.id],
    conversationIds: [ofBob.id],
  });
  expect(outcome.sent).toBe(2);
  const waiting = (await bob.messages(ofBob)).slice(-2).map(({ text, state }) => [text, state]);
  expect(waiting).toEqual([
    ['Bring the tickets', 'queued'],
    ['tickets.pdf', 'queued'],
  ]);
  await world.startServer();
  const came = (await tom.received(ofTom, 4)).slice(-2);
  expect(came.sort()).toEqual(['Bring the tickets', 'tickets.pdf']);
});

it('what cannot be sent on is refused by itself: into a group that was left, a message that is gone, to a blocked person', async () => {
  await using world = await World.open(['bob', 'tom', 'eve']);
  const { bob, ofBob } = await openPair(world);
  const trip = await createGroup(bob, 'Trip', ['tom']);
  await bob.until('in', async () => (await stateOf(bob, trip)).membership === 'member');
  await bob.commands['group.leave']({ conversationId: trip.id });
  const ofEve = await bob.meet('eve');
  const { id: accountId } = await bob.account();
  await bob.commands['rule.set']({ accountId, address: ofEve.peerAddress, blocked: true });
  const note = await bob.send(ofBob, 'Half past nine');
  const file = await sendFile(bob, ofBob, await writeRandom(world, 'plan.pdf', 1_000));
  const gone = await bob.send(ofBob, 'Never mind');
  await bob.commands['message.delete']({ conversationId: ofBob.id, ids: [gone.id] });
  const { sent, refused } = await bob.commands['message.forward']({
    messageIds: [note.id, file.id, gone.id],
    conversationIds: [trip.id, ofEve.id],
  });
  expect(sent).toBe(0);
  expect(refused.map(({ conversationId, messageId, code }) => [conversationId, messageId, code])).toEqual([
    [trip.id, gone.id, 'not-found'],
    [trip.id, note.id, 'not-allowed'],
    [trip.id, file.id, 'not-allowed'],
    [ofEve.id, gone.id, 'not-found'],
    [ofEve.id, note.id, 'not-allowed'],
    [ofEve.id, file.id, 'not-allowed'],
  ]);
  expect(await bob.messages(ofEve)).toEqual([]);
});

it(`takes ${maxChosenMessages} messages and ${maxForwardTargets} conversations, and not one more of either`, () => {
  const ids = (count: number): string[] =>
    Array.from({ length: count }, (_, nth) => `00000000-0000-4000-8000-${String(nth).padStart(12, '0')}`);
  const takes = (messages: number, conversations: number): boolean =>
    v.safeParse(callInputs['message.forward'], {
      messageIds: ids(messages),
      conversationIds: ids(conversations),
    }).success;
  expect(takes(maxChosenMessages, maxForwardTargets)).toBe(true);
  expect(takes(maxChosenMessages + 1, 1)).toBe(false);
  expect(takes(1, maxForwardTargets + 1)).toBe(false);
});
