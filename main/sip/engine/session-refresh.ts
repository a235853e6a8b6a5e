/**
 * Owns: the re-INVITE or UPDATE with which the engine itself refreshes a session (RFC 4028 §7.4, §10).
 * Called by: session-timer.ts. Calls: dialog-requests.ts, outbound-invite.ts, transaction-table.ts.
 */
import { randomInt } from 'node:crypto';
import { SIP_LIMITS } from '../../base/limits.ts';
import { SipHeaders, type SipRequest, type SipResponse } from '../message.ts';
import type { EngineContext } from './context.ts';
import type { Dialog } from './dialog.ts';
import { buildDialogRequest, flowOfRoute } from './dialog-requests.ts';
import { buildMadeUpResponse, ownUri } from './message-builder.ts';
import { OutboundInvite } from './outbound-invite.ts';
import { whenReady } from './soon.ts';
import type { Flow } from './transport.ts';

/** When to try again after a refusal: Retry-After, else as after a 491 (RFC 3261 §14.1). */
export function retryDelayMs(dialog: Dialog, response?: SipResponse): number {
  const seconds = Number.parseInt(response?.headers.get('retry-after') ?? '', 10);
  if (seconds > 0) return Math.min(seconds, SIP_LIMITS.maxIntervalS) * 1_000;
  return dialog.role === 'uac' ? randomInt(210, 400) * 10 : randomInt(1, 200) * 10;
}

/** Sends a refresh; `ended` gets its final response, which the application never sees. */
export function sendRefresh(
  context: EngineContext,
  dialog: Dialog,
  parts: { readonly seconds: number; readonly localSdp: Buffer },
  ended: (request: SipRequest, response: SipResponse) => void,
): void {
  const method = dialog.takesUpdate || parts.localSdp.length === 0 ? 'UPDATE' : 'INVITE';
  const given = new SipHeaders([
    ['Supported', 'timer'],
    ['Session-Expires', `${parts.seconds};refresher=uac`],
    ['Min-SE', String(SIP_LIMITS.minSessionExpiresS)],
  ]);
  const body = method === 'INVITE' ? parts.localSdp : Buffer.alloc(0);
  if (body.length > 0) given.append('Content-Type', 'application/sdp');
  const route = dialog.route();
  dialog.localSeq += 1;
  const cseq = dialog.localSeq;
  const send = (flow: Flow): void => {
    if (dialog.state === 'ended') return;
    const contact = dialog.localContact === '' ? `<${ownUri(flow)}>` : dialog.localContact;
    const request = buildDialogRequest(context, dialog, { method, route, flow, cseq, contact, given, body });
    const finish = (response: SipResponse): void => ended(request, response);
    if (method === 'INVITE') {
      new OutboundInvite({
        context,
        application: dialog.owner,
        request,
        flow,
        dialog,
        done: () => undefined,
        ownUse: finish,
      }).start();
      return;
    }
    const makeUp = (status: number, reason: string): void =>
      finish(buildMadeUpResponse(request, flow, status, reason));
    context.transactions.startClient(request, flow, context.transport, {
      receiveResponse: (response, from) => {
        if (response.status < 200) return;
        if (response.status < 300) dialog.refreshTarget(response, from);
        finish(response);
      },
      receiveTimeout: () => makeUp(408, 'Request Timeout'),
      receiveTransportError: () => makeUp(408, 'Request Timeout'),
    });
  };
  whenReady(flowOfRoute(context, dialog, route), send, (error) => {
    context.log.info('sip.dialog.unreachable', { error });
  });
}
