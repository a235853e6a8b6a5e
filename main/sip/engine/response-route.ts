/**
 * Owns: what the top Via says about where responses go: received and rport (RFC 3261 §18.2, RFC 3581).
 * Called by: the inbound core. Calls: sip/headers, transport.ts.
 */
import { ProtocolError } from '../../base/protocol-error.ts';
import { formatVia, type Via } from '../headers.ts';
import type { SipRequest } from '../message.ts';
import { addressOfHost, isNumericHost } from '../uri.ts';
import { defaultPortOf } from './resolver.ts';
import { whenReady, type Soon } from './soon.ts';
import type { Flow, SipTransport } from './transport.ts';

/** Notes in the top Via where the request really came from (RFC 3261 §18.2.1, RFC 3581 §4). */
export function stampVia(request: SipRequest, via: Via, flow: Flow): void {
  const params = new Map(via.params);
  if (addressOfHost(via.host) !== flow.remoteAddress) params.set('received', flow.remoteAddress);
  params.set('rport', String(flow.remotePort));
  request.headers.setFirst('Via', formatVia({ ...via, params }));
}

/**
 * The UDP port for responses: the source port when the client asked for it (`rport`) or is behind a NAT (a numeric
 * sent-by that is not its source), else the port of sent-by (RFC 3261 §18.2.2).
 */
function responsePort(via: Via, flow: Flow): number {
  const behindNat = isNumericHost(via.host) && addressOfHost(via.host) !== flow.remoteAddress;
  return via.params.has('rport') || behindNat ? flow.remotePort : (via.port ?? 5_060);
}

/** A flow, where a ProtocolError is a rejection. */
function orRejection(find: () => Soon<Flow>): Soon<Flow> {
  try {
    return find();
  } catch (error) {
    if (error instanceof ProtocolError) return Promise.reject(error);
    throw error;
  }
}

/** Makes the sender of the responses to one request. What it holds is held until the transaction is over. */
export function responseSender(transport: SipTransport, via: Via, flow: Flow): (bytes: Buffer) => void {
  return flow.transport === 'udp'
    ? datagramSender(transport, flowToPort(flow, responsePort(via, flow)))
    : streamSender(transport, via, flow);
}

function flowToPort(flow: Flow, remotePort: number): Flow {
  return remotePort === flow.remotePort ? flow : { ...flow, remotePort };
}

function datagramSender(transport: SipTransport, flow: Flow): (bytes: Buffer) => void {
  return (bytes) => transport.send(flow, bytes);
}

function streamSender(transport: SipTransport, via: Via, flow: Flow): (bytes: Buffer) => void {
  // RFC 3261 §18.2.2: the connection is gone, a new one to the source address and the port of sent-by.
  const sendAnew = (bytes: Buffer): void => {
    const hop = {
      transport: flow.transport,
      addresses: [flow.remoteAddress],
      port: via.port ?? defaultPortOf(flow.transport),
      domain: addressOfHost(via.host),
    };
    whenReady(
      orRejection(() => transport.flowTo(hop)),
      (again) => {
        if (!transport.isOwn(again)) transport.send(again, bytes);
      },
      () => undefined,
    );
  };
  return (bytes) => {
    if (flow.connection?.writable !== true) sendAnew(bytes);
    else transport.send(flow, bytes, () => sendAnew(bytes));
  };
}
