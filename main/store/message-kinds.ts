/**
 * Owns: the numbers that stand for a message's direction and kind. Called by: message-rows.ts, change-columns.ts,
 * message-changes.ts. Calls: nothing.
 */
export const IN = 0;
export const OUT = 1;

export function directionOf(number: number): 'in' | 'out' {
  return number === OUT ? 'out' : 'in';
}

export const TEXT = 0;
export const FILE = 1;
