/**
 * Owns: what a transport is: it carries calls and events and knows nothing of their meaning.
 * Called by: client.ts. Implemented by: electron.ts, websocket.ts.
 */
import type { AnswerEnvelope, EventEnvelope } from '../../shared/ipc/envelope.ts';

type WithoutId<Envelope> = Envelope extends unknown ? Omit<Envelope, 'id'> : never;

/** What a call comes back with. */
export type Answer = WithoutId<AnswerEnvelope>;

/** `up` the main process hears us · `down` it does not, and the transport tries again by itself. */
export type LinkState = 'connecting' | 'up' | 'down';

export interface TransportListener {
  receiveEvent(event: EventEnvelope): void;
  receiveLink(state: LinkState): void;
}

export interface Transport {
  /** Never rejects: a call that cannot be carried is answered with code `closed`. */
  invoke(call: string, input: unknown): Promise<Answer>;
  /** Hands a file of the user's to the program, which calls it by the id that this resolves with. @throws {CallError} */
  handIn(file: File, name: string): Promise<string>;
  /** Opens the connection; the returned function closes it. */
  subscribe(listener: TransportListener): () => void;
}

export const closedAnswer: Answer = { ok: false, code: 'closed', message: 'Parley is not connected.' };
