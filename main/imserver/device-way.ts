/**
 * Owns: which ways lead to a device, and a message by one of them. Called by: b2bua.ts, deferred-messages.ts,
 * device-copies.ts. Calls: sip/headers.ts, sip/agent/pager-message.ts.
 */
import type { Log } from '../base/log.ts';
import type { AgentResponse } from '../sip/agent/agent-request.ts';
import type { SipAgent } from '../sip/agent/agent.ts';
import { sendPagerMessage, type PagerMessage } from '../sip/agent/pager-message.ts';
import { parseNameAddr, splitHeaderList } from '../sip/headers.ts';
import type { Binding } from '../store/imserver-tables.ts';

/** How a request leaves for a device: its next hop, and the Route that it carries when proxies are in between. */
export interface DeviceWay {
  readonly nextHop: string;
  readonly headers: { readonly Route?: readonly string[] };
}

/** `way` is a URI, or the values of Path with which the device has registered (RFC 3327 §5.3): these become Route. */
export function wayTo(way: string): DeviceWay {
  if (!way.startsWith('<')) return { nextHop: way, headers: {} };
  const route = splitHeaderList(way);
  const [first = ''] = route;
  return { nextHop: parseNameAddr(first).uri, headers: { Route: route } };
}

/** The client at the end of a way, as a SIP URI: behind a proxy what its Path says (`received`, RFC 5626 §5.1), else the way. */
export function clientBehind(way: string): string {
  const [first = ''] = way.startsWith('<') ? splitHeaderList(way) : [];
  const received = /;received=([^;>]+)/i.exec(first)?.[1];
  return received === undefined ? way : decodeURIComponent(received);
}

/**
 * True when the connection over which a device has registered is gone, so that it has to be called at its Contact: the
 * server was started again, or the connection broke. The engine makes up a 503 then, which has no source.
 */
export function isWayLost({ status, source }: AgentResponse, device: Binding): boolean {
  const byConnection = /;transport=(?:tcp|tls)\b/i.test(device.source) && !device.source.startsWith('<');
  return status === 503 && source.address === '' && byConnection;
}

/** RFC 5626 §5.3: this flow leads nowhere (430), or nobody answers on it; another flow of the device may. */
export function isFlowFailed({ status, source }: AgentResponse): boolean {
  return status === 430 || (source.address === '' && (status === 408 || status === 503));
}

/**
 * One MESSAGE by one flow of a device; by the next when that one has failed (RFC 5626 §5.3). Resolves with the SIP
 * status, 503 when nothing could be sent.
 */
export async function sendByWays(
  agent: SipAgent,
  ways: readonly Binding[],
  message: Omit<PagerMessage, 'uri' | 'nextHop' | 'route'>,
  log: Log,
): Promise<number> {
  let status = 503;
  for (const way of ways) {
    const response = await sendByWay(agent, way, message, log);
    if (response === undefined) continue;
    ({ status } = response);
    if (!isFlowFailed(response)) break;
  }
  return status;
}

/** Undefined when it could not be sent. */
async function sendByWay(
  agent: SipAgent,
  device: Binding,
  message: Omit<PagerMessage, 'uri' | 'nextHop' | 'route'>,
  log: Log,
): Promise<AgentResponse | undefined> {
  const send = (way: string) => {
    const { nextHop, headers } = wayTo(way);
    return sendPagerMessage(agent, {
      ...message,
      uri: device.contact,
      nextHop,
      headers: { ...message.headers, ...headers },
    });
  };
  try {
    const response = await send(device.source);
    return isWayLost(response, device) ? await send(device.contact) : response;
  } catch (error) {
    log.info('deferred.not-sent', { error });
    return undefined;
  }
}
