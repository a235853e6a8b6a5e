/**
 * Owns: the transport over a WebSocket to the host that served the page; reconnects with a growing pause.
 * Called by: client.ts. Calls: the browser's WebSocket.
 */
import type { AnswerEnvelope, EventEnvelope } from '../../shared/ipc/envelope.ts';
import { CallError, type ErrorCode } from '../../shared/ipc/error-codes.ts';
import { closedAnswer, type Answer, type Transport, type TransportListener } from './transport.ts';

const firstPauseMs = 250;
const longestPauseMs = 8_000;

/** `ws(s)://host/ipc` of the page's own origin; the session cookie travels with the handshake. */
export function socketAddress(page: Pick<Location, 'protocol' | 'host'>): string {
  return `${page.protocol === 'https:' ? 'wss' : 'ws'}://${page.host}/ipc`;
}

interface Waiting {
  readonly frame: string;
  sent: boolean;
  readonly settle: (answer: Answer) => void;
}

export class WebSocketTransport implements Transport {
  readonly #address: string;
  readonly #waiting = new Map<number, Waiting>();
  #socket: WebSocket | null = null;
  #listener: TransportListener | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #pauseMs = firstPauseMs;
  #lastId = 0;

  constructor(address: string) {
    this.#address = address;
  }

  invoke(call: string, input: unknown): Promise<Answer> {
    const socket = this.#socket;
    if (socket === null || socket.readyState > WebSocket.OPEN) return Promise.resolve(closedAnswer);
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((settle) => {
      const waiting = { frame: JSON.stringify({ id, call, input }), sent: false, settle };
      this.#waiting.set(id, waiting);
      if (socket.readyState === WebSocket.OPEN) this.#send(socket, waiting);
    });
  }

  /** Over HTTP to the host of the page: the browser streams it from the disk. */
  async handIn(file: File, name: string): Promise<string> {
    const query = new URLSearchParams({ name, type: file.type });
    let answer: { fileId?: string; code?: ErrorCode; message?: string };
    try {
      const response = await fetch(`/files?${query}`, { method: 'POST', body: file });
      answer = (await response.json()) as typeof answer;
    } catch {
      throw new CallError('closed', closedAnswer.ok ? '' : closedAnswer.message);
    }
    if (answer.fileId === undefined) throw new CallError(answer.code ?? 'internal', answer.message ?? '');
    return answer.fileId;
  }

  subscribe(listener: TransportListener): () => void {
    this.#listener = listener;
    this.#connect();
    return () => {
      this.#listener = null;
      clearTimeout(this.#retry);
      this.#socket?.close();
      this.#socket = null;
      this.#answerAllClosed();
    };
  }

  #connect(): void {
    this.#listener?.receiveLink('connecting');
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    socket.addEventListener('open', () => {
      this.#pauseMs = firstPauseMs;
      for (const waiting of this.#waiting.values()) if (!waiting.sent) this.#send(socket, waiting);
      this.#listener?.receiveLink('up');
    });
    socket.addEventListener('message', ({ data }) => this.#receiveFrame(String(data)));
    socket.addEventListener('close', () => this.#receiveClose(socket));
  }

  #send(socket: WebSocket, waiting: Waiting): void {
    waiting.sent = true;
    socket.send(waiting.frame);
  }

  /** The host is ours and of our own version, so its envelopes are taken as they come. */
  #receiveFrame(text: string): void {
    const frame = JSON.parse(text) as AnswerEnvelope | EventEnvelope;
    if ('event' in frame) {
      this.#listener?.receiveEvent(frame);
      return;
    }
    const waiting = this.#waiting.get(Number(frame.id));
    this.#waiting.delete(Number(frame.id));
    waiting?.settle(frame);
  }

  #receiveClose(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.#answerAllClosed();
    this.#listener?.receiveLink('down');
    this.#retry = setTimeout(() => this.#connect(), this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
  }

  #answerAllClosed(): void {
    for (const waiting of this.#waiting.values()) waiting.settle(closedAnswer);
    this.#waiting.clear();
  }
}
