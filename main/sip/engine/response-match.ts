/**
 * Owns: whether a response with the branch of a request really answers it (RFC 3261 §8.1.3.3, §8.2.6.2, §18.1.2).
 * Called by: inbound-requests.ts. Calls: transaction-table.ts.
 */
import { cseqOf, type SipRequest, type SipResponse } from '../message.ts';
import { tagOf, topViaOf } from './transaction-table.ts';

function sameSentBy(request: SipRequest, response: SipResponse): boolean {
  const [ours, theirs] = [topViaOf(request), topViaOf(response)];
  return ours.host.toLowerCase() === theirs.host.toLowerCase() && ours.port === theirs.port;
}

/**
 * Call-ID, CSeq number, our tag and our sent-by stand in a response as they stood in the request, and its only Via is
 * ours. Somebody who has only seen, or guessed, a branch cannot answer. @throws ProtocolError 400
 */
export function answers(response: SipResponse, request: SipRequest): boolean {
  const [given, sent] = [response.headers, request.headers];
  return (
    given.get('call-id') === sent.get('call-id') &&
    cseqOf(response).number === cseqOf(request).number &&
    (given.get('from') === sent.get('from') || tagOf(response, 'from') === tagOf(request, 'from')) &&
    given.list('via').length === 1 &&
    sameSentBy(request, response)
  );
}
