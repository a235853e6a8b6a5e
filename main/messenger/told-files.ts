/**
 * Owns: files that we are told of, by whoever offers them, by the server, a room or another device of our user: which
 * message each of them is. Called by: transfers.ts. Calls: transfer-runs.ts, the store.
 */
import { randomUUID } from 'node:crypto';
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { MessageGroup } from '../../shared/domain/group.ts';
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { FileIcon } from '../msrp/file-body.ts';
import type { FileDescription } from '../msrp/file-sdp.ts';
import { isFromElsewhere, type StoredTransfer } from '../store/transfers.ts';
import { readOffer, type CopiedFile, type OfferedFile, type ToldFile } from './file-offer.ts';
import type { RoomMarks } from './inbox.ts';
import type { MessageContent } from './message-content.ts';
import { boundedId, offeredTransfer, placed } from './new-transfer.ts';
import type { TransferHost, TransferRecord } from './transfer-record.ts';
import type { TransferRuns } from './transfer-runs.ts';

/** What they need beside what one file needs. */
export interface ToldFilesHost extends TransferHost {
  autoAcceptBytes(): number;
  /** A message of a file is on disk. */
  receiveAdded(message: Message): void;
}

export interface ToldFilesOptions {
  readonly host: ToldFilesHost;
  readonly runs: TransferRuns;
  cancel(messageId: MessageId): Promise<unknown>;
  receiveDeclined(messageId: MessageId): Promise<void>;
}

/** What the message of an offer is stored with. */
interface OfferMarks {
  readonly isCopy?: boolean;
  readonly isOpenOffer?: boolean;
  readonly wireId?: string;
  readonly group?: MessageGroup;
}

/** The offers of one messenger. */
export class ToldFiles {
  readonly #options: ToldFilesOptions;
  readonly #host: ToldFilesHost;
  readonly #runs: TransferRuns;

  constructor(options: ToldFilesOptions) {
    this.#options = options;
    this.#host = options.host;
    this.#runs = options.runs;
  }

  /** The server tells of a file that it keeps for us: its offer, as it was made. False: it is no offer of a file. */
  async receiveKept(
    { id, standing }: Conversation,
    kept: { contentType: string; bytes: Buffer; wireId: string; sentAtMs: number | undefined },
    known: boolean,
  ): Promise<boolean> {
    const offered = this.#read(kept.contentType, kept.bytes);
    if (offered === undefined || offered.file.direction !== 'sendonly' || standing === 'declined')
      return false;
    const { file, icon } = offered;
    const sentMs = file.sentMs ?? kept.sentAtMs;
    const record = await this.recordOfOffer(id, { ...file, sentMs }, kept.wireId, icon);
    await this.#acceptIfKnown(record, known);
    return true;
  }

  /**
   * Another device of our user tells of a file: what he has sent is shown as it stands there, and fetched when it is over;
   * what he has received goes as any other.
   */
  async receiveCopy({ id }: Conversation, copy: CopiedFile): Promise<ToldFile> {
    const offered = this.#read(copy.contentType, copy.content);
    if (offered === undefined) return 'unreadable';
    const { icon } = offered;
    const file = { ...offered.file, sentMs: copy.sentAtMs };
    if (copy.direction === 'out') return this.#receiveOwn(id, copy, offeredTransfer(file, icon, copy.wireId));
    const isOpenOffer = copy.fileState === 'offered';
    const record = await this.recordOfOffer(id, file, copy.wireId, icon, { isCopy: true, isOpenOffer });
    if (record.state !== 'offered' || isOpenOffer) return 'theirs';
    // Our user, or a rule of his, has taken it there.
    if (copy.fileState === 'done') await this.#acceptIfKnown(record, true);
    else {
      await record.update({ state: copy.fileState });
      await record.stop(603);
    }
    return 'theirs';
  }

