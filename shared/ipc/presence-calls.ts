/**
 * Owns: the part of the contract that is about presence and about what our user has decided about people.
 * Called by: contract.ts. Calls: valibot.
 */
import * as v from 'valibot';
import { accountIdSchema, addressSchema } from '../domain/ids.ts';
import {
  accountPresenceSchema,
  contactRuleSchema,
  ownPresenceSchema,
  seenPresenceSchema,
  type AccountPresence,
  type OwnPresence,
  type SeenPresence,
} from '../domain/presence.ts';

export const presenceInputs = {
  'presence.list': v.object({}),
  /** Our user has just done something in the window; told every 20 s at most. */
  'presence.active': v.object({}),
  /**
   * Decides about a person; what is absent stays. It holds on this device at once, and at the server as soon as that can
   * be reached. Whoever is blocked is not talked to any longer.
   */
  'rule.set': v.object({
    accountId: accountIdSchema,
    address: addressSchema,
    presence: v.exactOptional(contactRuleSchema.entries.presence),
    blocked: v.exactOptional(v.boolean()),
  }),
} as const;

export interface PresenceOutputs {
  /** `seen` has those of whom something is known. */
  'presence.list': {
    readonly own: OwnPresence;
    readonly seen: readonly SeenPresence[];
    readonly accounts: readonly AccountPresence[];
  };
  'presence.active': null;
  'rule.set': AccountPresence;
}

export const presenceEvents = {
  'presence.changed': seenPresenceSchema,
  'presence.account': accountPresenceSchema,
  'presence.own': ownPresenceSchema,
} as const;
