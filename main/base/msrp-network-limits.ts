/**
 * Owns: ceilings and timers of MSRP beside the protocol itself: TLS handshakes, relays, who connects. Milliseconds
 * unless the name says otherwise. Called by: main/msrp, main/messenger. Calls: nothing.
 */
export const MSRP_NETWORK_LIMITS = {
  /** From the first byte of a TLS handshake to its end; a peer that dawdles holds a socket and nothing else. */
  tlsHandshakeMs: 5_000,
  /** Handshakes under way at once, and with one address: each costs a signature. One more is cut. */
  maxHandshakes: 256,
  maxHandshakesPerAddress: 32,
  /** Body bytes of a chunk through a relay at first: some refuse frames of 12 000 bytes. Larger ones when they work. */
  relayChunkBytes: 8 * 1024,
  /** Only for a message of so many bytes a larger chunk is tried: there are relays that hang up on one. */
  relayTrialBytes: 1024 * 1024,
  /** An AUTH without answer; then it is tried once more without `uri`, which one relay never answers. */
  relayAnswerMs: 3_000,
  /** AUTHs of one binding in a row: challenge, stale nonce, interval out of bounds, and the one without `uri`. */
  maxRelayAuths: 6,
  /** Relays that are tried in turn, and servers of one name. */
  maxRelays: 8,
  /** Lifetime of a binding whose relay names none, and the range that we go along with. */
  relayExpiresS: 1_800,
  relayExpiresMinS: 30,
  relayExpiresMaxS: 24 * 60 * 60,
  /** A binding is renewed when this share of its life is over. */
  relayRefreshShare: 0.8,
  /** A message that a relay took and whose end nobody reports counts as sent after this long. */
  relayReportMs: 30_000,
  /** A relay that failed comes last for this long. */
  deadRelayMs: 30_000,
} as const;

/** As injected: tests use smaller ones. */
export type MsrpNetworkLimits = { readonly [K in keyof typeof MSRP_NETWORK_LIMITS]: number };
