/**
 * Owns: one request that we have received, and our answer. Called by: agent.ts. Calls: sip/message.ts.
 */
import type { Log } from '../../base/log.ts';
import { parseSipMessage, type SipRequest, type SipResponse } from '../message.ts';
import { hostOfAddress } from '../uri.ts';
import {
  keepForCancel,
  type DrachtioMessage,
  type DrachtioRequest,
  type DrachtioResponse,
} from './drachtio.ts';
import { toDrachtioHeaders, type OutgoingHeaders } from './outgoing.ts';

/** An incoming request from its arrival to our final answer. */
export class AgentServerRequest {
  readonly message: SipRequest;
  readonly #request: DrachtioRequest;
  readonly #response: DrachtioResponse;
  readonly #connectionLost: AbortSignal;
  readonly #log: Log;
  readonly #cancelled = new AbortController();
  #cancelReasons: readonly string[] = [];
  #answered = false;

  constructor(request: DrachtioRequest, response: DrachtioResponse, connectionLost: AbortSignal, log: Log) {
    this.message = parseSipMessage(Buffer.from(request.msg.raw, 'utf8'), {
      contentLength: 'ignore',
    }) as SipRequest;
    this.#request = request;
    this.#response = response;
    this.#connectionLost = connectionLost;
    this.#log = log;
    if (this.method === 'INVITE') {
      request.on('cancel', (cancel) => {
        this.#receiveCancel(cancel);
      });
    }
  }

  get method(): string {
    return this.message.method;
  }

  get body(): string {
    return this.message.body.toString('utf8');
  }

  /** Set for requests inside a dialog. */
  get dialogId(): string | undefined {
    const id = this.#request.stackDialogId;
    return id === undefined || id === '' ? undefined : id;
  }

  /** Address, port and transport that it came from. */
  get source(): { readonly address: string; readonly port: number; readonly transport: string } {
    const { source_address: address, source_port: port, protocol } = this.#request;
    return { address, port, transport: protocol === '' ? 'udp' : protocol };
  }

  /** The same as a SIP URI: `sip:192.0.2.1:5060;transport=tcp`. */
  get sourceUri(): string {
    const { address, port, transport } = this.source;
    return `sip:${hostOfAddress(address)}:${port};transport=${transport}`;
  }

  /** True for a BYE that the engine made itself (ACK timeout, session expiry): no answer is possible. */
  get madeByEngine(): boolean {
    return this.#request.source === 'application';
  }

  /** Aborted when the caller has cancelled; the engine has answered 487 then. */
  get cancelled(): AbortSignal {
    return this.#cancelled.signal;
  }

  /** Values of Reason in the CANCEL (RFC 3326). */
  get cancelReasons(): readonly string[] {
    return this.#cancelReasons;
  }

  /** A final answer has been given, by us or, after CANCEL, by the engine. */
  get answered(): boolean {
    return this.#answered;
  }

  /**
   * Answers. Resolves with the message as it went out and the id of the dialog that it made, or undefined when the
   * transaction is over already (cancelled, timed out, engine gone): then nothing was sent.
   */
  respond(
    status: number,
    content: { reason?: string; headers?: OutgoingHeaders; body?: string } = {},
  ): Promise<{ message: SipResponse; dialogId: string | undefined } | undefined> {
    if (this.#answered || this.madeByEngine || this.#connectionLost.aborted)
      return Promise.resolve(undefined);
    if (status >= 200) this.#answered = true;
    const { promise, resolve } = Promise.withResolvers<
      { message: SipResponse; dialogId: string | undefined } | undefined
    >();
    const lost = () => {
      resolve(undefined);
    };
    this.#connectionLost.addEventListener('abort', lost, { once: true });
    void promise.then(() => {
      this.#connectionLost.removeEventListener('abort', lost);
    });
    let release = (): void => undefined;
    const options = {
      headers: toDrachtioHeaders(content.headers),
      ...(content.body === undefined ? {} : { body: content.body }),
    };
    try {
      this.#response.send(status, content.reason, options, (error, sent) => {
        release();
        if (error || sent === undefined) {
          this.#log.debug('response.not-sent', { status, reason: String(error) });
          resolve(undefined);
          return;
        }
        const dialogId = this.#response.stackDialogId;
        resolve({
          message: parseSipMessage(Buffer.from(sent.raw, 'utf8'), { contentLength: 'ignore' }) as SipResponse,
          dialogId: dialogId === '' ? undefined : dialogId,
        });
      });
      if (status >= 200 && this.method === 'INVITE') release = keepForCancel(this.#request, this.#callId);
    } catch (error) {
      this.#log.debug('response.not-sent', { status, error });
      resolve(undefined);
    }
    return promise;
  }

  get #callId(): string {
    return this.message.headers.get('call-id') ?? '';
  }

  /** Every callback of drachtio-srf is guarded: what it throws would be thrown again and again. */
  #receiveCancel(cancel: DrachtioMessage): void {
    try {
      const { headers } = parseSipMessage(Buffer.from(cancel.raw, 'utf8'), { contentLength: 'ignore' });
      this.#cancelReasons = headers.list('reason');
    } catch (error) {
      this.#log.debug('cancel.unreadable', { error });
    }
    this.#answered = true;
    this.#cancelled.abort();
  }
}
