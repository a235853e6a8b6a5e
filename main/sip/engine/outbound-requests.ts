/**
 * Owns: what the application sends: new requests, requests in dialogs, ACK, CANCEL (RFC 3261 §8.1, §12.2.1).
 * Called by: engine.ts with each `sip` frame that holds a request. Calls: outbound-in-dialog.ts, send-and-echo.ts.
 */
import { serialiseSipMessage, type SipRequest, type SipResponse } from '../message.ts';
import { tryParseSipUri, type SipUri } from '../uri.ts';
import type { Application } from './application.ts';
import type { ClientTransactionUser } from './client-transaction.ts';
import { KNOWN_METHODS, type EngineContext } from './context.ts';
import {
  fromNetwork,
  madeUp,
  requestEchoTokens,
  sipTokens,
  type ControlFrame,
  type FrameSource,
} from './control-frame.ts';
import { dialogIdOf } from './dialog.ts';
import { newCallId, newTag, newTransactionId } from './ids.ts';
import { buildMadeUpResponse, buildRequest, contactOf, fromOf, toOf } from './message-builder.ts';
import { OutboundInDialog } from './outbound-in-dialog.ts';
import { NextHops } from './next-hops.ts';
import { followRoute, secureContact, wantsSecureContact } from './preloaded-route.ts';
import type { OtherWays } from './request-attempts.ts';
import { sendAndEcho, type OpenInvites } from './send-and-echo.ts';
import { attemptToSend, OWN_ACK, refuseToSend, UNKNOWN_DIALOG } from './send-refusals.ts';
import { flowForSize } from './size-rule.ts';
import { whenReady, type Soon } from './soon.ts';
import { followSubscription } from './subscriptions.ts';
import type { Flow, Hop } from './transport.ts';
import { sentenceOf, Unreachable } from './unreachable.ts';

/** Out of dialog the engine adds a Contact to these. */
const NEW_WITH_CONTACT = new Set(['INVITE', 'SUBSCRIBE', 'REFER']);
/** Requests that follow a registered contact to its connection. */
const TO_BINDINGS = new Set(['INVITE', 'OPTIONS', 'NOTIFY', 'MESSAGE']);

/** A flow that goes nowhere: for the echo of a request that could not be sent. */
const NOWHERE: Flow = {
  transport: 'udp',
  remoteAddress: '',
  remotePort: 0,
  localAddress: '0.0.0.0',
  localPort: 0,
};

/** All that applications send. */
export class OutboundRequests implements Disposable {
  readonly #context: EngineContext;
  /** INVITEs without final response, by transaction id. */
  readonly #invites: OpenInvites = new Map();
  readonly #inDialog: OutboundInDialog;

  constructor(context: EngineContext) {
    this.#context = context;
    this.#inDialog = new OutboundInDialog(context, this.#invites);
  }

  /** A frame with a request. `line` is its start line as the application wrote it. */
  sendRequest(owner: Application, frame: ControlFrame, request: SipRequest): void {
    const [transactionId = '', dialogId = '', routeUrl = ''] = frame.tokens;
    if (dialogId !== '') this.#inDialog.sendRequest(owner, frame.msgId, dialogId, request);
    else if (transactionId !== '') this.#sendCancel(owner, frame.msgId, transactionId, request);
    else this.#sendNew(owner, frame.msgId, request, routeUrl);
  }

