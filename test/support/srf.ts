/**
 * Owns: the real drachtio-srf as an application of an engine, in both modes, with the few types that tests need.
 * Called by: test/interop. Calls: drachtio-srf.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import DrachtioSrf from 'drachtio-srf';
import { SipEngine, type SipEngineOptions } from '../../main/sip/engine/engine.ts';

export interface SrfMessage {
  readonly body: string;
  readonly status: number;
  readonly method: string;
  readonly protocol: string;
  readonly stackTxnId: string;
  readonly stackDialogId: string;
  get(name: string): string;
}

export interface SrfRequest extends SrfMessage {
  on(event: 'response', listener: (response: SrfMessage) => void): void;
  on(event: 'cancel', listener: (request: SrfMessage) => void): void;
  cancel(callback: (error: unknown) => void): void;
}

export interface SrfResponse {
  /** `acknowledged` is called with the PRACK or ACK. */
  send(
    status: number,
    options?: object,
    callback?: (error: unknown, sent: SrfMessage) => void,
    acknowledged?: (request: SrfMessage) => void,
  ): void;
}

export interface SrfDialog {
  readonly id: string;
  readonly sip: { readonly callId: string; readonly localTag: string; readonly remoteTag: string };
  readonly local: { readonly contact: string };
  readonly remote: { readonly uri: string; readonly sdp: string };
  on(event: 'destroy', listener: (request: SrfMessage, reason: string) => void): void;
  on(event: 'ack', listener: (request: SrfMessage) => void): void;
  on(
    event: 'info' | 'modify' | 'notify',
    listener: (request: SrfRequest, response: SrfResponse) => void,
  ): void;
  destroy(): Promise<SrfMessage>;
  modify(sdp: string): Promise<string>;
  request(options: { method: string; headers?: object; body?: string }): Promise<SrfMessage>;
}

type Handler = (request: SrfRequest, response: SrfResponse) => void;

export interface Srf {
  connect(options: { host: string; port: number; secret: string }): void;
  listen(options: { server: object; secret: string }): void;
  disconnect(): void;
  on(event: string, listener: (...values: unknown[]) => void): void;
  invite(handler: Handler): void;
  register(handler: Handler): void;
  message(handler: Handler): void;
  subscribe(handler: Handler): void;
  options(handler: Handler): void;
  request(
    uri: string,
    options: { method: string; headers?: object; body?: string; auth?: object; proxy?: string },
    callback: (error: unknown, request: SrfRequest) => void,
  ): void;
  createUAC(
    uri: string,
    options: { localSdp?: string; method?: string; headers?: object; auth?: object; proxy?: string },
    progress?: {
      cbRequest?: (error: unknown, request: SrfRequest) => void;
      cbProvisional?: (response: SrfMessage) => void;
    },
  ): Promise<SrfDialog>;
  createUAS(
    request: SrfRequest,
    response: SrfResponse,
    options: { localSdp?: string; headers?: object },
  ): Promise<SrfDialog>;
  createB2BUA(
    request: SrfRequest,
    response: SrfResponse,
    uri: string,
    options: { localSdpB: string },
  ): Promise<{ uas: SrfDialog; uac: SrfDialog }>;
}

/** How the application and the engine find each other. */
export type SrfMode = 'connect' | 'listen';

export interface SrfNode extends AsyncDisposable {
  readonly srf: Srf;
  readonly engine: SipEngine;
  /** The SIP port, UDP and TCP. */
  readonly port: number;
}

const SECRET = 'cymru';

/** Starts an engine with a real application. `prepare` sets its handlers before anything can arrive. */
export async function startSrf(
  mode: SrfMode,
  prepare: (srf: Srf) => void = () => undefined,
  options: Partial<SipEngineOptions> = {},
): Promise<SrfNode> {
  const engine = new SipEngine({ secret: SECRET, ...options });
  const { port } = await engine.listenBoth('127.0.0.1', 0);
  const srf = new DrachtioSrf() as unknown as Srf;
  prepare(srf);
  srf.on('error', () => undefined);
  if (mode === 'connect') {
    const admin = await engine.listenAdmin({ host: '127.0.0.1', port: 0 });
    const connected = new Promise((done) => srf.on('connect', done));
    srf.connect({ ...admin, secret: SECRET });
    await connected;
    const close = async (): Promise<void> => {
      srf.disconnect();
      await engine[Symbol.asyncDispose]();
    };
    return { srf, engine, port, [Symbol.asyncDispose]: close };
  }
  const server = createServer();
  const path = join(tmpdir(), `srf-${randomUUID()}.sock`);
  server.listen(path);
  await once(server, 'listening');
  srf.listen({ server, secret: SECRET });
  await engine.dialApplication(path);
  const close = async (): Promise<void> => {
    await engine[Symbol.asyncDispose]();
    await new Promise((done) => server.close(done));
  };
  return { srf, engine, port, [Symbol.asyncDispose]: close };
}

/** Sends a request and waits for its final response. */
export async function ask(
  srf: Srf,
  uri: string,
  options: Parameters<Srf['request']>[1],
): Promise<SrfMessage> {
  return new Promise((done, fail) => {
    srf.request(uri, options, (error, request) => {
      if (error !== null) {
        fail(new Error('the engine refused', { cause: error }));
        return;
      }
      request.on('response', (response) => {
        if (response.status >= 200) done(response);
      });
    });
  });
}
