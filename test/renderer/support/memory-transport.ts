/** Owns: a memory backend as a transport that can be cut and restored. Called by: renderer tests. */
import {
  closedAnswer,
  type Answer,
  type Transport,
  type TransportListener,
} from '../../../renderer/api/transport.ts';
import type { MemoryBackend } from './memory-backend.ts';

export class MemoryTransport implements Transport {
  readonly backend: MemoryBackend;
  #listener: TransportListener | null = null;
  #up = false;
  #unsubscribe = (): void => undefined;

  constructor(backend: MemoryBackend) {
    this.backend = backend;
  }

  invoke(call: string, input: unknown): Promise<Answer> {
    return this.#up ? this.backend.invoke(call, input) : Promise.resolve(closedAnswer);
  }

  handIn(_file: File, name: string): Promise<string> {
    const id = String(this.backend.handedIn.size).padStart(32, '0');
    this.backend.handedIn.set(id, name);
    return Promise.resolve(id);
  }

  subscribe(listener: TransportListener): () => void {
    this.#listener = listener;
    this.restore();
    return () => this.cut();
  }

  cut(): void {
    this.#up = false;
    this.#unsubscribe();
    this.#listener?.receiveLink('down');
  }

  restore(): void {
    this.#up = true;
    this.#listener?.receiveLink('up');
    this.#unsubscribe = this.backend.subscribe((event) => this.#listener?.receiveEvent(event));
  }
}
