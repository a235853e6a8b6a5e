/**
 * Owns: two people who send each other files, and what they see of it. Called by: tests of transfers. Calls: im-world.ts.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { Message } from '../../../shared/domain/message.ts';
import type { Transfer, TransferState } from '../../../shared/domain/transfer.ts';
import type { Person, World } from '../../support/im-world.ts';

/** A file of random bytes in the world's folder. */
export async function writeRandom(world: World, name: string, bytes: number): Promise<string> {
  const folder = join(world.folder, `source-${randomBytes(4).toString('hex')}`);
  await mkdir(folder);
  const path = join(folder, name);
  await writeFile(path, randomBytes(bytes));
  return path;
}

/** What a window does: the host knows the file, the user sends it. */
export function sendFile(
  person: Person,
  { id }: Conversation,
  path: string,
  more: { name?: string; type?: string; preview?: string } = {},
): Promise<Message> {
  const { name = basename(path), type = 'application/octet-stream', preview } = more;
  const fileId = person.messenger.transfers.choose({ path, name, type });
  return person.commands['transfer.send']({ conversationId: id, fileId, preview });
}

/** The file of a message as it stands. */
export async function fileOf(person: Person, message: Message): Promise<Transfer> {
  const { file } = await person.message(message);
  if (file === undefined) throw new Error('this message is no file');
  return file;
}

/** Waits until the file of a message is in one of these states. */
export function becomes(person: Person, message: Message, ...states: TransferState[]): Promise<Transfer> {
  return person.until(`file ${states.join(' or ')}`, async () => {
    const file = await fileOf(person, message);
    return states.includes(file.state) ? file : undefined;
  });
}

/** Waits for the nth file that has come. */
export function arrived(person: Person, conversation: Conversation, nth = 0): Promise<Message> {
  return person.until(
    `file at ${person.user}`,
    async () =>
      (await person.messages(conversation)).filter(
        ({ direction, file }) => direction === 'in' && file !== undefined,
      )[nth],
  );
}

/** Where a whole file was put, and its bytes. */
export async function received(person: Person, { id }: Message): Promise<{ path: string; bytes: Buffer }> {
  const { path } = await person.messenger.transfers.fileOf(id);
  return { path, bytes: await readFile(path) };
}

/** The most bytes that the window was told of while the file was on its way. */
export function progressOf(person: Person, { id }: Message): number[] {
  return person.events.flatMap(({ event, data }) =>
    event === 'transfer.changed' && data.messageId === id ? [data.transfer.bytesDone] : [],
  );
}
