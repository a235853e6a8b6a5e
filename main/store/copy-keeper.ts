/**
 * Owns: writing down what a user's other devices have to be told, in the transaction in which it happens.
 * Called by: messages.ts, message-changes.ts, marks.ts. Calls: SQLite.
 */
import type { Database } from './database.ts';
import { QUEUED } from './message-rows.ts';

/** What a row of `device_copies` is about. `FILE_END`: the others know of the offer of a file, and not yet how it ended. */
export const [MESSAGE, STATE, CHANGE, READ_UP_TO, FILE_END, MARKS] = [0, 1, 2, 3, 4, 5] as const;

/** By the numbers of conversations, and the positions of messages. */
export interface CopyKeeper {
  receiveMessage(position: number, conversation: number): void;
  /** Another device has told of it meanwhile: the others know it. */
  forgetMessage(position: number, conversation: number): void;
  /** Another device has told of a file that nobody has answered: who answers it here tells the others. */
  receiveOffer(position: number, conversation: number): void;
  /** It goes out once more: the others are told of it anew. */
  receiveAgain(position: number, conversation: number): void;
  receiveState(position: number, conversation: number, before: number): void;
  receiveChange(key: number, conversation: number): void;
  receiveRead(position: number, conversation: number): void;
  receiveMarks(conversation: number): void;
}

/** Of accounts with one device nothing is written down; of groups only what was read and how it is marked: the room tells every device the rest. */
export function copyKeeper(database: Database): CopyKeeper {
  const wanted = database.prepare<[number], { in_group: number }>(
    `SELECT EXISTS (SELECT 1 FROM groups g WHERE g.conversation = c.key) AS in_group
     FROM conversations c JOIN accounts a ON a.id = c.account_id WHERE c.key = ? AND a.other_devices > 0`,
  );
  const insert = database.prepare<[number, number, number]>(
    'INSERT INTO device_copies (conversation, kind, target) VALUES (?, ?, ?)',
  );
  const forgetMessage = database.prepare<[number, number]>(
    `DELETE FROM device_copies WHERE conversation = ? AND kind IN (${MESSAGE}, ${FILE_END}) AND target = ?`,
  );
  const forgetState = database.prepare<[number, number]>(
    `DELETE FROM device_copies WHERE conversation = ? AND kind = ${STATE} AND target = ?`,
  );
  const forgetRead = database.prepare<[number]>(
    `DELETE FROM device_copies WHERE conversation = ? AND kind = ${READ_UP_TO}`,
  );
  const forgetMarks = database.prepare<[number]>(
    `DELETE FROM device_copies WHERE conversation = ? AND kind = ${MARKS}`,
  );
  const isWanted = (conversation: number) => wanted.get(conversation)?.in_group === 0;
  function receiveMessage(position: number, conversation: number): void {
    if (isWanted(conversation)) insert.run(conversation, MESSAGE, position);
  }
  return {
    receiveMessage,
    forgetMessage(position, conversation) {
      forgetMessage.run(conversation, position);
    },
    receiveOffer(position, conversation) {
      forgetMessage.run(conversation, position);
      if (isWanted(conversation)) insert.run(conversation, FILE_END, position);
    },
    receiveAgain(position, conversation) {
      forgetMessage.run(conversation, position);
      forgetState.run(conversation, position);
      receiveMessage(position, conversation);
    },
    receiveState(position, conversation, before) {
      // It goes out when it has left, with the state that it has by then.
      if (before === QUEUED || !isWanted(conversation)) return;
      forgetState.run(conversation, position);
      insert.run(conversation, STATE, position);
    },
    receiveChange(key, conversation) {
      if (isWanted(conversation)) insert.run(conversation, CHANGE, key);
    },
    receiveRead(position, conversation) {
      if (wanted.get(conversation) === undefined) return;
      forgetRead.run(conversation);
      insert.run(conversation, READ_UP_TO, position);
    },
    receiveMarks(conversation) {
      if (wanted.get(conversation) === undefined) return;
      forgetMarks.run(conversation);
      // They are about no message.
      insert.run(conversation, MARKS, 0);
    },
  };
}
