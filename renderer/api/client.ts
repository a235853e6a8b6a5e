/**
 * Owns: the typed face of the contract in the window, and the watch over the sequence of events.
 * Called by: every state class. Calls: a transport.
 */
import type { CallInput, CallName, CallOutput, EventData, EventName } from '../../shared/ipc/contract.ts';
import type { EventEnvelope } from '../../shared/ipc/envelope.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import { ElectronTransport } from './electron.ts';
import type { LinkState, Transport } from './transport.ts';
import { socketAddress, WebSocketTransport } from './websocket.ts';

type Handler = (data: never) => void;

export class Client {
  readonly #transport: Transport;
  readonly #handlers = new Map<EventName, Set<Handler>>();
  readonly #linkHandlers = new Set<(state: LinkState) => void>();
  readonly #resyncHandlers = new Set<() => void>();
  #lastSeq: number | null = null;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Opens the connection; the returned function closes it. */
  start(): () => void {
    return this.#transport.subscribe({
      receiveEvent: (event) => this.receiveEvent(event),
      receiveLink: (state) => this.receiveLink(state),
    });
  }

  /** @throws {CallError} when the answer is not a success. */
  async call<Name extends CallName>(name: Name, input: CallInput<Name>): Promise<CallOutput<Name>> {
    const answer = await this.#transport.invoke(name, input);
    if (!answer.ok) throw new CallError(answer.code, answer.message);
    return answer.value as CallOutput<Name>;
  }

  /** Hands a file in; `transfer.send` sends it by what this resolves with. @throws {CallError} */
  handIn(file: File, name: string): Promise<string> {
    return this.#transport.handIn(file, name);
  }

  on<Name extends EventName>(event: Name, handler: (data: EventData<Name>) => void): () => void {
    const handlers = this.#handlers.get(event) ?? new Set();
    this.#handlers.set(event, handlers);
    handlers.add(handler);
    return () => handlers.delete(handler);
  }

  onLink(handler: (state: LinkState) => void): () => void {
    this.#linkHandlers.add(handler);
    return () => this.#linkHandlers.delete(handler);
  }

  /** Called when everything has to be read anew: after each connect, and when an event was missed. */
  onResync(handler: () => void): () => void {
    this.#resyncHandlers.add(handler);
    return () => this.#resyncHandlers.delete(handler);
  }

  receiveEvent({ seq, event, data }: EventEnvelope): void {
    const missed = this.#lastSeq !== null && seq !== this.#lastSeq + 1;
    this.#lastSeq = seq;
    for (const handler of this.#handlers.get(event) ?? []) handler(data as never);
    if (missed) this.#resync();
  }

  receiveLink(state: LinkState): void {
    if (state === 'up') this.#lastSeq = null;
    for (const handler of this.#linkHandlers) handler(state);
    if (state === 'up') this.#resync();
  }

  #resync(): void {
    for (const handler of this.#resyncHandlers) handler();
  }
}

/** The bridge of the desktop program when there is one, else the socket of the page's own host. */
export function chooseTransport(page: Window): Transport {
  return page.parley === undefined
    ? new WebSocketTransport(socketAddress(page.location))
    : new ElectronTransport(page.parley);
}
