/**
 * Owns: what a screen reader is told of messages as they come: each of a few, and of a flood now and then how many.
 * Called by: app. Calls: the announcer.
 */
import { floodRule, isOneRun, runMarkOf, type RunMark } from '../../shared/domain/flood.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { Announcer } from './announcer.svelte.ts';

interface Run {
  /** Of its newest message. */
  mark: RunMark;
  count: number;
  /** Messages that nothing has been said of. */
  unsaid: number;
  /** What is said of so many. */
  more: (count: number) => string;
}

export class Arrivals {
  readonly #announcer: Announcer;
  /** The last run of each conversation. */
  readonly #runs = new Map<ConversationId, Run>();
  /** Something will be said of them, and when. */
  readonly #waiting = new Map<Run, ReturnType<typeof setTimeout>>();

  constructor(announcer: Announcer) {
    this.#announcer = announcer;
  }

  /** `text`: what is said of this message; `more`: of so many of a flood. */
  receive(message: Message, text: string, more: Run['more']): void {
    const mark = runMarkOf(message);
    const run = this.#continue(message.conversationId, mark);
    run.more = more;
    if (run.count <= floodRule.ceiling) {
      this.#announcer.say(text);
      return;
    }
    run.unsaid += 1;
    if (this.#waiting.has(run)) return;
    this.#waiting.set(
      run,
      setTimeout(() => this.#say(run), floodRule.gapMs),
    );
  }

  stop(): void {
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
    this.#runs.clear();
  }

  #continue(id: ConversationId, mark: RunMark): Run {
    const last = this.#runs.get(id);
    if (last !== undefined && isOneRun(last.mark, mark)) {
      last.mark = mark;
      last.count += 1;
      return last;
    }
    const run: Run = { mark, count: 1, unsaid: 0, more: String };
    this.#runs.set(id, run);
    return run;
  }

  #say(run: Run): void {
    this.#announcer.say(run.more(run.unsaid));
    run.unsaid = 0;
    this.#waiting.delete(run);
  }
}
