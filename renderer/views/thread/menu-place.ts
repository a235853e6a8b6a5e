/** Owns: where on the screen the menu of a message opens. Called by: MessageList, MessageMenu. Calls: nothing. */
import type { Message } from '../../../shared/domain/message.ts';

export interface MenuPlace {
  readonly message: Message;
  readonly x: number;
  readonly y: number;
}
