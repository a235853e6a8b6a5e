/**
 * Owns: what a spec runs inside of the program, as Playwright's `electronApp.evaluate` does on the real Electron.
 * Called by: electron.ts. Calls: the parent process.
 */
import { runInThisContext } from 'node:vm';

interface Question {
  readonly id: number;
  readonly source: string;
  readonly argument: unknown;
}

/** Answers the parent's questions, if it has started us with a channel. */
export function answerTests(electron: object): void {
  process.on('message', (question: Question) => void answer(electron, question));
  // The channel alone keeps no program alive.
  process.channel?.unref();
}

async function answer(electron: object, { id, source, argument }: Question): Promise<void> {
  try {
    const run = runInThisContext(`(${source})`) as (electron: object, argument: unknown) => unknown;
    process.send?.({ id, value: (await run(electron, argument)) ?? null });
  } catch (error) {
    process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}
