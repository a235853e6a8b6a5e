/**
 * Owns: large requests leave UDP for TCP, and go back to it when the peer has no TCP (RFC 3261 §18.1.1).
 * Called by: outbound-requests.ts. Calls: transport.ts, dead-targets.ts.
 */
import { SIP_LIMITS, SIP_NETWORK_LIMITS } from '../../base/limits.ts';
import type { Clock } from '../../base/clock.ts';
import type { DeadTargets } from './dead-targets.ts';
import type { Soon } from './soon.ts';
import type { Flow, SipTransport } from './transport.ts';

/** What the rule needs. `refusals`: who took no TCP lately. */
export interface SizeRule {
  readonly clock: Clock;
  readonly transport: SipTransport;
  readonly refusals: DeadTargets;
}

/** Is the request too large for UDP, as long as there is another way? */
function isTooLargeForUdp(flow: Flow, bytes: () => number): boolean {
  return flow.transport === 'udp' && bytes() > SIP_NETWORK_LIMITS.maxUdpRequestBytes;
}

/** Too large even for the datagrams of UDP. `bytes` is asked for UDP only: it costs writing the message. */
export function isTooLargeForDatagram(flow: Flow, bytes: () => number): boolean {
  return flow.transport === 'udp' && bytes() > SIP_LIMITS.maxDatagramBytes;
}

/**
 * The flow for a request of that size to where `flow` leads: a TCP connection to the same address and port that is
 * usable, else `flow` itself.
 */
export function flowForSize(rule: SizeRule, flow: Flow, bytes: () => number): Soon<Flow> {
  const { transport, refusals } = rule;
  const { remoteAddress: address, remotePort: port } = flow;
  if (!isTooLargeForUdp(flow, bytes)) return flow;
  if (refusals.has('tcp', address, port) || !transport.reaches('tcp', address)) return flow;
  const found = transport.flowTo({ transport: 'tcp', addresses: [address], port, domain: address });
  return found instanceof Promise
    ? found.then(async (tcp) => usableOr(rule, tcp, flow))
    : usableOr(rule, found, flow);
}

function usableOr(rule: SizeRule, tcp: Flow, udp: Flow): Soon<Flow> {
  const { connection } = tcp;
  // Another program of this machine has the port for UDP, and we have it for TCP.
  if (connection === undefined || rule.transport.isOwn(tcp)) return udp;
  if (connection.usable) return tcp;
  return new Promise((done) => {
    const timer = rule.clock.startTimer(SIP_NETWORK_LIMITS.sizeConnectMs, () => {
      if (!connection.usable) connection.cut(`no answer from ${connection.place}`);
    });
    connection.whenUsable().then(
      () => {
        timer[Symbol.dispose]();
        done(tcp);
      },
      () => {
        timer[Symbol.dispose]();
        rule.refusals.add('tcp', udp.remoteAddress, udp.remotePort, SIP_NETWORK_LIMITS.sizeRefusalMs);
        done(udp);
      },
    );
  });
}
