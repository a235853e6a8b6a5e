/**
 * Owns: the ACK of a 2xx and the CANCEL of an INVITE, as messages (RFC 3261 §13.2.2.4, §9.1).
 * Called by: outbound-invite.ts. Calls: dialog-requests.ts, message-builder.ts, transport.ts.
 */
import { ProtocolError } from '../../base/protocol-error.ts';
import { cseqOf, headerKey, serialiseSipMessage, SipHeaders, type SipRequest } from '../message.ts';
import type { EngineContext } from './context.ts';
import type { Dialog } from './dialog.ts';
import { buildDialogRequest, flowOfRoute } from './dialog-requests.ts';
import { prettyName } from './message-builder.ts';
import { whenReady } from './soon.ts';
import type { Flow } from './transport.ts';

/** An ACK that left, for repeats of its 2xx. */
export interface SentAck {
  /** Byte by byte. */
  readonly text: string;
  readonly flow: Flow;
}

/** Sends the ACK of a 2xx: a transaction of its own, CSeq number of the INVITE. Calls one of the two, at once or later. */
export function sendAckOf(
  context: EngineContext,
  dialog: Dialog,
  parts: { readonly cseq: number; readonly given: SipHeaders; readonly body: Buffer },
  sent: (ack: SentAck, bytes: Buffer) => void,
  failed: (text: string) => void,
): void {
  const route = dialog.route();
  whenReady(
    flowOfRoute(context, dialog, route),
    (flow) => {
      try {
        const request = buildDialogRequest(context, dialog, { method: 'ACK', route, flow, ...parts });
        const bytes = serialiseSipMessage(request);
        context.transport.send(flow, bytes);
        sent({ text: bytes.toString('latin1'), flow }, bytes);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        failed(error.message);
      }
    },
    (error) => failed(error instanceof Error ? error.message : 'no way to the peer'),
  );
}

/** Its 2xx has come again (RFC 3261 §13.2.2.4). */
export function repeatAck(context: EngineContext, ack: SentAck): void {
  context.transport.send(ack.flow, Buffer.from(ack.text, 'latin1'));
}

const NOT_IN_CANCEL = new Set([
  'via',
  'route',
  'record-route',
  'max-forwards',
  'from',
  'to',
  'call-id',
  'cseq',
  'contact',
  'p-asserted-identity',
  'require',
  'proxy-require',
  'content-type',
  'content-length',
]);

/** The CANCEL of an INVITE, with what the application gave beyond that, such as Reason (RFC 3261 §9.1). */
export function buildCancel(invite: SipRequest, given: SipHeaders): SipRequest {
  const { headers, uri } = invite;
  const cancel = new SipHeaders([['Via', headers.getAll('via')[0] ?? '']]);
  for (const route of headers.getAll('route')) cancel.append('Route', route);
  cancel.append('Max-Forwards', '70');
  for (const name of ['From', 'To', 'Call-ID']) cancel.append(name, headers.get(name) ?? '');
  cancel.append('CSeq', `${cseqOf(invite).number} CANCEL`);
  for (const { name, value } of given) {
    if (!NOT_IN_CANCEL.has(headerKey(name))) cancel.append(prettyName(name), value);
  }
  return { kind: 'request', method: 'CANCEL', uri, headers: cancel, body: Buffer.alloc(0) };
}
