/**
 * Owns: the eighteen steps as the two people's own sockets saw them, whatever lies between them.
 * Called by: kamailio-messenger.test.ts. Calls: messenger/wire-reader.ts, messenger/ladder.ts.
 */
import type { WireRecord } from '../../../main/base/wire-tap.ts';
import { checkOrder, toLadder, type LadderMessage } from '../../../main/messenger/ladder.ts';
import { WireReader } from '../../../main/messenger/wire-reader.ts';

/** Collects what Bob and Tom send and receive. */
export class Steps {
  readonly #messages: LadderMessage[] = [];

  /** The tap of one person's messenger. */
  tap(who: 'bob' | 'tom'): (record: WireRecord) => void {
    const reader = new WireReader();
    const peer = who === 'bob' ? 'tom' : 'bob';
    return ({ timeUs, direction, protocol, transport, local, remote, bytes }) => {
      // Each MSRP message is seen at both ends: once is enough.
      if (protocol === 'msrp' && direction === 'in') return;
      const other = protocol === 'sip' ? 'server' : peer;
      const [from, to] = direction === 'out' ? [local, remote] : [remote, local];
      const [fromParty, toParty] = direction === 'out' ? ([who, other] as const) : ([other, who] as const);
      const piece = { timeUs, from, to, protocol, datagram: transport === 'udp', bytes };
      for (const message of reader.receive(piece)) {
        if (message.method !== 'REGISTER') this.#messages.push({ ...message, fromParty, toParty });
      }
    };
  }

  /** What is missing or out of order; Bob has to be the one who invites and who ends. */
  faults(): string[] {
    return checkOrder(toLadder(this.#messages, { bob: 'Bob', server: 'proxies', tom: 'Tom' }));
  }
}
