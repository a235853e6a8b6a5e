/**
 * Owns: maps with a ceiling that forget what was set longest ago. Called by: memories of the SIP engine. Calls: nothing.
 */

/** Sets `key` as the newest entry; when there are `max` others already, the oldest goes. */
export function setNewest<K, V>(map: Map<K, V>, key: K, value: V, max: number): void {
  map.delete(key);
  if (map.size >= max) {
    const [oldest] = map.keys();
    if (oldest !== undefined) map.delete(oldest);
  }
  map.set(key, value);
}
