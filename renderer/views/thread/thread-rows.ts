/** Owns: the rows of a thread: bubbles, joined by sender and minute, days and the "New" line. Called by: MessageList. */
import type { GroupNotice } from '../../../shared/domain/group.ts';
import type { Message } from '../../../shared/domain/message.ts';

export type ThreadRow =
  | { readonly kind: 'day'; readonly key: string; readonly ms: number }
  | { readonly kind: 'new'; readonly key: string }
  /** What has happened in a group. */
  | { readonly kind: 'notice'; readonly key: string; readonly message: Message; readonly notice: GroupNotice }
  | { readonly kind: 'message'; readonly key: string; readonly message: Message; readonly joined: boolean };

const minuteMs = 60_000;

function sameDay(a: number, b: number): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString();
}

/** By the same person, to the same people. */
function isSameVoice(a: Message, b: Message): boolean {
  return (
    a.direction === b.direction &&
    (a.group?.notice ?? null) === null &&
    a.group?.person?.address === b.group?.person?.address &&
    a.group?.isPrivate === b.group?.isPrivate
  );
}

/** `newAfter`: the line stands before the first incoming message after this position; null: there is none. */
export function threadRows(messages: readonly Message[], newAfter: number | null): ThreadRow[] {
  const rows: ThreadRow[] = [];
  let previous: Message | undefined;
  let lineDrawn = newAfter === null;
  for (const message of messages) {
    const newDay = previous === undefined || !sameDay(previous.sentAtMs, message.sentAtMs);
    if (newDay) {
      rows.push({ kind: 'day', key: `day ${message.id}`, ms: message.sentAtMs });
    }
    const notice = message.group?.notice ?? null;
    if (notice !== null) {
      rows.push({ kind: 'notice', key: message.id, message, notice });
      previous = message;
      continue;
    }
    const drawLine = !lineDrawn && message.direction === 'in' && message.position > (newAfter ?? 0);
    if (drawLine) {
      lineDrawn = true;
      rows.push({ kind: 'new', key: 'new' });
    }
    const joined =
      !newDay &&
      !drawLine &&
      previous !== undefined &&
      isSameVoice(previous, message) &&
      Math.floor(previous.sentAtMs / minuteMs) === Math.floor(message.sentAtMs / minuteMs);
    rows.push({ kind: 'message', key: message.id, message, joined });
    previous = message;
  }
  return rows;
}
