/**
 * Owns: a ladder as text. Called by: flow.ts. Calls: nothing.
 */
import type { Ladder, LadderParty } from '../../../shared/domain/ladder.ts';

const LANE: Record<LadderParty, number> = { bob: 14, server: 46, tom: 78 };
const WIDTH = 84;

/** Each message as an arrow between its lifelines, with its step and its time in ms. */
export function formatLadder(
  ladder: Ladder,
  { source, encrypted }: { readonly source: 'capture' | 'tap'; readonly encrypted: boolean },
): string {
  const head = blank();
  for (const party of ['bob', 'server', 'tom'] as const) put(head, LANE[party] - 3, ladder.names[party]);
  const lines = [head.join('').trimEnd()];
  const relayed = ladder.entries.some(({ step }) => step === 6);
  for (const { timeUs, from, to, protocol, firstLine, step } of ladder.entries) {
    const row = blank();
    for (const lane of Object.values(LANE)) put(row, lane, '│');
    const [left, right] = [Math.min(LANE[from], LANE[to]), Math.max(LANE[from], LANE[to])];
    put(row, left + 1, '─'.repeat(right - left - 1));
    put(row, LANE[to] > LANE[from] ? right - 1 : left + 1, LANE[to] > LANE[from] ? '▶' : '◀');
    const label = ` ${shorten(protocol, firstLine, right - left - 6)} `;
    put(row, left + Math.floor((right - left - label.length) / 2) + 1, label);
    const number = step === null ? '' : step === 5 && !relayed ? '5,6' : String(step);
    put(row, 0, number.padStart(4));
    lines.push(`${row.join('')}${(timeUs / 1_000).toFixed(1).padStart(9)} ms`);
  }
  const how =
    source === 'capture'
      ? 'a capture of the loopback interface'
      : `the programs' own sockets (${encrypted ? 'over TLS a capture shows nothing' : 'no dumpcap here'})`;
  const clear = encrypted
    ? 'Messages went over TLS.'
    : 'Messages went in the clear for it, which they usually do not.';
  lines.push(
    '',
    `1 is the decision to talk; ${relayed ? 'the relay answers the visit (6) after the host has (5)' : '5 and 6 are one message when messages go directly'}. Read from ${how}. ${clear}`,
    '',
  );
  return lines.join('\n');
}

function blank(): string[] {
  return Array.from({ length: WIDTH }, () => ' ');
}

function put(row: string[], at: number, text: string): void {
  for (let index = 0; index < text.length; index++) row[at + index] = text.charAt(index);
}

function shorten(protocol: 'sip' | 'msrp', firstLine: string, room: number): string {
  const text =
    protocol === 'sip'
      ? firstLine
          .replace(/ SIP\/2\.0$/, '')
          .replace(/^SIP\/2\.0 /, '')
          .replace(/ sip:.*$/, '')
      : firstLine.replace(/^MSRP \S+ /, 'MSRP ');
  return text.slice(0, room);
}
