/**
 * Owns: which picture is shown large, and the other pictures of its conversation, page by page.
 * Called by: app (events), file cards, details, picture views. Calls: the client.
 */
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { Transfer } from '../../shared/domain/transfer.ts';
import { isPicture } from '../api/file-url.ts';
import type { Client } from '../api/client.ts';

const pageSize = 20;
/** So many are known on both sides of the one that is shown, if there are any. */
const readAhead = 3;

export type PictureSide = 'older' | 'newer';

export class PictureViewer {
  readonly #client: Client;
  /** In the order of the conversation. */
  #pictures = $state.raw<readonly Message[]>([]);
  #shownId = $state<MessageId | null>(null);
  /** Whether there may be more than those that are known. */
  #more = $state({ older: false, newer: false });
  problem = $state.raw<unknown>(null);
  /** How far has been read, picture or not. */
  #read = { older: 0, newer: 0 };
  readonly #loading = new Map<PictureSide, Promise<void>>();
  #generation = 0;

  readonly shown = $derived(this.#pictures.find(({ id }) => id === this.#shownId));

  constructor(client: Client) {
    this.#client = client;
  }

  /** Whether a message is a picture that can be looked at here. */
  takes({ file }: Message): boolean {
    return file !== undefined && isPicture(file);
  }

  async open(message: Message): Promise<void> {
    this.problem = null;
    this.#shownId = message.id;
    await this.#readAround(message);
  }

  close(): void {
    this.#generation += 1;
    this.#shownId = null;
    this.#pictures = [];
  }

  has(side: PictureSide): boolean {
    return this.#neighbour(side) !== undefined || this.#more[side];
  }

  /** To the next picture on that side; it is read first when it is not known yet. */
  async step(side: PictureSide): Promise<void> {
    const generation = this.#generation;
    if (this.#neighbour(side) === undefined) await this.#load(side);
    const next = this.#neighbour(side);
    if (generation !== this.#generation || next === undefined) return;
    this.#shownId = next.id;
    await this.#loadAround();
  }

  /** Something has come to a conversation. */
  applyMessageAdded({ conversationId }: Message): void {
    if (conversationId === this.shown?.conversationId) this.#more.newer = true;
  }

  applyTransferChanged(conversationId: ConversationId, messageId: MessageId, file: Transfer): void {
    const { shown } = this;
    if (shown?.conversationId !== conversationId) return;
    if (this.#pictures.some(({ id }) => id === messageId))
      this.#pictures = this.#pictures.map((each) => (each.id === messageId ? { ...each, file } : each));
    // It has its place among the others, which may have been read before it was here.
    else if (file.state === 'done' && isPicture(file)) void this.#readAround(shown);
  }

  /** The one beside it takes the place of a picture that has left the history. */
  applyMessagesDeleted(conversationId: ConversationId, positions: readonly number[]): void {
    const { shown } = this;
    if (shown?.conversationId !== conversationId) return;
    if (positions.includes(shown.position)) {
      const next = this.#neighbour('newer') ?? this.#neighbour('older');
      if (next === undefined) {
        this.close();
        return;
      }
      this.#shownId = next.id;
    }
    this.#pictures = this.#pictures.filter(({ position }) => !positions.includes(position));
  }

  #neighbour(side: PictureSide): Message | undefined {
    const place = this.#pictures.findIndex(({ id }) => id === this.#shownId);
    return place < 0 ? undefined : this.#pictures[side === 'older' ? place - 1 : place + 1];
  }

  async #readAround(message: Message): Promise<void> {
    this.#generation += 1;
    this.#loading.clear();
    this.#pictures = [message];
    this.#more = { older: true, newer: true };
    this.#read = { older: message.position, newer: message.position };
    await this.#loadAround();
  }

  async #loadAround(): Promise<void> {
    const place = this.#pictures.findIndex(({ id }) => id === this.#shownId);
    const known = { older: place, newer: this.#pictures.length - 1 - place };
    const sides = (['older', 'newer'] as const).filter((side) => known[side] < readAhead);
    await Promise.all(sides.map((side) => this.#load(side)));
  }

  #load(side: PictureSide): Promise<void> {
    const present = this.#loading.get(side);
    if (present !== undefined) return present;
    const loading = this.#readUntilFound(side).finally(() => {
      if (this.#loading.get(side) === loading) this.#loading.delete(side);
    });
    this.#loading.set(side, loading);
    return loading;
  }

  async #readUntilFound(side: PictureSide): Promise<void> {
    const generation = this.#generation;
    const { shown } = this;
    if (shown === undefined) return;
    let found = 0;
    while (found === 0 && this.#more[side]) {
      const from = this.#read[side];
      try {
        const page = await this.#client.call('browse.withTrait', {
          conversationId: shown.conversationId,
          trait: 'image',
          limit: pageSize,
          ...(side === 'older' ? { before: from } : { after: from }),
        });
        if (generation !== this.#generation) return;
        const pictures = page.messages.filter((message) => this.takes(message));
        found = pictures.length;
        this.#read[side] = page.messages.at(-1)?.position ?? from;
        this.#more[side] = page.hasMore;
        this.#pictures =
          side === 'older' ? [...pictures.reverse(), ...this.#pictures] : [...this.#pictures, ...pictures];
        this.problem = null;
      } catch (error) {
        if (generation === this.#generation) this.problem = error;
        return;
      }
    }
  }
}
