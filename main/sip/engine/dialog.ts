/**
 * Owns: the state of one dialog (RFC 3261 §12) and the route of requests inside it.
 * Called by: dialog-table.ts, the cores. Calls: sip/headers, sip/uri.
 */
import { ProtocolError } from '../../base/protocol-error.ts';
import { parseNameAddr, type NameAddr } from '../headers.ts';
import {
  cseqOf,
  keptText,
  type SipHeaders,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from '../message.ts';
import { addressOfHost, isNumericHost, tryParseSipUri, type SipUri } from '../uri.ts';
import type { Application } from './application.ts';
import type { Flow } from './transport.ts';
import { tagOf } from './transaction-table.ts';

/** The id by which the application knows a dialog; forks of one request share it. */
export function dialogIdOf(message: SipMessage): string {
  return keptText(`${message.headers.get('call-id') ?? ''};from-tag=${tagOf(message, 'from')}`);
}

/** A 2xx to our INVITE waits for (or has had) the application's ACK. */
export interface AckSender {
  /** Sends the ACK that the application asked for in frame `msgId`. */
  sendAck(msgId: string, given: SipHeaders, body: Buffer): void;
  /** Drops an INVITE that has no final response yet: the dialog ends. */
  drop(): void;
  readonly pending: boolean;
}

/** An INVITE of ours that was made a dialog or lies in one. */
export interface OwnInvite extends AckSender, Disposable {
  /** Does the fork of that dialog wait for the PRACK of response `rseq` (RFC 3262 §4)? */
  isAt(dialog: Dialog, rseq: number): boolean;
  /** That dialog is over: what is left to do is to acknowledge its 2xx when it comes again. */
  forget(dialog: Dialog): void;
  /** It has an SDP offer that nobody has answered yet. */
  readonly offerPending: boolean;
}

/** A BYE of the application that waits. */
export interface HeldBye {
  send(): void;
  /** The dialog has ended without it. */
  refuse(): void;
}

/** A 2xx of ours that is repeated until its ACK comes. */
export interface UnacknowledgedInvite extends Disposable {
  /** CSeq of the INVITE. */
  readonly cseq: number;
  /** It carries our offer, whose answer comes with the ACK. */
  readonly offerPending: boolean;
  /** Returns the transaction id under which the application learns of the ACK. */
  receiveAck(): string;
  /** Keeps a BYE until the ACK is there or will not come (RFC 3261 §15); `false` when it need not wait. */
  holdBye(bye: HeldBye): boolean;
  /** Sends what was kept; called when the application has been shown the ACK. */
  releaseBye(): void;
}

/** A request in the dialog that the application has not answered yet. */
export interface OpenRequest {
  readonly method: string;
  /** It has an SDP offer that the application has not answered yet. */
  readonly offerPending: boolean;
  /** The dialog is over: answers 487. */
  terminate(): void;
}

/** The reliable provisional responses that wait for their PRACK (RFC 3262). */
export interface PrackReceiver {
  /** Returns what to do with the PRACK: it belongs to nothing, the application has asked for it, or it has not. */
  receivePrack(rack: string): 'unknown' | 'wanted' | 'own';
  /** Sends what had to wait for the PRACK; called when that has been dealt with. */
  release(): void;
  /** An offer of ours in such a response has no answer yet. */
  readonly offerPending: boolean;
}

export type DialogState = 'early' | 'confirmed' | 'ended';

/** What made the dialog: it ends with a BYE, or with its subscription (RFC 6665; REFER is one, RFC 3515 §2.4.4). */
export type DialogUsage = 'invite' | 'subscribe';

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

function usageOf(request: SipRequest): DialogUsage {
  return request.method === 'INVITE' ? 'invite' : 'subscribe';
}

type DialogFields = Pick<
  Dialog,
  | 'role'
  | 'usage'
  | 'callId'
  | 'localTag'
  | 'remoteTag'
  | 'local'
  | 'remote'
  | 'routeSet'
  | 'owner'
  | 'localContact'
  | 'state'
  | 'localSeq'
  | 'remoteSeq'
  | 'remoteTarget'
  | 'flow'
>;

/** One dialog. There may be thousands, idle for hours: what most of them do not need is made when it is needed. */
export class Dialog {
  readonly id: string;
  readonly role: 'uac' | 'uas';
  readonly usage: DialogUsage;
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** From (or To) as we write it, with our tag. */
  readonly local: string;
  readonly remote: string;
  routeSet: readonly string[];
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
  /** Our last INVITE in this dialog, as long as an ACK may have to be sent for it. */
  lastInvite: OwnInvite | undefined;
  /** Our UPDATEs with an offer that have no final response yet. */
  ownUpdateOffers = 0;
  /** Our 2xx to INVITEs of the peer whose ACK is missing or may come again. */
  accepted: UnacknowledgedInvite[] | undefined;
  reliable: PrackReceiver | undefined;
  /** The session's or the subscription's time (RFC 4028, RFC 6665 §4.1.2). */
  expiry: Disposable | undefined;
  /** A NOTIFY has come in it (RFC 6665 §4.1.2.4). */
  notified = false;
  /** The peer has said that it takes UPDATE. */
  takesUpdate = false;
  #open: Set<OpenRequest> | undefined;
  #lookUps: Map<string, Promise<Flow>> | undefined;

  private constructor(fields: DialogFields) {
    this.role = fields.role;
    this.usage = fields.usage;
    this.callId = keptText(fields.callId);
    this.localTag = keptText(fields.localTag);
    this.remoteTag = keptText(fields.remoteTag);
    this.local = keptText(fields.local);
    this.remote = keptText(fields.remote);
    this.routeSet = fields.routeSet.map(keptText);
    this.owner = fields.owner;
    this.localContact = keptText(fields.localContact);
    this.state = fields.state;
    this.localSeq = fields.localSeq;
    this.remoteSeq = fields.remoteSeq;
    this.remoteTarget = keptText(fields.remoteTarget);
    this.flow = fields.flow;
    this.id = keptText(`${this.callId};from-tag=${this.role === 'uac' ? this.localTag : this.remoteTag}`);
  }

  /** The dialog of the caller (RFC 3261 §12.1.2). @throws ProtocolError when the response cannot make one */
  static ofCaller(request: SipRequest, response: SipResponse, flow: Flow, owner: Application): Dialog {
    const dialog = new Dialog({
      role: 'uac',
      usage: usageOf(request),
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
    dialog.noteAllow(response);
    return dialog;
  }

  /** The dialog of a subscriber whose NOTIFY is there before the 2xx (RFC 6665 §4.1.2.4). @throws ProtocolError */
  static ofNotify(subscribe: SipRequest, notify: SipRequest, flow: Flow, owner: Application): Dialog {
    return new Dialog({
      role: 'uac',
      usage: 'subscribe',
      callId: subscribe.headers.get('call-id') ?? '',
      localTag: tagOf(subscribe, 'from'),
      remoteTag: tagOf(notify, 'from'),
      local: subscribe.headers.get('from') ?? '',
      remote: notify.headers.get('from') ?? '',
      routeSet: recordRoutesOf(notify),
      owner,
      localContact: subscribe.headers.get('contact') ?? '',
      state: 'confirmed',
      localSeq: cseqOf(subscribe).number,
      remoteSeq: undefined,
      remoteTarget: contactUriOf(notify) ?? subscribe.uri,
      flow,
    });
  }

  /** The dialog of the called side (RFC 3261 §12.1.1). `response` is ours, with our tag and Contact. */
  static ofCallee(request: SipRequest, response: SipResponse, flow: Flow, owner: Application): Dialog {
    const dialog = new Dialog({
      role: 'uas',
      usage: usageOf(request),
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
    dialog.noteAllow(request);
    return dialog;
  }

  /** The 2xx of the fork whose provisional response made this dialog: its route set counts (§13.2.2.4). */
  settleRoute(response: SipResponse, flow: Flow): void {
    this.routeSet = recordRoutesOf(response).reverse().map(keptText);
    this.refreshTarget(response, flow);
  }

  /** Remembers whether the peer takes UPDATE (RFC 3311 §4). */
  noteAllow(message: SipMessage): void {
    const allow = message.headers.list('allow');
    if (allow.length > 0) this.takesUpdate = allow.some((method) => method.toUpperCase() === 'UPDATE');
  }

  /** Requests that the application has not answered yet. */
  get open(): readonly OpenRequest[] {
    return this.#open === undefined ? [] : [...this.#open];
  }

  get openCount(): number {
    return this.#open?.size ?? 0;
  }

  addOpen(request: OpenRequest): void {
    this.#open ??= new Set();
    this.#open.add(request);
  }

  removeOpen(request: OpenRequest): void {
    this.#open?.delete(request);
    if (this.#open?.size === 0) this.#open = undefined;
  }

  /** An address look-up that is under way, so that requests leave in the order in which they were asked for. */
  lookUp(uri: string): Promise<Flow> | undefined {
    return this.#lookUps?.get(uri);
  }

  shareLookUp(uri: string, flow: Promise<Flow>): void {
    const lookUps = (this.#lookUps ??= new Map());
    lookUps.set(uri, flow);
    const forget = (): void => {
      lookUps.delete(uri);
      if (lookUps.size === 0) this.#lookUps = undefined;
    };
    flow.then(forget, forget);
  }

  addAccepted(invite: UnacknowledgedInvite): void {
    this.accepted = [...(this.accepted ?? []), invite];
  }

  removeAccepted(invite: UnacknowledgedInvite): void {
    const kept = this.accepted?.filter((other) => other !== invite) ?? [];
    this.accepted = kept.length === 0 ? undefined : kept;
  }

  /** A target refresh request or its 2xx: Contact and way may have changed (RFC 3261 §12.2). */
  refreshTarget(message: SipMessage, flow: Flow): void {
    const uri = contactUriOf(message);
    if (uri !== undefined) this.remoteTarget = keptText(uri);
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
