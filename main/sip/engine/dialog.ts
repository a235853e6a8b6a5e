/**
 * Owns: the state of one dialog (RFC 3261 §12) and the route of requests inside it.
 * Called by: dialog-table.ts, the cores. Calls: sip/headers, sip/uri.
 */
import { ProtocolError } from '../../base/protocol-error.ts';
import { parseNameAddr, type NameAddr } from '../headers.ts';
import { cseqOf, type SipHeaders, type SipMessage, type SipRequest, type SipResponse } from '../message.ts';
import { addressOfHost, isNumericHost, tryParseSipUri, type SipUri } from '../uri.ts';
import type { Application } from './application.ts';
import type { Flow } from './transport.ts';
import { tagOf } from './transaction-table.ts';

/** The id by which the application knows a dialog; forks of one request share it. */
export function dialogIdOf(message: SipMessage): string {
  return `${message.headers.get('call-id') ?? ''};from-tag=${tagOf(message, 'from')}`;
}

/** A 2xx to our INVITE waits for (or has had) the application's ACK. */
export interface AckSender {
  /** Sends the ACK that the application asked for in frame `msgId`. */
  sendAck(msgId: string, given: SipHeaders, body: Buffer): void;
  /** Drops an INVITE that has no final response yet: the dialog ends. */
  drop(): void;
  readonly pending: boolean;
}

/** A 2xx of ours that is repeated until its ACK comes. */
export interface AcceptedInvite {
  /** CSeq of the INVITE. */
  readonly cseq: number;
  /** Returns the transaction id under which the application learns of the ACK. */
  receiveAck(): string;
  stop(): void;
}

/** A request in the dialog that the application has not answered yet. */
export interface OpenRequest {
  /** The dialog is over: answers 487. */
  terminate(): void;
}

export type DialogState = 'early' | 'confirmed' | 'ended';

/** Where a request inside a dialog goes: its request line, its Route headers, and the next hop. */
export interface DialogRoute {
  readonly requestUri: string;
  readonly routes: readonly string[];
  /** The flow on which the dialog lives, when it is to be used instead of a look-up of `nextHop`. */
  readonly flow: Flow | undefined;
  readonly nextHop: string;
}

/** Is it an address of a private network (RFC 1918)? */
function isPrivate(address: string): boolean {
  return /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)/.test(address);
}