  /** The application is gone: what it has begun is ended. */
  abandon(owner: Application): void {
    for (const { invite, owner: other } of [...this.#invites.values()]) if (other === owner) invite.drop();
  }

  /** Ends all waiting, silently. */
  [Symbol.dispose](): void {
    for (const { invite } of this.#invites.values()) invite[Symbol.dispose]();
  }

  #sendCancel(owner: Application, msgId: string, transactionId: string, request: SipRequest): void {
    const known = this.#invites.get(transactionId);
    if (request.method !== 'CANCEL' || known?.owner !== owner) {
      owner.sendNok(msgId, `unable to cancel unknown transaction id: ${transactionId}`);
    } else known.invite.sendCancel(msgId, request.headers);
  }

  #sendNew(owner: Application, msgId: string, request: SipRequest, routeUrl: string): void {
    const { method } = request;
    const target = tryParseSipUri(request.uri);
    if (!KNOWN_METHODS.has(method) || target === undefined) {
      owner.sendNok(msgId, `invalid request-uri: ${method} ${request.uri} SIP/2.0`);
      return;
    }
    if (method === 'ACK' || method === 'CANCEL' || method === 'PRACK') {
      owner.sendNok(msgId, method === 'ACK' ? OWN_ACK : UNKNOWN_DIALOG);
      return;
    }
    if (routeUrl !== '' || !request.headers.has('route')) {
      const nextHop = routeUrl === '' ? target : parseRouteUrl(routeUrl);
      if (nextHop === undefined) owner.sendNok(msgId, `invalid request-uri: ${routeUrl}`);
      else this.#sendNewTo(owner, msgId, request, { target, nextHop, isRouted: routeUrl !== '' });
      return;
    }
    attemptToSend(owner, msgId, () => {
      const routed = followRoute(request) ?? { request, nextHop: target };
      this.#sendNewTo(owner, msgId, routed.request, { target, nextHop: routed.nextHop, isRouted: true });
    });
  }

  /** `target`: what the application asked for; `isRouted`: it has said where that goes first. */
  #sendNewTo(
    owner: Application,
    msgId: string,
    request: SipRequest,
    way: { readonly target: SipUri; readonly nextHop: SipUri; readonly isRouted: boolean },
  ): void {
    const { method } = request;
    const { target, nextHop } = way;
    const { transactions, dialogs } = this.#context;
    const isFull = method === 'INVITE' ? dialogs.full : method === 'SUBSCRIBE' && dialogs.subscriptionsFull;
    if (transactions.clientsFull || isFull) {
      owner.sendNok(msgId, 'too many transactions or dialogs');
      return;
    }
    if (nextHop.scheme === 'tel') {
      // A number without a server that knows where it is (RFC 3261 §8.2.2.1 has the status).
      attemptToSend(owner, msgId, () =>
        this.#answerUnsent(owner, msgId, request, 416, 'Unsupported URI Scheme'),
      );
      return;
    }
    const bound =
      !way.isRouted && TO_BINDINGS.has(method) ? this.#context.bindings.flowTo(target) : undefined;
    // RFC 3261 §26.2.2: a sips Request-URI wants TLS on this hop, whoever it is.
    const isSecure = target.scheme === 'sips';
    const send = (flow: Flow, hops?: NextHops): void =>
      attemptToSend(owner, msgId, () => this.#sendNewOn(owner, msgId, request, flow, hops));
    attemptToSend(owner, msgId, () => {
      if (bound !== undefined && (!isSecure || bound.transport === 'tls')) {
        send(bound);
        return;
      }
      const fail = (error: unknown): void => this.#failToReach(owner, msgId, request, error);
      const begin = (hops: readonly Hop[]): void => {
        const { transport, dead } = this.#context;
        const left = new NextHops(transport, dead, hops);
        whenReady(
          orRejection(() => left.next()),
          (flow) => send(flow, left),
          fail,
        );
      };
      whenReady(
        this.#context.resolver.resolve(isSecure ? { ...nextHop, scheme: 'sips' } : nextHop),
        begin,
        fail,
      );
    });
  }

  /** Sends on the first flow. A request that is too large for it may take another one (RFC 3261 §18.1.1). */
  #sendNewOn(owner: Application, msgId: string, request: SipRequest, flow: Flow, hops?: NextHops): void {
    if (this.#context.transport.isOwn(flow)) {
      owner.sendNok(msgId, 'can not send request to myself');
      return;
    }
    const built = this.#buildNew(request, flow);
    const contactFor = (other: Flow): string | undefined => newContactOf(request, other);
    const ways: OtherWays = { contactFor, ...(hops === undefined ? {} : { hops }) };
    whenReady(
      flowForSize(this.#context, flow, () => serialiseSipMessage(built).length),
      (other) =>
        attemptToSend(owner, msgId, () => {
          if (other === flow) this.#send(owner, msgId, built, flow, ways);
          else this.#send(owner, msgId, this.#buildNew(request, other), other, { ...ways, fallback: flow });
        }),
      (error) => refuseToSend(owner, msgId, error),
    );
  }

  /** @throws ProtocolError */
  #buildNew(request: SipRequest, flow: Flow): SipRequest {
    const { headers, method, body } = request;
    const given = Number.parseInt(headers.get('cseq') ?? '', 10);
    return buildRequest({
      method,
      uri: request.uri,
      flow,
      from: fromOf(headers, flow, newTag),
      to: toOf(headers, request.uri, flow),
      callId: headers.get('call-id') ?? newCallId(),
      cseq: Number.isSafeInteger(given) && given >= 0 ? given : this.#context.cseq.next(),
      // What the application has preloaded (RFC 3261 §8.1.2: an outbound proxy).
      routes: headers.getAll('route'),
      contact: newContactOf(request, flow),
      userAgent: this.#context.userAgent,
      given: headers,
      body,
    });
  }

