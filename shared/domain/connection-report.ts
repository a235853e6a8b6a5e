/**
 * Owns: what a test of the way to a server has found out, step by step. Called by: contract, messenger, renderer.
 * Calls: nothing.
 */

/** What a connection report tests, in this order. */
export type ConnectionStepName =
  'name' | 'address' | 'connect' | 'tls' | 'challenge' | 'registration' | 'messages-in' | 'messages-out';

/** One step; `detail` is a sentence for the user, in English. */
export interface ConnectionStep {
  readonly step: ConnectionStepName;
  readonly outcome: 'ok' | 'failed' | 'skipped';
  readonly detail: string;
}

export interface ConnectionReport {
  readonly steps: readonly ConnectionStep[];
}
