/**
 * Owns: which ways lead to a device. Called by: b2bua.ts, deferred-messages.ts. Calls: sip/headers.ts.
 */
import type { AgentResponse } from '../sip/agent/agent-request.ts';
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