  /** Our user has sent it from another device, which may have left it at the server; or from here, and stops it there. */
  async #receiveOwn(
    conversationId: ConversationId,
    { wireId, state, fileState, sentAtMs }: Pick<CopiedFile, 'wireId' | 'state' | 'fileState' | 'sentAtMs'>,
    described: Omit<StoredTransfer, 'messageId'>,
    group?: MessageGroup,
  ): Promise<ToldFile> {
    const place = { conversationId, direction: 'out', wireId } as const;
    const known = await this.#host.store.call('selectTransferByWireId', place);
    if (known !== null && !isFromElsewhere(known)) {
      await this.#receiveStop(this.#runs.keep(known), fileState);
      return 'ours';
    }
    const isThere = fileState === 'done';
    const change = { accepted: true, state: isThere ? ('waiting' as const) : fileState, failure: null };
    const file = { ...described, ...change };
    const nowMs = Date.now();
    const { message, duplicate } = await this.#host.store.insertMessage({
      ...{ ...place, id: wireId as MessageId, file, state, text: file.name, isCopy: true },
      ...{ sentAtMs: Math.min(sentAtMs ?? nowMs, nowMs), storedAtMs: nowMs, displayReportWanted: false },
      isOpenOffer: fileState === 'offered',
      ...(group === undefined ? {} : { group }),
    });
    if (duplicate && message.file === undefined) return 'theirs';
    if (duplicate) {
      const record = await this.#runs.find(message.id);
      // It is here, or comes: nothing more is to be heard of it.
      if (record.state === 'done' || record.isFetched) return 'theirs';
      await record.update(change);
    } else {
      this.#host.receiveAdded(message);
      this.#runs.keep(placed(file, message));
    }
    if (isThere) this.#runs.goOn(conversationId);
    return 'theirs';
  }

  /** What has become of a file of this device is told from here; another one may only ask for its end. */
  async #receiveStop(record: TransferRecord, fileState: CopiedFile['fileState']): Promise<void> {
    if (record.isSettled) return;
    if (fileState === 'cancelled') await this.#options.cancel(record.id);
    else if (fileState === 'declined') await this.#options.receiveDeclined(record.id);
  }

  /** A room tells of a file that its server keeps for all who belong to it. False: it is no offer of a file. */
  async receiveFromRoom(
    { id }: Conversation,
    told: Pick<MessageContent, 'contentType' | 'bytes' | 'wireId' | 'sentAtMs'>,
    { direction, group }: RoomMarks,
  ): Promise<boolean> {
    const offered = this.#read(told.contentType, told.bytes);
    if (offered?.file.direction !== 'sendonly' || group.isPrivate) return false;
    const { icon } = offered;
    const { wireId, sentAtMs } = told;
    const file = { ...offered.file, sentMs: offered.file.sentMs ?? sentAtMs };
    const stored = offeredTransfer(file, icon, wireId);
    if (direction === 'out') {
      const copy = { wireId, state: 'sent', fileState: 'done', sentAtMs: file.sentMs } as const;
      const whose = await this.#receiveOwn(id, copy, stored, group);
      if (whose === 'ours') await this.#receiveArrived(id, wireId);
      return true;
    }
    const { message, duplicate } = await this.#insert(id, wireId, stored, file.sentMs, { group });
    if (!duplicate) await this.#acceptIfKnown(this.#runs.keep(placed(stored, message)), true);
    // The first one of that id stays, as of texts: nobody puts a file of his in its place.
    else if (message.file !== undefined && message.group?.person?.address === group.person?.address)
      await this.#acceptIfKnown(await this.#runs.find(message.id), true);
    return true;
  }

  /** The room has a file of ours, whatever became of the answer. */
  async #receiveArrived(conversationId: ConversationId, wireId: string): Promise<void> {
    const place = { conversationId, direction: 'out', wireId } as const;
    const stored = await this.#host.store.call('selectTransferByWireId', place);
    const record = stored === null ? undefined : this.#runs.keep(stored);
    if (record === undefined || record.busy || record.isSettled) return;
    await record.update({ state: 'done', bytesDone: record.stored.size ?? 0 });
    await this.#host.moveMessage(record.id, 'sent');
  }

  #read(contentType: string, content: Buffer): OfferedFile | undefined {
    return readOffer(contentType, content.toString('utf8'), this.#host.limits.maxPreviewBytes);
  }

  async #acceptIfKnown(record: TransferRecord, known: boolean): Promise<void> {
    const { size, accepted, conversationId } = record.stored;
    if (record.state !== 'offered' || record.busy) return;
    if (!accepted && !(known && size !== null && size <= this.#host.autoAcceptBytes())) return;
    await record.update({ accepted: true, state: 'waiting' });
    this.#runs.goOn(conversationId);
  }

  /** The record of a file that is offered to our user, new or known. */
  async recordOfOffer(
    conversationId: ConversationId,
    file: FileDescription,
    fallbackId: string,
    icon: FileIcon | undefined,
    more: OfferMarks = {},
  ): Promise<TransferRecord> {
    // Who gives no id offers a new file each time.
    const { wireId = boundedId(file.transferId ?? fallbackId), ...marks } = more;
    const stored = offeredTransfer(file, icon, wireId);
    const { message, duplicate } = await this.#insert(conversationId, wireId, stored, file.sentMs, marks);
    if (!duplicate) return this.#runs.keep(placed(stored, message));
    const record = await this.#runs.find(message.id);
    const { sha1, size } = stored;
    const known = record.stored;
    if (known.sha1 === sha1 && known.size === size) return record;
    // The same id for another file: one that is here already stays, beside the new one.
    if (record.state === 'done') {
      // Of one that is here more may be known than its offer says.
      if ((sha1 ?? known.sha1) === known.sha1 && (size ?? known.size) === known.size) return record;
      const beside = boundedId(`${wireId} ${sha1 ?? ''} ${size ?? ''}`);
      return this.recordOfOffer(conversationId, file, fallbackId, icon, { ...marks, wireId: beside });
    }
    return this.#offerAnew(record, stored);
  }

  async #insert(
    conversationId: ConversationId,
    wireId: string,
    file: Omit<StoredTransfer, 'messageId'>,
    sentMs: number | undefined,
    marks: Omit<OfferMarks, 'wireId'>,
  ): Promise<{ message: Message; duplicate: boolean }> {
    const nowMs = Date.now();
    const inserted = await this.#host.store.insertMessage({
      id: randomUUID() as MessageId,
      conversationId,
      direction: 'in',
      wireId,
      text: file.name,
      sentAtMs: Math.min(sentMs ?? nowMs, nowMs),
      storedAtMs: nowMs,
      state: 'received',
      displayReportWanted: false,
      file,
      ...marks,
    });
    if (!inserted.duplicate) this.#host.receiveAdded(inserted.message);
    return inserted;
  }

  /** Another file than it was: nothing of the old one may end up in it, and nobody has agreed to it yet. */
  async #offerAnew(
    record: TransferRecord,
    stored: Omit<StoredTransfer, 'messageId'>,
  ): Promise<TransferRecord> {
    await record.stop(486);
    const kept = await this.#runs.finish(record);
    const isRefused = kept.state === 'declined' || kept.state === 'cancelled';
    const { partPath } = kept.stored;
    await kept.update({ ...stored, partPath, state: isRefused ? kept.state : 'offered', bytesDone: 0 });
    return kept;
  }
}
