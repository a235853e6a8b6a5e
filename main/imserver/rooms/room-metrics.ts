/**
 * Owns: what the rooms of a server count. Called by: msrp-switch.ts, room-files.ts, room-admission.ts, metrics-text.ts. Calls: nothing.
 */

/** Counted while the server runs. */
export class RoomMetrics {
  /** Said to everybody, and to one. */
  messages = 0;
  privateMessages = 0;
  /** Sent again, and known already. */
  duplicates = 0;
  refused = 0;
  /** Taken for rooms, and handed to members. */
  files = 0;
  filesFetched = 0;
  /** Copies that have arrived. */
  deliveries = 0;
  /** Joined by a device. */
  joins = 0;
}
