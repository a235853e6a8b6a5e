/**
 * Owns: the shape of an account and of its connection to its IM Server.
 * Called by: contract, messenger, renderer. Calls: valibot.
 */
import * as v from 'valibot';
import { accountIdSchema, addressSchema } from './ids.ts';

/** Why an account is not online. */
export const accountReasonCodes = [
  'unreachable',
  'wrong-password',
  'unknown-address',
  'forbidden',
  'try-later',
  'certificate',
  'refused',
] as const;
const accountReasonSchema = v.picklist(accountReasonCodes);
export type AccountReasonCode = v.InferOutput<typeof accountReasonSchema>;

/** Where an account stands with its server. `code` is stable, `reason` is a sentence for the user. */
export const accountStatusSchema = v.variant('status', [
  v.object({ status: v.literal('offline') }),
  /** With a reason: the last attempt failed, and Parley tries again by itself. */
  v.object({
    status: v.literal('connecting'),
    code: v.optional(accountReasonSchema),
    reason: v.optional(v.string()),
  }),
  v.object({ status: v.literal('online') }),
  /** The server said no (wrong password, unknown user): nothing is tried again until the user acts. */
  v.object({ status: v.literal('refused'), code: accountReasonSchema, reason: v.string() }),
]);
export type AccountStatus = v.InferOutput<typeof accountStatusSchema>;

/** How the server is reached. `auto`: TLS, then TCP, then UDP, each only when nobody listens at the one before. */
export const accountTransports = ['auto', 'tls', 'tcp', 'udp'] as const;
export type AccountTransport = (typeof accountTransports)[number];

/** The way of an account's messages; `settings`: as the settings say for all accounts. */
export const mediaPaths = ['auto', 'direct', 'relay'] as const;
export type MediaPath = (typeof mediaPaths)[number];
export const accountMediaPaths = ['settings', ...mediaPaths] as const;
export type AccountMediaPath = (typeof accountMediaPaths)[number];

/** `msrps://host:port`, `host:port` or a name. */
const RELAY = /^(?:msrps?:\/\/)?(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(?::\d{1,5})?(?:;tcp)?$/;
/** MSRP relays in the order in which they are tried. */
export const relayListSchema = v.pipe(
  v.array(v.pipe(v.string(), v.regex(RELAY, 'not a relay'))),
  v.maxLength(8),
);

export const accountSchema = v.object({
  id: accountIdSchema,
  address: addressSchema,
  displayName: v.string(),
  /** Next hop as a SIP URI (`sip:192.0.2.1:5060;transport=tcp`); empty: found by the domain of the address. */
  server: v.string(),
  /** Absent: `auto`. A transport in `server` stands above it. */
  transport: v.optional(v.picklist(accountTransports)),
  /** Outbound proxies, written like `server`: one flow each (RFC 5626). Absent: none. */
  proxies: v.optional(v.pipe(v.array(v.string()), v.maxLength(2))),
  /** Absent: `settings`. */
  mediaPath: v.optional(v.picklist(accountMediaPaths)),
  /** Relays of its own; absent or none: those of the settings. */
  relays: v.optional(relayListSchema),
  /** `demo` is the *Try it* workspace, `embedded` lives on the IM Server that this program runs itself. */
  kind: v.picklist(['server', 'embedded', 'demo']),
  /** The server has chat rooms, so there can be groups. Absent: it has not said so (yet). */
  hasGroups: v.optional(v.boolean()),
  connection: accountStatusSchema,
});
export type Account = v.InferOutput<typeof accountSchema>;
