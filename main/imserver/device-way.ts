/**
 * Owns: which ways lead to a device. Called by: b2bua.ts, deferred-messages.ts. Calls: nothing.
 */
import type { AgentResponse } from '../sip/agent/agent-request.ts';
import type { Binding } from '../store/imserver-tables.ts';

/**
 * True when the connection over which a device has registered is gone, so that it has to be called at its Contact: the
 * server was started again, or the connection broke. The engine makes up a 503 then, which has no source.
 */
export function isWayLost({ status, source }: AgentResponse, device: Binding): boolean {
  return status === 503 && source.address === '' && /;transport=tcp\b/i.test(device.source);
}

/** RFC 5626 §5.3: this flow leads nowhere (430), or nobody answers on it; another flow of the device may. */
export function isFlowFailed({ status, source }: AgentResponse): boolean {
  return status === 430 || (source.address === '' && (status === 408 || status === 503));
}
