/**
 * Owns: all files of a messenger: which may go on now, what their users decide, offers that come in.
 * Called by: messenger.ts, request-routing.ts, commands.ts, the hosts. Calls: told-files.ts, outgoing-transfer.ts,
 * incoming-transfer.ts.
 */
import { randomUUID } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { MessageGroup } from '../../shared/domain/group.ts';
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { Transfer } from '../../shared/domain/transfer.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { FileDescription } from '../msrp/file-sdp.ts';
import type { IncomingInvite } from '../sip/agent/invite.ts';
import { shownTransfer, type StoredTransfer } from '../store/transfers.ts';
import { pictureType } from '../msrp/file-body.ts';
import type { OfferedFile } from './file-offer.ts';
import { confirmFile } from './incoming-transfer.ts';
import { ChosenFiles, type ChosenFile } from './chosen-files.ts';
import { createMessageId } from './message-id.ts';
import { placed, unsent } from './new-transfer.ts';
import { serveFile } from './outgoing-transfer.ts';
import { ToldFiles, type ToldFilesHost } from './told-files.ts';
import type { AskedFile, TransferRecord } from './transfer-record.ts';
import type { UntoldFile } from './telling.ts';
import { TransferRuns } from './transfer-runs.ts';

/** What transfers need beside what one of them needs. */
export interface TransfersHost extends ToldFilesHost {
  /** Tells who has offered a file that it is not wanted. */
  sendDeclined(conversationId: ConversationId, transferId: string): Promise<void>;
}

/** Where a file goes; `group`: what its message has there. */
export interface FilePlace {
  readonly conversationId: ConversationId;
  readonly group?: MessageGroup | undefined;
}

/** The files of one messenger. */
export class Transfers implements AsyncDisposable {
  readonly #host: TransfersHost;
  readonly #runs: TransferRuns;
  readonly chosen = new ChosenFiles();
  /** Files that we are told of. */
  readonly told: ToldFiles;
  readonly #release: () => void;

