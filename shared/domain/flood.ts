/**
 * Owns: what a flood is: many messages of one person in a row, and what is shown of it.
 * Called by: contract, announcements, store, messenger, renderer. Calls: valibot.
 */
import * as v from 'valibot';
import type { Message } from './message.ts';

export const floodRule = {
  /** A message continues a run that is sent at most so long after or before the one above it. */
  gapMs: 5_000,
  /** A run of more messages is a flood. */
  ceiling: 20,
  /** As many of its first messages are always shown. */
  shown: 5,
  /** No run goes over a position that this divides: whoever writes for a year is not followed to his first message. */
  stretch: 16_384,
} as const;

/** More of them are never on a page and open together. */
export const maxKnownFloods = 200;

const position = v.pipe(v.number(), v.integer(), v.minValue(0));

/** A flood by the positions of its messages. It is known by its first one: others follow while it goes on. */
export const floodSchema = v.object({
  first: position,
  /** The last message that is shown while it is collapsed. */
  shown: position,
  last: position,
  /** When its last message was sent, milliseconds since 1970. */
  lastSentAtMs: v.number(),
  /** All its messages. */
  count: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** The user wants to see all of it. */
  open: v.boolean(),
});
export type Flood = v.InferOutput<typeof floodSchema>;

/** What decides whether two messages, one right behind the other, are of one run. */
export interface RunMark {
  readonly position: number;
  readonly direction: 'in' | 'out';
  readonly sentAtMs: number;
  /** Who wrote it in a group, by address or any other name; null: the other person. */
  readonly person: string | number | null;
  readonly isPrivate: boolean;
  /** It says what has happened in a group. */
  readonly isNotice: boolean;
}

export function runMarkOf({ position, direction, sentAtMs, group }: Message): RunMark {
  return {
    position,
    direction,
    sentAtMs,
    person: group?.person?.address ?? null,
    isPrivate: group?.isPrivate ?? false,
    isNotice: (group?.notice ?? null) !== null,
  };
}

/** What others have written is collapsed; what we write ourselves, or what happens, never. */
export function isCollapsible({ direction, isNotice }: RunMark): boolean {
  return direction === 'in' && !isNotice;
}

/** Two messages that lie side by side are of one run. */
export function isOneRun(a: RunMark, b: RunMark): boolean {
  return (
    isCollapsible(a) &&
    isCollapsible(b) &&
    a.person === b.person &&
    a.isPrivate === b.isPrivate &&
    Math.floor(a.position / floodRule.stretch) === Math.floor(b.position / floodRule.stretch) &&
    Math.abs(a.sentAtMs - b.sentAtMs) <= floodRule.gapMs
  );
}

/** Neighbours of one conversation, cut where a run ends. What cannot be collapsed is a run of its own. */
export function runsOf(messages: readonly Message[]): Message[][] {
  const runs: Message[][] = [];
  let previous: RunMark | undefined;
  for (const message of messages) {
    const mark = runMarkOf(message);
    if (previous !== undefined && isOneRun(previous, mark)) runs.at(-1)?.push(message);
    else runs.push([message]);
    previous = mark;
  }
  return runs;
}

/** The flood that a whole run is, collapsed; undefined: it is none. */
export function floodOf(run: readonly Message[]): Flood | undefined {
  const [first, shown, last] = [run[0], run[floodRule.shown - 1], run.at(-1)];
  if (run.length <= floodRule.ceiling || first === undefined || shown === undefined || last === undefined) {
    return undefined;
  }
  return {
    first: first.position,
    shown: shown.position,
    last: last.position,
    lastSentAtMs: last.sentAtMs,
    count: run.length,
    open: false,
  };
}

/** The message at this position is behind the row of a collapsed flood. */
export function isBehind({ shown, last, open }: Flood, at: number): boolean {
  return !open && shown < at && at <= last;
}
