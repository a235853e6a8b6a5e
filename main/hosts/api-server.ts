/**
 * Owns: the border of the main process: validates calls, carries them out, answers, pushes the feed.
 * Called by: each host's transport (electron/ipc.ts, browser/websocket.ts). Calls: messenger/commands.ts, messenger/feed.ts.
 */
import * as v from 'valibot';
import { callInputs, type CallName } from '../../shared/ipc/contract.ts';
import { callEnvelopeSchema, type AnswerEnvelope, type EventEnvelope } from '../../shared/ipc/envelope.ts';
import { CallError, type ErrorCode } from '../../shared/ipc/error-codes.ts';
import type { Release } from '../base/lifetime.ts';
import { IPC_LIMITS } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { Commands } from '../messenger/commands.ts';
import type { Feed } from '../messenger/feed.ts';
import { StoreError } from '../store/database.ts';

/** What a window talks to. */
export type WindowApi = Pick<ApiServer, 'receiveCall' | 'subscribe'>;

/** Serves the contract to any transport whose sender has been checked. */
export class ApiServer {
  #commands: Partial<Commands>;
  #isOpen: boolean;
  readonly #feed: Feed;
  readonly #log: Log;
  readonly #receiveSubscribers: (count: number) => void;
  readonly #receiveAnswered: (call: CallName) => void;
  #pending = 0;
  #subscribers = 0;

  /** `commands`: all that may be called; with `isOpen` false what may be called before {@link serve}. */
  constructor(options: {
    commands: Partial<Commands>;
    feed: Feed;
    log: Log;
    isOpen?: boolean;
    /** How many windows listen, whenever that changes. */
    receiveSubscribers?: (count: number) => void;
    /** Which call has been carried out; not what was refused. */
    receiveAnswered?: (call: CallName) => void;
  }) {
    this.#commands = options.commands;
    this.#isOpen = options.isOpen ?? true;
    this.#receiveSubscribers = options.receiveSubscribers ?? (() => undefined);
    this.#receiveAnswered = options.receiveAnswered ?? (() => undefined);
    this.#feed = options.feed;
    this.#log = options.log;
  }

  /** What the window shows is open: these may be called from now on, all others are refused. */
  serve(commands: Partial<Commands>): void {
    this.#commands = commands;
    this.#isOpen = true;
  }

  /** One call as it came from the wire. Never rejects: every outcome is an answer. */
  async receiveCall(envelope: unknown): Promise<AnswerEnvelope> {
    const parsed = v.safeParse(callEnvelopeSchema, envelope);
    if (!parsed.success) {
      return refusal(0, 'invalid-input', 'A call is an object with id, call and input.');
    }
    const { id, call, input } = parsed.output;
    if (!isCallName(call)) return refusal(id, 'unknown-call', `There is no call "${call}".`);
    if (this.#pending >= IPC_LIMITS.maxPendingCalls) {
      return refusal(id, 'too-many', 'Too many calls are under way. Wait for some of them.');
    }
    this.#pending += 1;
    try {
      const value = await this.#invoke(call, input ?? {});
      this.#receiveAnswered(call);
      return { id, ok: true, value };
    } catch (error) {
      return this.#answerError(id, call, error);
    } finally {
      this.#pending -= 1;
    }
  }

  /** Undefined when there are too many subscribers. `push` must not throw. */
  subscribe(push: (event: EventEnvelope) => void): Release | undefined {
    if (this.#subscribers >= IPC_LIMITS.maxSubscribers) return undefined;
    this.#subscribers += 1;
    this.#receiveSubscribers(this.#subscribers);
    const unsubscribe = this.#feed.subscribe(push);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#subscribers -= 1;
      unsubscribe();
      this.#receiveSubscribers(this.#subscribers);
    };
  }

  async #invoke(call: CallName, input: unknown): Promise<unknown> {
    const checked = v.parse(callInputs[call], input);
    // Each handler takes what its own schema yields; the pairing is by name, which types cannot follow here.
    const handler = this.#commands[call] as ((input: unknown) => Promise<unknown>) | undefined;
    if (handler === undefined) throw this.#refusalOf();
    return handler(checked);
  }

  #refusalOf(): CallError {
    return this.#isOpen
      ? new CallError('read-only', 'This window only reads: nothing can be changed or sent in it.')
      : new CallError('not-open', 'The history is not open yet.');
  }

  #answerError(id: number | string, call: string, error: unknown): AnswerEnvelope {
    if (error instanceof CallError) return refusal(id, error.code, error.message);
    if (error instanceof v.ValiError) {
      const issue = (error.issues as [v.BaseIssue<unknown>])[0];
      const path = v.getDotPath(issue);
      return refusal(id, 'invalid-input', path === null ? issue.message : `${path}: ${issue.message}`);
    }
    if (error instanceof StoreError) {
      return refusal(id, error.code === 'STORE_FULL' ? 'disk-full' : 'store-failed', error.message);
    }
    this.#log.error('call.failed', { call, error });
    return refusal(id, 'internal', 'Something went wrong inside Parley. The log has the details.');
  }
}

function isCallName(name: string): name is CallName {
  return Object.hasOwn(callInputs, name);
}

function refusal(id: number | string, code: ErrorCode, message: string): AnswerEnvelope {
  return { id, ok: false, code, message };
}
