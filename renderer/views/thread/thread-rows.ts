/** Owns: the rows of a thread: bubbles, joined by sender and minute, days and the "New" line. Called by: MessageList. */
import type { Flood } from '../../../shared/domain/flood.ts';
import type { GroupNotice } from '../../../shared/domain/group.ts';
import type { Message } from '../../../shared/domain/message.ts';

export type ThreadRow =
  | { readonly kind: 'day'; readonly key: string; readonly ms: number }
  | { readonly kind: 'new'; readonly key: string }
  /** Stands for the messages of a flood behind the first ones, or above them when it is open. `message`: one of it. */
  | { readonly kind: 'flood'; readonly key: string; readonly message: Message; readonly flood: Flood }
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
export function threadRows(
  messages: readonly Message[],
  newAfter: number | null,
  floods: readonly Flood[] = [],
): ThreadRow[] {
  const rows: ThreadRow[] = [];
  const byShown = new Map(floods.map((flood) => [flood.shown, flood]));
  let previous: Message | undefined;
  /** The message right above, unless a row stands between. */
  let voice: Message | undefined;
  let lineDrawn = newAfter === null;
  for (const message of messages) {
    const newDay = previous === undefined || !sameDay(previous.sentAtMs, message.sentAtMs);
    if (newDay) {
      rows.push({ kind: 'day', key: `day ${message.id}`, ms: message.sentAtMs });
    }
    const notice = message.group?.notice ?? null;
    if (notice !== null) {
      rows.push({ kind: 'notice', key: message.id, message, notice });
      previous = voice = message;
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
      voice !== undefined &&
      isSameVoice(voice, message) &&
      Math.floor(voice.sentAtMs / minuteMs) === Math.floor(message.sentAtMs / minuteMs);
    rows.push({ kind: 'message', key: message.id, message, joined });
    previous = voice = message;
    const flood = byShown.get(message.position);
    if (flood === undefined) continue;
    // What is new behind a collapsed flood has its line above it.
    if (!lineDrawn && !flood.open && flood.last > (newAfter ?? 0)) {
      lineDrawn = true;
      rows.push({ kind: 'new', key: 'new' });
    }
    rows.push({ kind: 'flood', key: `flood ${flood.first}`, message, flood });
    voice = undefined;
  }
  return rows;
}