  constructor(host: TransfersHost) {
    this.#host = host;
    this.#runs = new TransferRuns(host);
    this.told = new ToldFiles({
      ...{ host, runs: this.#runs },
      cancel: (messageId) => this.cancel(messageId),
      receiveDeclined: (messageId) => this.receiveDeclined(messageId),
    });
    this.#release = host.feed.subscribe(({ event, data }) => {
      // Whoever writes or has a session is there: what waits for him goes on.
      if (event === 'account.changed' && data.account.connection.status === 'online') this.#runs.goOn();
      else if (event === 'message.added' && data.message.direction === 'in')
        this.#runs.goOn(data.message.conversationId);
      else if (event === 'session.changed' && data.session.state === 'open')
        this.#runs.goOn(data.session.conversationId);
    });
  }

  /** Where received files are put. */
  get folder(): string {
    return this.#host.folder;
  }

  /** What was under way when the program last stopped goes on. */
  async open(): Promise<void> {
    for (const stored of await this.#host.store.call('selectOpenTransfers', null)) {
      const record = this.#runs.keep(stored);
      const waitsForOthers =
        stored.state === 'offered' && (stored.direction === 'in' || record.isFromElsewhere);
      if (stored.state === 'preparing') this.#runs.prepare(record);
      else if (!waitsForOthers) await this.#runs.restore(record);
    }
  }

  /** The oldest file of ours that the other side has not heard of, as long as texts wait for that. */
  untold(conversationId: ConversationId): UntoldFile | undefined {
    return this.#runs.untold(conversationId);
  }

  /** The host has a file that the user has chosen. Returns what the window calls it by. */
  choose(file: ChosenFile): string {
    return this.chosen.add(file);
  }

  /** Stores the message, then offers the file. Rejects with CallError or StoreError. */
  async send({ conversationId, group }: FilePlace, fileId: string, preview?: string): Promise<Message> {
    const chosen = this.chosen.get(fileId);
    const found = chosen && (await stat(chosen.path).catch(() => undefined));
    if (chosen === undefined || found?.isFile() !== true) {
      throw new CallError('not-found', 'This file is not there any more. Choose it again.');
    }
    this.chosen.delete(fileId);
    const described = { ...chosen, size: found.size };
    return this.#begin({ conversationId, group }, described, this.#checkPreview(preview));
  }

  /** The file of a message, from where it lies, as a new one. Rejects as `fileOf` and `send`. */
  async forward(place: FilePlace, messageId: MessageId): Promise<Message> {
    const { preview, ...file } = await this.fileOf(messageId);
    return this.#begin(place, file, preview);
  }

  async #begin(
    { conversationId, group }: FilePlace,
    described: Pick<StoredTransfer, 'name' | 'type' | 'size' | 'path'>,
    preview: Uint8Array | null,
  ): Promise<Message> {
    const id = createMessageId();
    const nowMs = Date.now();
    const file: Omit<StoredTransfer, 'messageId'> = {
      ...unsent,
      ...described,
      transferId: id,
      state: 'preparing',
      preview,
    };
    const { message } = await this.#host.store.insertMessage({
      id,
      conversationId,
      direction: 'out',
      wireId: id,
      text: file.name,
      sentAtMs: nowMs,
      storedAtMs: nowMs,
      state: 'queued',
      displayReportWanted: false,
      file,
      ...(group === undefined ? {} : { group }),
    });
    this.#host.receiveAdded(message);
    this.#runs.prepare(this.#runs.keep(placed(file, message)));
    return message;
  }

  /** The user wants a file that is offered to him. */
  async accept(messageId: MessageId): Promise<Transfer> {
    const record = await this.#runs.find(messageId);
    if (record.stored.direction !== 'in' || record.state === 'done') throw notPossible();
    const { asked } = record;
    record.asked = undefined;
    const kept = record.update({ accepted: true, state: 'waiting', failure: null });
    if (asked !== undefined) this.#runs.receive(record, asked, kept);
    await kept;
    if (asked === undefined) this.#runs.goOn(record.stored.conversationId);
    return shownTransfer(record.stored);
  }

  /** The user does not want it. */
  async decline(messageId: MessageId): Promise<Transfer> {
    const record = await this.#runs.find(messageId);
    if (record.stored.direction !== 'in' || record.state === 'done') throw notPossible();
    const { conversationId, transferId } = record.stored;
    const { asked } = record;
    await record.update({ state: 'declined', accepted: false });
    await record.stop(603);
    // It rings no more, or has stopped in this moment: nothing is open that could be answered.
    if (asked === undefined || asked.invite.cancelled.aborted)
      await this.#host.sendDeclined(conversationId, transferId);
    await this.#forgetPart(record);
    return shownTransfer(record.stored);
  }

  /** The other side has declined a file of ours some time after it had rung there. */
  async receiveDeclined(messageId: MessageId): Promise<void> {
    const record = await this.#runs.find(messageId);
    const message = await this.#host.store.call('selectMessage', { id: messageId });
    // What the server keeps for him has left, and may still be declined.
    const isOpen = !record.isSettled || (record.state === 'done' && message?.state === 'waiting');
    if (record.stored.direction !== 'out' || !isOpen) return;
    await record.close('declined');
    await record.stop();
  }

  async pause(messageId: MessageId): Promise<Transfer> {
    const record = await this.#runs.find(messageId);
    if (record.isSettled || record.isFromElsewhere || record.state === 'paused') throw notPossible();
    await record.update({ state: 'paused' });
    await record.stop(486);
    return shownTransfer(record.stored);
  }

  /** Goes on after a pause, or tries again after a failure. */
  async resume(messageId: MessageId): Promise<Transfer> {
    const found = await this.#runs.find(messageId);
    if (found.stored.direction === 'in') return this.accept(messageId);
    const record = found.isSettled ? await this.#runs.finish(found) : found;
    const { sha1, size } = record.stored;
    if (record.state === 'done' || record.isFromElsewhere) throw notPossible();
    await this.#host.moveMessage(record.id, 'queued');
    record.retryMs = this.#host.limits.retryFirstMs;
    const isKnown = sha1 !== null && size !== null && record.stored.failure?.code !== 'changed';
    await record.update({ state: isKnown ? 'waiting' : 'preparing', failure: null });
    if (isKnown) this.#runs.goOn(record.stored.conversationId);
    else this.#runs.prepare(record);
    return shownTransfer(record.stored);
  }

  /** It is not wanted any more, on either side. Where another device sends it, that one is told to stop. */
  async cancel(messageId: MessageId): Promise<Transfer> {
    const record = await this.#runs.find(messageId);
    if (record.state === 'done' || record.isFetched) throw notPossible();
    await record.close('cancelled', { accepted: record.isFromElsewhere, failure: null });
    await record.stop(603);
    await this.#forgetPart(record);
    return shownTransfer(record.stored);
  }

  /** Where a whole file lies. Rejects with CallError when it is not here. */
  async fileOf(
    messageId: MessageId,
  ): Promise<{ path: string; name: string; type: string; size: number; preview: Uint8Array | null }> {
    const stored = await this.#host.store.call('selectTransfer', { messageId });
    const { path = null } = stored ?? {};
    const found = path === null ? undefined : await stat(path).catch(() => undefined);
    if (stored === null || path === null || found?.isFile() !== true) {
      throw new CallError('not-found', 'This file is not on this computer any more.');
    }
    return { path, name: stored.name, type: stored.type, size: found.size, preview: stored.preview };
  }

  /** Somebody offers a file, or asks for one. Answered when it resolves, or it rings. */
  async receiveInvite(
    conversation: Conversation,
    invite: IncomingInvite,
    offered: OfferedFile,
    known: boolean,
  ): Promise<void> {
    const context = await this.#host.contextOf(conversation.id, 'called');
    if (context === undefined || typeof context === 'string') {
      await invite.reject(480);
      return;
    }
    const asked = { invite, offer: offered.offer, context };
    if (offered.file.direction === 'recvonly') await this.#receiveWish(conversation.id, asked, offered.file);
    else await this.#receiveOffer(conversation.id, asked, offered, known);
  }

  /** The user has declined the person: his files as well. */
  async declineAll(conversationId: ConversationId): Promise<void> {
    for (const record of this.#runs.records) {
      const { stored } = record;
      if (stored.conversationId === conversationId && stored.direction === 'in' && record.state === 'offered')
        await this.decline(record.id);
    }
  }

  /** Everything is left as it is on disk, to go on later. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#release();
    await this.#runs[Symbol.asyncDispose]();
  }

  async #receiveOffer(
    conversationId: ConversationId,
    asked: AskedFile,
    { file, icon }: OfferedFile,
    known: boolean,
  ): Promise<void> {
    const callId = asked.invite.request.message.headers.get('call-id') ?? randomUUID();
    const record = await this.told.recordOfOffer(conversationId, file, callId, icon);
    const { state } = record;
    if (state === 'done') {
      this.#runs.run(record, () => confirmFile(record, asked));
      return;
    }
    if (record.busy || state === 'paused') {
      await asked.invite.reject(486);
      return;
    }
    if (state === 'declined' || state === 'cancelled') {
      await asked.invite.reject(603);
      return;
    }
    const { size, accepted } = record.stored;
    if (accepted || (known && size !== null && size <= this.#host.autoAcceptBytes())) {
      this.#runs.receive(record, asked, record.update({ accepted: true }));
      return;
    }
    await this.#ask(record, asked);
  }

  /** Rings until the user answers, or the sender does not wait any longer: then the file can still be asked for. */
  async #ask(record: TransferRecord, asked: AskedFile): Promise<void> {
    const ringing = [...this.#runs.records].filter((each) => each.asked !== undefined).length;
    if (ringing >= this.#host.limits.maxPendingOffers) {
      await asked.invite.reject(486);
      return;
    }
    const before = record.asked;
    record.asked = asked;
    await before?.invite.reject(486);
    asked.invite.cancelled.addEventListener('abort', () => {
      if (record.asked === asked) record.asked = undefined;
    });
    await asked.invite.sendRinging();
  }

  /** The other side asks for a file that we have offered it. */
  async #receiveWish(conversationId: ConversationId, asked: AskedFile, file: FileDescription): Promise<void> {
    const stored =
      file.transferId === undefined
        ? null
        : await this.#host.store.call('selectTransferByWireId', {
            conversationId,
            direction: 'out',
            wireId: file.transferId,
          });
    const isSame = file.sha1 === undefined || file.sha1 === stored?.sha1;
    // One that has failed may have done so over there, for want of room: whoever asks can take it now.
    if (stored === null || !isSame || stored.state === 'cancelled' || stored.state === 'declined') {
      // Not 404: that would be about the person (RFC 3261 §21.4.5).
      await asked.invite.reject(410, { reason: 'No such file' });
      return;
    }
    if (stored.path === null) {
      // Another device of ours has sent it.
      await asked.invite.reject(480, { reason: 'Not on this device' });
      return;
    }
    const record = this.#runs.keep(stored);
    if (record.busy && record.state === 'offered') {
      // It rings on one of his devices, and he wants it on another.
      const { call, task } = record;
      await call?.end();
      await task;
    }
    if (record.busy || record.state === 'paused' || record.state === 'preparing') {
      await asked.invite.reject(486);
      return;
    }
    this.#runs.run(record, () => serveFile(this.#host, record, asked, file.start));
  }

  async #forgetPart(record: TransferRecord): Promise<void> {
    const { partPath } = record.stored;
    await record.task;
    if (partPath === null) return;
    await rm(partPath, { force: true }).catch(() => undefined);
    await record.update({ partPath: null, bytesDone: 0 });
  }

  #checkPreview(preview: string | undefined): Uint8Array | null {
    if (preview === undefined) return null;
    const bytes = Buffer.from(preview, 'base64');
    const isPicture = pictureType(bytes) !== undefined;
    return isPicture && bytes.length <= this.#host.limits.maxPreviewBytes ? bytes : null;
  }
}

function notPossible(): CallError {
  return new CallError('not-allowed', 'This is not possible with this file any more.');
}
