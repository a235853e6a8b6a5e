/**
 * Owns: how long each side waits after two re-INVITEs have crossed. Called by: invite-dialog.ts. Calls: nothing.
 */

const UNIT_MS = 10;

/**
 * RFC 3261 §14.1: the owner of the Call-ID waits 2.1 to 4 seconds, the other side 0 to 2, both in steps of 10 ms.
 * `random` is uniform in [0, 1).
 */
export function glareWaitMs(isCaller: boolean, random: () => number): number {
  const [from, to] = isCaller ? [2_100, 4_000] : [0, 2_000];
  return from + Math.floor(random() * ((to - from) / UNIT_MS + 1)) * UNIT_MS;
}