/** `undefined` when the peer wrote something else: what it wrote must never throw when we send later. */
function tryParseNameAddr(text: string | undefined): NameAddr | undefined {
  try {
    return text === undefined ? undefined : parseNameAddr(text);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function contactUriOf(message: SipMessage): string | undefined {
  return tryParseNameAddr(message.headers.list('contact')[0])?.uri;
}

function recordRoutesOf(message: SipMessage): string[] {
  return message.headers.list('record-route').filter((route) => tryParseNameAddr(route) !== undefined);
}

/** One dialog. */
export class Dialog {
  readonly id: string;
  readonly role: 'uac' | 'uas';
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** From (or To) as we write it, with our tag. */
  readonly local: string;
  readonly remote: string;
  readonly routeSet: readonly string[];
  readonly owner: Application;
  /** The Contact with which we set it up. */
  localContact: string;
  state: DialogState;
  /** CSeq of the last request that we sent, and of the last one that we received. */
  localSeq: number;
  remoteSeq: number | undefined;
  remoteTarget: string;
  /** The way on which the peer was last seen. */
  flow: Flow;
  /** Our last INVITE in this dialog. */
  lastInvite: AckSender | undefined;
  /** Our last 2xx to an INVITE of the peer. */
  accepted: AcceptedInvite | undefined;
  readonly open = new Set<OpenRequest>();
  /** Address look-ups that are under way, by URI. */
  readonly lookUps = new Map<string, Promise<Flow>>();

  private constructor(fields: {
    readonly id: string;
    readonly role: 'uac' | 'uas';
    readonly callId: string;
    readonly localTag: string;
    readonly remoteTag: string;
    readonly local: string;
    readonly remote: string;
    readonly routeSet: readonly string[];
    readonly owner: Application;
    readonly localContact: string;
    readonly state: DialogState;
    readonly localSeq: number;
    readonly remoteSeq: number | undefined;
    readonly remoteTarget: string;
    readonly flow: Flow;
  }) {
    this.id = fields.id;
    this.role = fields.role;
    this.callId = fields.callId;
    this.localTag = fields.localTag;
    this.remoteTag = fields.remoteTag;
    this.local = fields.local;
    this.remote = fields.remote;
    this.routeSet = fields.routeSet;
    this.owner = fields.owner;
    this.localContact = fields.localContact;
    this.state = fields.state;
    this.localSeq = fields.localSeq;
    this.remoteSeq = fields.remoteSeq;
    this.remoteTarget = fields.remoteTarget;
    this.flow = fields.flow;
  }

  /** The dialog of the caller (RFC 3261 §12.1.2). @throws ProtocolError when the response cannot make one */
  static ofCaller(request: SipRequest, response: SipResponse, flow: Flow, owner: Application): Dialog {
    return new Dialog({
      id: dialogIdOf(request),
      role: 'uac',
      callId: request.headers.get('call-id') ?? '',
      localTag: tagOf(request, 'from'),
      remoteTag: tagOf(response, 'to'),
      local: request.headers.get('from') ?? '',
      remote: response.headers.get('to') ?? '',
      routeSet: recordRoutesOf(response).reverse(),
      owner,
      localContact: request.headers.get('contact') ?? '',
      state: response.status < 200 ? 'early' : 'confirmed',
      localSeq: cseqOf(request).number,
      remoteSeq: undefined,
      remoteTarget: contactUriOf(response) ?? request.uri,
      flow,
    });
  }

  /** The dialog of the called side (RFC 3261 §12.1.1). `response` is ours, with our tag and Contact. */
  static ofCallee(request: SipRequest, response: SipResponse, flow: Flow, owner: Application): Dialog {
    return new Dialog({
      id: dialogIdOf(request),
      role: 'uas',
      callId: request.headers.get('call-id') ?? '',
      localTag: tagOf(response, 'to'),
      remoteTag: tagOf(request, 'from'),
      local: response.headers.get('to') ?? '',
      remote: request.headers.get('from') ?? '',
      routeSet: recordRoutesOf(request),
      owner,
      localContact: response.headers.get('contact') ?? '',
      state: response.status < 200 ? 'early' : 'confirmed',
      localSeq: cseqOf(request).number,
      remoteSeq: cseqOf(request).number,
      remoteTarget: contactUriOf(request) ?? tryParseNameAddr(request.headers.get('from'))?.uri ?? '',
      flow,
    });
  }

  /** A target refresh request or its 2xx: Contact and way may have changed (RFC 3261 §12.2). */
  refreshTarget(message: SipMessage, flow: Flow): void {
    const uri = contactUriOf(message);
    if (uri !== undefined) this.remoteTarget = uri;
    this.flow = flow;
  }

  /** How to send a request now (RFC 3261 §12.2.1.1). */
  route(target: string = this.remoteTarget): DialogRoute {
    const [first] = this.routeSet;
    if (first === undefined) {
      return { requestUri: target, routes: [], flow: this.#flowTo(tryParseSipUri(target)), nextHop: target };
    }
    const { uri } = parseNameAddr(first);
    const parsed = tryParseSipUri(uri);
    if (parsed?.params.has('lr') === true) {
      const flow = this.#flowToRoute(parsed);
      return { requestUri: target, routes: this.routeSet, flow, nextHop: uri };
    }
    // A strict router: it takes the Request-URI's place, the target goes last.
    return {
      requestUri: uri,
      routes: [...this.routeSet.slice(1), `<${target}>`],
      flow: undefined,
      nextHop: uri,
    };
  }

  #usable(): Flow | undefined {
    if (this.flow.transport === 'udp') return this.flow;
    return this.flow.connection?.open === true ? this.flow : undefined;
  }

  /** Without Record-Route: a peer behind a NAT is reached where it was seen, a stream where it is open. */
  #flowTo(target: SipUri | undefined): Flow | undefined {
    const flow = this.#usable();
    if (flow === undefined || target === undefined) return flow;
    if (flow.transport !== 'udp') {
      const asked = target.scheme === 'sips' ? 'tls' : target.params.get('transport')?.toLowerCase();
      const sameHost = addressOfHost(target.host) === flow.remoteAddress;
      return asked === flow.transport || !sameHost ? flow : undefined;
    }
    if (addressOfHost(target.host) !== flow.remoteAddress) return flow;
    return this.role === 'uas' && (target.port ?? 5_060) !== flow.remotePort ? flow : undefined;
  }

  #flowToRoute(route: SipUri): Flow | undefined {
    const flow = this.#usable();
    if (flow === undefined) return undefined;
    const host = addressOfHost(route.host);
    if (host === flow.remoteAddress) {
      const asked = route.scheme === 'sips' ? 'tls' : route.params.get('transport')?.toLowerCase();
      return flow.transport !== 'udp' && asked === flow.transport ? flow : undefined;
    }
    // The proxy named its address inside a private network and we saw it from outside of it.
    return isNumericHost(route.host) && isPrivate(host) && !isPrivate(flow.remoteAddress) ? flow : undefined;
  }
}
