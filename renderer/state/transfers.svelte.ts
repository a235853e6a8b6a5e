/**
 * Owns: what the user does with files: handing them in, answering, pausing; and how fast each one goes.
 * Called by: app (events), thread views. Calls: the client, picture-preview.ts.
 */
import { SvelteMap } from 'svelte/reactivity';
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { Transfer } from '../../shared/domain/transfer.ts';
import type { Client } from '../api/client.ts';
import { picturePreview } from './picture-preview.ts';

/** What can be asked of a file by its message alone. */
export type TransferAction =
  'accept' | 'decline' | 'pause' | 'resume' | 'cancel' | 'open' | 'reveal' | 'save';

/** A file on its way from the user to the program. */
export interface HandedIn {
  readonly key: number;
  readonly name: string;
}

const smoothing = 0.3;
const pastedNames: Readonly<Record<string, string>> = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/gif': 'gif',
  'image/webp': 'webp',
};

interface Pace {
  readonly bytes: number;
  readonly ms: number;
  /** Bytes in a second. */
  readonly rate: number;
}

export class Transfers {
  readonly #client: Client;
  readonly #paces = new SvelteMap<MessageId, Pace>();
  /** What the last wish about a file was refused with. */
  readonly problems = new SvelteMap<MessageId, unknown>();
  /** Files that are being handed in, by conversation. */
  readonly handedIn = new SvelteMap<ConversationId, readonly HandedIn[]>();
  #lastKey = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Sends files in their order. @throws the problem of the first that could not be sent; the others are. */
  async send(conversationId: ConversationId, files: readonly File[]): Promise<void> {
    const problems: unknown[] = [];
    for (const file of files) {
      const handed = { key: ++this.#lastKey, name: fileName(file) };
      this.handedIn.set(conversationId, [...(this.handedIn.get(conversationId) ?? []), handed]);
      try {
        const [fileId, preview] = await Promise.all([
          this.#client.handIn(file, handed.name),
          picturePreview(file),
        ]);
        await this.#client.call('transfer.send', {
          conversationId,
          fileId,
          ...(preview === null ? {} : { preview }),
        });
      } catch (error) {
        problems.push(error);
      } finally {
        const left = (this.handedIn.get(conversationId) ?? []).filter(({ key }) => key !== handed.key);
        this.handedIn.set(conversationId, left);
      }
    }
    if (problems.length > 0) throw problems[0];
  }

  async do(action: TransferAction, messageId: MessageId): Promise<void> {
    this.problems.delete(messageId);
    try {
      await this.#client.call(`transfer.${action}`, { messageId });
    } catch (error) {
      this.problems.set(messageId, error);
    }
  }

  async saveText(messageId: MessageId): Promise<void> {
    this.problems.delete(messageId);
    try {
      await this.#client.call('message.save', { messageId });
    } catch (error) {
      this.problems.set(messageId, error);
    }
  }

  /** Bytes in a second; null while nothing can be said. */
  rate(messageId: MessageId): number | null {
    const pace = this.#paces.get(messageId);
    return pace === undefined || pace.rate <= 0 ? null : pace.rate;
  }

  applyTransferChanged(
    messageId: MessageId,
    { state, bytesDone }: Transfer,
    nowMs = performance.now(),
  ): void {
    if (state !== 'transferring') {
      this.#paces.delete(messageId);
      return;
    }
    const before = this.#paces.get(messageId);
    const passedMs = nowMs - (before?.ms ?? nowMs);
    if (before === undefined || bytesDone < before.bytes) {
      this.#paces.set(messageId, { bytes: bytesDone, ms: nowMs, rate: 0 });
    } else if (passedMs > 0) {
      const now = ((bytesDone - before.bytes) * 1_000) / passedMs;
      const rate = before.rate === 0 ? now : before.rate + smoothing * (now - before.rate);
      this.#paces.set(messageId, { bytes: bytesDone, ms: nowMs, rate });
    }
  }
}

/** What was pasted has no name of its own. */
function fileName(file: File): string {
  const extension = pastedNames[file.type];
  if (extension === undefined || !/^image\.\w+$/.test(file.name)) return file.name;
  const now = new Date();
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  return `${day} ${two(now.getHours())}.${two(now.getMinutes())}.${two(now.getSeconds())}.${extension}`;
}
