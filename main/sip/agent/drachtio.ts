/**
 * Owns: the few parts of drachtio-srf that the agent uses, as types, and the one place that imports it.
 * Called by: agent.ts. Calls: drachtio-srf.
 *
 * Only its lowest layer is used (requests, responses, frames). Its Dialog, createUAC, createUAS and digest client
 * are not: they answer a BYE before we can order it, swallow failed re-INVITEs and know MD5 only.
 */
import type { Server } from 'node:net';
import Srf from 'drachtio-srf';

export interface DrachtioMessage {
  readonly raw: string;
}

/** Sends ACK or PRACK; `sent` is called when the engine has sent it. */
export type DrachtioAck = (options: object | undefined, sent: (error: unknown) => void) => void;

export interface DrachtioRequest {
  readonly msg: DrachtioMessage;
  readonly method: string;
  readonly source: string;
  readonly source_address: string;
  readonly source_port: number;
  readonly protocol: string;
  readonly stackTxnId: string;
  readonly stackDialogId: string | undefined;
  on(
    event: 'response',
    listener: (response: DrachtioResponse, ack: (options?: object) => void) => void,
  ): void;
  on(event: 'cancel', listener: (cancel: DrachtioMessage) => void): void;
  cancel(options: { headers: Record<string, string> }, callback: (error: unknown) => void): void;
}

export interface DrachtioResponse {
  readonly msg: DrachtioMessage;
  readonly status: number;
  readonly source_address: string;
  readonly source_port: number;
  readonly stackDialogId: string | undefined;
  send(
    status: number,
    reason: string | undefined,
    options: { headers: Record<string, string>; body?: string },
    callback: (error: unknown, sent?: DrachtioMessage) => void,
  ): void;
  meta?: { dialogId?: string };
}

export interface DrachtioRequestOptions {
  readonly uri?: string;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly proxy?: string;
  readonly stackDialogId?: string;
}

/** One srf: serves or dials the control connection of a SIP engine. */
export interface DrachtioSrf {
  use(handler: (request: DrachtioRequest, response: DrachtioResponse) => void): void;
  use(method: string, handler: (request: DrachtioRequest, response: DrachtioResponse) => void): void;
  listen(options: { server: Server; secret: string }): void;
  connect(options: {
    host: string;
    port: number;
    secret: string;
    enablePing: boolean;
    reconnect: { retryMaxDelay: number };
  }): void;
  request(
    options: DrachtioRequestOptions,
    callback: (error: unknown, request?: DrachtioRequest) => void,
  ): void;
  disconnect(): void;
  on(event: 'connect', listener: (error: unknown, hostport: string) => void): void;
  on(event: 'error' | 'close' | 'reconnecting', listener: (error: unknown) => void): void;
}

/** A new srf with nothing opened. */
export function createSrf(): DrachtioSrf {
  const srf = new Srf() as unknown as DrachtioSrf & { app: DrachtioSrf; request: DrachtioSrf['request'] };
  return {
    use: (...args: unknown[]) => {
      (srf.app.use as (...all: unknown[]) => void)(...args);
    },
    listen: (options) => {
      srf.listen(options);
    },
    connect: (options) => {
      srf.connect(options);
    },
    request: (options, callback) => {
      // The request function of the layer below srf: no promise, no digest retry of its own.
      srf.app.request(options, callback);
    },
    disconnect: () => {
      // Before it has ever connected it refuses to disconnect, and would go on dialling for ever.
      const { wp } = (srf.app as unknown as { client?: { wp?: { closing?: boolean } } }).client ?? {};
      if (wp !== undefined) wp.closing = true;
      srf.disconnect();
    },
    on: (event: string, listener: (...args: never[]) => void) => {
      (srf.on as (event: string, listener: (...args: never[]) => void) => void).call(srf, event, listener);
    },
  };
}

/** INVITEs that drachtio-srf would hand a CANCEL to, by their Call-ID, for each control connection. */
interface PendingInvites {
  readonly agent?: {
    readonly mapServer?: Map<unknown, { readonly pendingNetworkInvites?: Map<string, { req: unknown }> }>;
  };
  readonly socket?: unknown;
}

/**
 * drachtio-srf forgets an INVITE as soon as its answer is written to the engine. The answer and a CANCEL may cross there:
 * then the engine has sent 487, and the CANCEL says why. To be called after the answer was written; returns the release,
 * for when the engine has said what became of it.
 */
export function keepForCancel(request: DrachtioRequest, callId: string): () => void {
  const { agent, socket } = request as PendingInvites;
  const pending = agent?.mapServer?.get(socket)?.pendingNetworkInvites;
  pending?.set(callId, { req: request });
  return () => {
    if (pending?.get(callId)?.req === request) pending.delete(callId);
  };
}