  #send(owner: Application, msgId: string, request: SipRequest, flow: Flow, ways: OtherWays): void {
    const userOf = (id: string): ClientTransactionUser =>
      followSubscription(this.#context, owner, request, this.#userOf(owner, id, request, flow));
    sendAndEcho(this.#context, this.#invites, { owner, msgId, request, flow, ways, userOf });
  }

  /** Passes the responses of a request other than INVITE up. */
  #userOf(
    owner: Application,
    transactionId: string,
    request: SipRequest,
    sentFlow: Flow,
  ): ClientTransactionUser {
    const dialogId = request.method === 'SUBSCRIBE' ? dialogIdOf(request) : '';
    const pass = (source: FrameSource, response: SipResponse): void => {
      const tokens = sipTokens(source, this.#context.clock.now(), { transactionId, dialogId });
      owner.sendFrame(tokens, serialiseSipMessage(response));
    };
    const makeUp = (status: number, reason: string, error: Error): void => {
      const response = buildMadeUpResponse(request, sentFlow, status, reason, error.message);
      pass(madeUp(sentFlow.transport), response);
    };
    return {
      receiveResponse: (response, flow, bytes) => {
        if (request.method === 'REGISTER' && response.status >= 200 && response.status < 300) {
          this.#context.keepAlives.receiveRegistered(request, response, flow);
        }
        if (response.status > 100) pass(fromNetwork(flow, bytes), response);
      },
      receiveTimeout: (error) => makeUp(408, 'Request Timeout', error),
      receiveTransportError: (error) => makeUp(503, 'Service Unavailable', error),
    };
  }

  /** Nothing to send to, or nobody there: the request counts as sent and answered 503, as drachtio does it. */
  #failToReach(owner: Application, msgId: string, request: SipRequest, error: unknown): void {
    if (!(error instanceof Unreachable)) {
      refuseToSend(owner, msgId, error);
      return;
    }
    this.#context.log.info('sip.reach.failed', { error });
    const reason = error.kind === 'name' ? 'DNS Error' : 'Service Unavailable';
    attemptToSend(owner, msgId, () =>
      this.#answerUnsent(owner, msgId, request, 503, reason, sentenceOf(error)),
    );
  }

  #answerUnsent(
    owner: Application,
    msgId: string,
    request: SipRequest,
    status: number,
    reason: string,
    sentence?: string,
  ): void {
    const built = this.#buildNew(request, NOWHERE);
    built.headers.remove('via');
    const id = newTransactionId();
    const now = this.#context.clock.now();
    const nowhere: FrameSource = { ...madeUp('unknown'), source: 'application' };
    owner.sendFrame(requestEchoTokens(msgId, nowhere, now, id), serialiseSipMessage(built));
    const response = buildMadeUpResponse(built, NOWHERE, status, reason, sentence);
    const dialogId = request.method === 'INVITE' ? dialogIdOf(built) : '';
    owner.sendFrame(
      sipTokens(madeUp('unknown'), now, { transactionId: id, dialogId }),
      serialiseSipMessage(response),
    );
  }
}

/** RFC 3261 §8.1.1.8. @throws ProtocolError */
function newContactOf(request: SipRequest, flow: Flow): string | undefined {
  const contact = contactOf(request.headers, flow, NEW_WITH_CONTACT.has(request.method));
  return contact !== undefined && wantsSecureContact(request) ? secureContact(contact) : contact;
}

/** The first flow, where a fault is a rejection. */
function orRejection(find: () => Soon<Flow>): Soon<Flow> {
  try {
    return find();
  } catch (error) {
    if (error instanceof Unreachable) return Promise.reject(error);
    throw error;
  }
}

/** `sip:host…`, `<sip:host;lr>` or `host[:port]`, as srf's `proxy` option takes it. */
function parseRouteUrl(text: string): SipUri | undefined {
  const bare = text.replace(/^\s*<([^>]*)>.*$/, '$1').trim();
  return tryParseSipUri(bare) ?? tryParseSipUri(`sip:${bare}`);
}
