/**
 * Owns: talking to a headless messenger from another program. Called by: flow.ts, bench, tests. Calls: ws.
 */
import { WebSocket } from 'ws';
import type { CallInput, CallName, CallOutput, EventData, EventName } from '../../../shared/ipc/contract.ts';
import type { AnswerEnvelope, EventEnvelope } from '../../../shared/ipc/envelope.ts';
import { CallError } from '../../../shared/ipc/error-codes.ts';

const CALL_TIMEOUT_MS = 30_000;

/** One connection to `/ipc` of a messenger. */
export class IpcClient implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #listeners = new Set<(event: EventEnvelope) => void>();
  #nextId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => {
      this.#receive(JSON.parse(data.toString('utf8')) as AnswerEnvelope | EventEnvelope);
    });
    socket.on('close', () => {
      for (const waiting of this.#waiting.values())
        waiting.reject(new CallError('closed', 'The messenger has gone.'));
      this.#waiting.clear();
    });
    socket.on('error', () => {
      socket.terminate();
    });
  }

  /** Connects with what `npm run headless` printed. */
  static async connect({ url, token }: { url: string; token: string }): Promise<IpcClient> {
    const socket = new WebSocket(url, { headers: { Authorization: `Bearer ${token}` } });
    const client = new IpcClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  /** Rejects with CallError. */
  call<Name extends CallName>(call: Name, input: CallInput<Name>): Promise<CallOutput<Name>> {
    const id = ++this.#nextId;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#socket.send(JSON.stringify({ id, call, input }));
    return waiting.promise as Promise<CallOutput<Name>>;
  }

  /** Every event of one kind. Returns the release. */
  on<Name extends EventName>(name: Name, listener: (data: EventData<Name>) => void): () => void {
    const receive = (event: EventEnvelope) => {
      if (event.event === name) listener(event.data);
    };
    this.#listeners.add(receive);
    return () => this.#listeners.delete(receive);
  }

  /** The first event of one kind that fits; rejects after `timeoutMs`. */
  waitFor<Name extends EventName>(
    name: Name,
    fits: (data: EventData<Name>) => boolean,
    timeoutMs = CALL_TIMEOUT_MS,
  ): Promise<EventData<Name>> {
    const { promise, resolve, reject } = Promise.withResolvers<EventData<Name>>();
    const timer = setTimeout(() => {
      reject(new Error(`no ${name} that fits within ${timeoutMs} ms`));
    }, timeoutMs);
    const release = this.on(name, (data) => {
      if (fits(data)) resolve(data);
    });
    return promise.finally(() => {
      clearTimeout(timer);
      release();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise<void>((done) => this.#socket.once('close', () => done()));
    this.#socket.close();
    const force = setTimeout(() => {
      this.#socket.terminate();
    }, 1_000);
    await closed;
    clearTimeout(force);
  }

  #receive(envelope: AnswerEnvelope | EventEnvelope): void {
    if ('event' in envelope) {
      for (const listener of this.#listeners) listener(envelope);
      return;
    }
    const waiting = this.#waiting.get(Number(envelope.id));
    this.#waiting.delete(Number(envelope.id));
    if (envelope.ok) waiting?.resolve(envelope.value);
    else waiting?.reject(new CallError(envelope.code, envelope.message));
  }
}
