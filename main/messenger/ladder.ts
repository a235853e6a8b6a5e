/**
 * Owns: the ladder of a session: which message is which step of the flow, and whether the order holds.
 * Called by: ladder-recorder.ts, hosts/headless/flow.ts. Calls: nothing.
 */
import type { Ladder, LadderEntry, LadderParty } from '../../shared/domain/ladder.ts';
import type { WireMessage } from './wire-reader.ts';

/** A message between two parties of the flow. */
export interface LadderMessage extends WireMessage {
  readonly fromParty: LadderParty;
  readonly toParty: LadderParty;
}

type Hop = `${LadderParty}>${LadderParty}`;

/** Steps that are one kind of message on one hop: the first such message is the step. */
const SIP_REQUEST_STEPS: Readonly<Record<string, Partial<Record<Hop, number>>>> = {
  INVITE: { 'bob>server': 2, 'server>tom': 3 },
  ACK: { 'bob>server': 9, 'server>tom': 10 },
};
const ACCEPTED_STEPS: Partial<Record<Hop, number>> = { 'tom>server': 7, 'server>bob': 8 };

/** Numbers messages as they come: hand them over in the order of their time. */
export class StepCounter {
  readonly #seen = new Set<number>();
  /** MSRP transactions whose 200 is a step. */
  readonly #answers = new Map<string, number>();

  /** The step that this message is, or null. Without a relay step 6 is step 5: one message. */
  next(message: LadderMessage): number | null {
    const step = message.protocol === 'sip' ? this.#sipStep(message) : this.#msrpStep(message);
    if (step === undefined || this.#seen.has(step)) return null;
    this.#seen.add(step);
    return step;
  }

  #sipStep(message: LadderMessage): number | undefined {
    const hop: Hop = `${message.fromParty}>${message.toParty}`;
    const { method, status } = message;
    if (method === 'BYE') return this.#byeStep(hop, status);
    // The ACK of a refusal (a challenge, say) is no step: the handshake begins with the answer.
    if (method === 'ACK' && !this.#seen.has(hop === 'bob>server' ? 8 : 7)) return undefined;
    if (status === 0) return SIP_REQUEST_STEPS[method]?.[hop];
    return method === 'INVITE' && status === 200 ? ACCEPTED_STEPS[hop] : undefined;
  }

  /** Either side may hang up: 15 is the BYE to the server, 16 the one that it passes on. */
  #byeStep(hop: Hop, status: number): number | undefined {
    const toServer = hop.endsWith('>server');
    if (status === 0) return toServer ? 15 : 16;
    if (status !== 200) return undefined;
    return toServer ? 17 : 18;
  }

  #msrpStep(message: LadderMessage): number | undefined {
    const { fromParty, toParty, status, method, transactionId } = message;
    if (status !== 0) {
      const step = status === 200 ? this.#answers.get(transactionId) : undefined;
      this.#answers.delete(transactionId);
      return step;
    }
    if (method !== 'SEND' && method !== 'VISIT') return undefined;
    // Behind a relay a request is two messages: the first is the step, the answer to the second the one that counts.
    const relayed = fromParty === 'server' || toParty === 'server';
    const isBobs = fromParty === 'bob' || (fromParty === 'server' && toParty === 'tom');
    const step = message.bodyBytes === 0 ? 4 : isBobs ? 11 : 13;
    if (relayed && fromParty !== 'server') {
      if (this.#seen.has(step)) return undefined;
      if (step === 4) this.#answers.set(transactionId, 6);
      return step;
    }
    if (this.#seen.has(step + 1) || (!relayed && this.#seen.has(step))) return undefined;
    this.#answers.set(transactionId, step + 1);
    return relayed ? undefined : step;
  }
}

/** Turns messages into the entries of a ladder. */
export function toLadder(messages: readonly LadderMessage[], names: Ladder['names']): Ladder {
  const steps = new StepCounter();
  const ordered = [...messages].sort((a, b) => a.timeUs - b.timeUs);
  const startUs = ordered[0]?.timeUs ?? 0;
  const entries: LadderEntry[] = ordered.map((message) => ({
    timeUs: message.timeUs - startUs,
    from: message.fromParty,
    to: message.toParty,
    protocol: message.protocol,
    firstLine: message.firstLine,
    step: steps.next(message),
    text: message.text,
  }));
  return { names, entries };
}

/** Pairs that must hold on the wire: the first strictly before the second. */
const ORDER: readonly (readonly [number, number])[] = [
  [2, 3],
  [3, 4],
  [4, 5],
  [5, 7],
  [7, 8],
  [8, 9],
  [9, 10],
  [9, 11],
  [11, 12],
  [9, 13],
  [13, 14],
  [12, 15],
  [14, 15],
  [15, 16],
  [16, 17],
  [17, 18],
];

/** And through a relay: it answers the visit after the host has. */
const RELAY_ORDER: typeof ORDER = [
  [5, 6],
  [6, 7],
];

/** Steps that a message of the wire stands for. 1 is the decision to talk; 6 is 5 unless there is a relay. */
export const WIRE_STEPS = [2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18] as const;

/** Every step that is missing or stands before one that it has to follow, as a sentence. Empty: the flow held. */
export function checkOrder(ladder: Ladder): string[] {
  const places = new Map<number, number>();
  ladder.entries.forEach(({ step }, place) => {
    if (step !== null) places.set(step, place);
  });
  const relayed = ladder.entries.some(
    ({ protocol, from, to }) => protocol === 'msrp' && (from === 'server' || to === 'server'),
  );
  const steps = relayed ? [...WIRE_STEPS, 6] : WIRE_STEPS;
  const faults = steps.filter((step) => !places.has(step)).map((step) => `step ${step} is missing`);
  for (const [first, second] of relayed ? [...ORDER, ...RELAY_ORDER] : ORDER) {
    const [a, b] = [places.get(first), places.get(second)];
    if (a !== undefined && b !== undefined && a >= b) faults.push(`step ${second} came before step ${first}`);
  }
  return faults;
}
