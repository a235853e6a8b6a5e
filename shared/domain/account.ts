/**
 * Owns: the shape of an account and of its connection to its IM Server.
 * Called by: contract, messenger, renderer. Calls: valibot.
 */
import * as v from 'valibot';
import { accountIdSchema, addressSchema } from './ids.ts';

/** Where an account stands with its server. `reason` is a sentence for the user. */
export const accountStatusSchema = v.variant('status', [
  v.object({ status: v.literal('offline'), reason: v.optional(v.string()) }),
  v.object({ status: v.literal('connecting'), reason: v.optional(v.string()) }),
  v.object({ status: v.literal('online') }),
  /** The server said no (wrong password, unknown user): nothing is tried again until the user acts. */
  v.object({ status: v.literal('refused'), reason: v.string() }),
]);
export type AccountStatus = v.InferOutput<typeof accountStatusSchema>;

export const accountSchema = v.object({
  id: accountIdSchema,
  address: addressSchema,
  displayName: v.string(),
  /** Next hop as a SIP URI (`sip:192.0.2.1:5060;transport=tcp`); empty: found by the domain of the address. */
  server: v.string(),
  /** `demo` is the *Try it* workspace, `embedded` lives on the IM Server that this program runs itself. */
  kind: v.picklist(['server', 'embedded', 'demo']),
  connection: accountStatusSchema,
});
export type Account = v.InferOutput<typeof accountSchema>;
