/**
 * Owns: one request that we have sent, and what has come back. Called by: agent.ts. Calls: sip/message.ts.
 */
import type { Log } from '../../base/log.ts';
import { parseSipMessage, type SipRequest, type SipResponse } from '../message.ts';
import type { DrachtioAck, DrachtioRequest, DrachtioResponse } from './drachtio.ts';
import { toDrachtioHeaders, type EngineError, type OutgoingHeaders } from './outgoing.ts';

/** A response, read from its raw text. */
export interface AgentResponse {
  readonly status: number;
  readonly reason: string;
  readonly message: SipResponse;
  readonly body: string;
  /** The engine's id of the dialog that this response belongs to, if any. */
  readonly dialogId: string | undefined;
  /** Where it came from; empty when the engine made it up (408, 503). */
  readonly source: { readonly address: string; readonly port: number };
  /**
   * Sends the ACK of a 2xx to INVITE; resolves when it has left. Does nothing for other responses: the engine
   * acknowledges those itself.
   */
  sendAck(content?: { headers: OutgoingHeaders; body?: string }): Promise<void>;
}

/** An outgoing request from its sending to its final response. */
export class AgentRequest {
  readonly method: string;
  readonly #log: Log;
  readonly #echo = Promise.withResolvers<SipRequest>();
  readonly #final = Promise.withResolvers<AgentResponse>();
  #request: DrachtioRequest | undefined;
  /** Headers of the CANCEL that is wanted. */
  #cancelWanted: OutgoingHeaders | undefined;
  #settled = false;
  readonly #credentials: Record<string, readonly string[]> = {};
  /** Called for each provisional response but 100. */
  onProvisional: ((response: AgentResponse) => void) | undefined;

  constructor(method: string, log: Log) {
    this.method = method;
    this.#log = log;
    // Both may be left unobserved by a caller that needs the other only.
    this.#echo.promise.catch(() => undefined);
    this.#final.promise.catch(() => undefined);
  }

  /** The message as it went out. Rejects with EngineError when it did not. */
  get sent(): Promise<SipRequest> {
    return this.#echo.promise;
  }

  /** The final response; the engine makes up a 408 or 503. Rejects with EngineError when nothing was sent. */
  get final(): Promise<AgentResponse> {
    return this.#final.promise;
  }

  /** Cancels an INVITE. The final response tells how that ended. */
  cancel(headers: OutgoingHeaders = {}): void {
    if (this.#settled || this.#cancelWanted !== undefined) return;
    this.#cancelWanted = headers;
    if (this.#request !== undefined) this.#sendCancel(this.#request, headers);
  }

  /** The engine has sent the request. */
  receiveEcho(request: DrachtioRequest): void {
    this.#request = request;
    request.on('response', (response, ack) => {
      try {
        this.#receiveResponse(response, ack);
      } catch (error) {
        this.#log.error('response.unreadable', { error });
      }
    });
    const sent = parseSipMessage(Buffer.from(request.msg.raw, 'utf8'), {
      contentLength: 'ignore',
    }) as SipRequest;
    for (const name of ['Authorization', 'Proxy-Authorization']) {
      const values = sent.headers.getAll(name);
      if (values.length > 0) this.#credentials[name] = values;
    }
    this.#echo.resolve(sent);
    if (this.#cancelWanted !== undefined) this.#sendCancel(request, this.#cancelWanted);
  }

  /** The engine has refused to send the request. */
  receiveRefusal(error: EngineError): void {
    this.#settled = true;
    this.#echo.reject(error);
    this.#final.reject(error);
  }

  #receiveResponse(response: DrachtioResponse, ack: DrachtioAck): void {
    const message = parseSipMessage(Buffer.from(response.msg.raw, 'utf8'), {
      contentLength: 'ignore',
    }) as SipResponse;
    const received: AgentResponse = {
      status: message.status,
      reason: message.reason,
      message,
      body: message.body.toString('utf8'),
      dialogId: response.stackDialogId === '' ? undefined : response.stackDialogId,
      source: { address: response.source_address, port: response.source_port },
      sendAck: (content) => {
        if (this.method !== 'INVITE' || message.status >= 300) return Promise.resolve();
        const { promise, resolve } = Promise.withResolvers<void>();
        // RFC 3261 §22.1: the ACK shows the credentials of its INVITE, since nobody can ask for them.
        const headers = { ...this.#credentials, ...content?.headers };
        const options = {
          headers: toDrachtioHeaders(headers),
          ...(content?.body === undefined ? {} : { body: content.body }),
        };
        try {
          ack(options, (error) => {
            if (error) this.#log.warn('ack.not-sent', { error });
            resolve();
          });
        } catch (error) {
          this.#log.warn('ack.not-sent', { error });
          resolve();
        }
        return promise;
      },
    };
    if (message.status < 200) {
      this.onProvisional?.(received);
      return;
    }
    this.#settled = true;
    this.#final.resolve(received);
  }

  #sendCancel(request: DrachtioRequest, headers: OutgoingHeaders): void {
    try {
      request.cancel({ headers: toDrachtioHeaders(headers) }, (error) => {
        if (error) this.#log.debug('cancel.not-sent', { error });
      });
    } catch (error) {
      this.#log.debug('cancel.not-sent', { error });
    }
  }
}
