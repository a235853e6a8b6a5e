/**
 * Owns: SENDs of one session on their way in: chunks to whole messages, answers, and the rule that the last chunk is
 * answered only when the application has stored the message. Called by: session.ts. Calls: reassembly.ts, reports.ts,
 * then the application with each whole message.
 */
import type { Clock } from '../base/clock.ts';
import type { MsrpLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import type { MsrpConnection, MsrpFrameSink } from './connection.ts';
import type { MsrpFlag, MsrpHead } from './message.ts';
import { MsrpReassembly, type MsrpIncomingChunk, type MsrpWholeMessage } from './reassembly.ts';
import { sendResponse, sendSuccessReport } from './reports.ts';
import type { MsrpBodySink, MsrpMessageHead, MsrpSinkFor } from './streams.ts';
import { parseMsrpPath, type MsrpUri } from './uri.ts';

/** A whole message as the application gets it. */
export interface MsrpIncomingMessage {
  readonly messageId: string;
  readonly contentType: string;
  /** May be a view of a larger buffer; it is the receiver's to keep. */
  readonly body: Buffer;
  readonly fromPath: readonly MsrpUri[];
  readonly successReportWanted: boolean;
}

/** What the incoming side of a session needs. */
export interface MsrpReceivingOptions {
  readonly limits: MsrpLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly acceptTypes: readonly string[];
  readonly localPath: string;
  /** Resolve = stored; rejection with a ProtocolError = its status. */
  readonly receiveMessage: (message: MsrpIncomingMessage) => Promise<void>;
  /** Where a message goes that is not to be collected in memory. */
  readonly sinkFor?: MsrpSinkFor | undefined;
}

/** A frame of which only its end matters. */
export const IGNORED_FRAME: MsrpFrameSink = {
  receiveBody: () => undefined,
  receiveEnd: () => undefined,
};

/** A request that is answered with `status` when it has ended. */
export class AnsweredFrame implements MsrpFrameSink {
  readonly #connection: MsrpConnection;
  readonly #head: MsrpHead;
  readonly #status: number;

  constructor(connection: MsrpConnection, head: MsrpHead, status: number) {
    this.#connection = connection;
    this.#head = head;
    this.#status = status;
  }

  receiveBody(): void {
    // Not wanted.
  }

  receiveEnd(): void {
    sendResponse(this.#connection, this.#head, this.#status);
  }
}

class IncomingSend implements MsrpFrameSink {
  readonly #receiving: MsrpReceiving;
  readonly #connection: MsrpConnection;
  readonly #head: MsrpHead;
  readonly #chunk: MsrpIncomingChunk;
  #refused = false;

  constructor(
    receiving: MsrpReceiving,
    connection: MsrpConnection,
    head: MsrpHead,
    chunk: MsrpIncomingChunk,
  ) {
    this.#receiving = receiving;
    this.#connection = connection;
    this.#head = head;
    this.#chunk = chunk;
  }

  receiveBody(bytes: Buffer): void {
    if (this.#refused) return;
    try {
      if (!this.#chunk.receiveBody(bytes)) this.#receiving.receiveFull(this.#connection);
    } catch (error) {
      this.#refuse(error);
    }
  }

  receiveEnd(flag: MsrpFlag): void {
    if (this.#refused) return;
    try {
      const message = this.#chunk.receiveEnd(flag);
      if (message === undefined) sendResponse(this.#connection, this.#head, 200, flag === '+');
      else this.#receiving.deliver(this.#connection, this.#head, message);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** At once, not at the end of the chunk: 413 means stop sending (RFC 4975 §10.5). */
  #refuse(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    this.#refused = true;
    this.#chunk.refuse(error);
    this.#receiving.refuse(this.#connection, this.#head, error);
  }
}

/** The incoming side of one session. */
export class MsrpReceiving implements Disposable {
  readonly #options: MsrpReceivingOptions;
  readonly #reassembly: MsrpReassembly;
  readonly #checkType: (contentType: string) => void;
  /** A connection that is not read because a sink is full. */
  #held: MsrpConnection | undefined;
  #unsettled = 0;
  #unsettledBytes = 0;
  #drained: PromiseWithResolvers<undefined> | undefined;
  #fromPathText = '';
  #fromPath: readonly MsrpUri[] = [];

  constructor(options: MsrpReceivingOptions) {
    this.#options = options;
    this.#reassembly = new MsrpReassembly(options.limits, options.clock);
    this.#checkType = createTypeCheck(options.acceptTypes);
  }

  /** Whether a SEND is a visit or keep-alive: no body, and not the end of a message that has begun. */
  isVisit(head: MsrpHead): boolean {
    if (head.method === 'VISIT') return true;
    if (head.hasBody && (head.contentType !== undefined || head.byteRange !== '1-0/0')) return false;
    return !this.#reassembly.has(head.messageId);
  }

  /** A SEND with content begins (step 4 of the way of a SEND). */
  receiveSend(connection: MsrpConnection, head: MsrpHead): MsrpFrameSink {
    try {
      const chunk = this.#reassembly.receiveChunk(head, this.#checkType, this.#sinkFor);
      return new IncomingSend(this, connection, head, chunk);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (error.answer !== 413) return new AnsweredFrame(connection, head, this.#statusOf(error));
      this.refuse(connection, head, error);
      return IGNORED_FRAME;
    }
  }

  /** Answers a chunk with the status of `error`. */
  refuse(connection: MsrpConnection, head: MsrpHead, error: ProtocolError): void {
    this.#options.log.info('msrp.message.refused', { code: error.code, messageId: head.messageId });
    sendResponse(connection, head, this.#statusOf(error));
  }

  /** A sink is full: nothing more is read until it has room. */
  receiveFull(connection: MsrpConnection): void {
    this.#held = connection;
    connection.pause(this.#sinkFor);
  }

  readonly #sinkFor = (message: MsrpMessageHead): MsrpBodySink | undefined =>
    this.#options.sinkFor?.(message, () => {
      const held = this.#held;
      this.#held = undefined;
      held?.resume(this.#sinkFor);
    });

  /** Hands a whole message up; `head` is that of the chunk that made it whole, answered when it is stored. */
  deliver(connection: MsrpConnection, head: MsrpHead, message: MsrpWholeMessage): void {
    const { messageId, contentType, size, body, sink, successReportWanted } = message;
    const fromPath = this.parseFromPath(head);
    this.#unsettled++;
    this.#unsettledBytes += body.length;
    if (this.#isFull()) connection.pause(this);
    const stored =
      sink === undefined
        ? this.#store({ messageId, contentType, body, fromPath, successReportWanted })
        : sink.end(size);
    stored.then(
      () => {
        sendResponse(connection, head, 200);
        if (successReportWanted) {
          const { localPath } = this.#options;
          sendSuccessReport(connection, {
            toPath: head.fromPath ?? '',
            fromPath: localPath,
            messageId,
            size,
          });
        }
        this.#settle(connection, body.length);
      },
      (error: unknown) => {
        sendResponse(connection, head, this.#statusOfRejection(error, messageId));
        this.#settle(connection, body.length);
      },
    );
  }

  /** The From-Path of a request, parsed once as long as it stays the same. Throws ProtocolError 400. */
  parseFromPath(head: MsrpHead): readonly MsrpUri[] {
    const text = head.fromPath ?? '';
    if (text !== this.#fromPathText) {
      this.#fromPath = parseMsrpPath(text, this.#options.limits.maxPathUris);
      this.#fromPathText = text;
    }
    return this.#fromPath;
  }

  /** Resolves when every message that was handed up is settled and answered. */
  drained(): Promise<undefined> {
    if (this.#unsettled === 0) return Promise.resolve(undefined);
    this.#drained ??= Promise.withResolvers<undefined>();
    return this.#drained.promise;
  }

  [Symbol.dispose](): void {
    this.#reassembly[Symbol.dispose]();
    this.#held?.resume(this.#sinkFor);
    this.#held = undefined;
  }

  /** An application that throws is one that rejects. */
  async #store(message: MsrpIncomingMessage): Promise<void> {
    await this.#options.receiveMessage(message);
  }

  #isFull(): boolean {
    const { maxUnsettledMessages, maxUnsettledBytes } = this.#options.limits;
    return this.#unsettled > maxUnsettledMessages || this.#unsettledBytes > maxUnsettledBytes;
  }

  #settle(connection: MsrpConnection, size: number): void {
    this.#unsettled--;
    this.#unsettledBytes -= size;
    if (!this.#isFull()) connection.resume(this);
    if (this.#unsettled > 0) return;
    this.#drained?.resolve(undefined);
    this.#drained = undefined;
  }

  #statusOf(error: ProtocolError): number {
    return error.answer === 'close' ? 400 : error.answer;
  }

  #statusOfRejection(error: unknown, messageId: string): number {
    if (error instanceof ProtocolError) return this.#statusOf(error);
    this.#options.log.error('msrp.message.not-stored', { messageId, error });
    return 400;
  }
}

/** Whether a Content-Type is on the list that our SDP announced (RFC 4975 §8.6): `*`, `type/*` or exact. */
function createTypeCheck(acceptTypes: readonly string[]): (contentType: string) => void {
  const accepted = new Set(acceptTypes.map((type) => type.toLowerCase()));
  const known = new Set<string>();
  return (contentType) => {
    if (accepted.has('*') || known.has(contentType)) return;
    const type = (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
    const top = type.split('/', 1)[0] ?? '';
    if (!accepted.has(type) && !accepted.has(`${top}/*`)) {
      throw new ProtocolError('MSRP_TYPE_NOT_ACCEPTED', 415, `${type.slice(0, 100)} is not accepted`);
    }
    if (known.size < 16) known.add(contentType);
  };
}
