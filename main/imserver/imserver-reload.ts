/**
 * Owns: what of a new configuration a running server takes up, and what has to wait for a restart. Called by: main.ts.
 * Calls: imserver.ts.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ServerConfig } from './server-config.ts';

/** Keys by what became of them. */
export interface ReloadOutcome {
  readonly applied: readonly string[];
  /** Changed, and not possible while people are connected. */
  readonly needsRestart: readonly string[];
}

const LIVE = new Set([
  'log',
  'digest',
  'presence.permission',
  'policy.domains',
  'trustedFronts',
  'tls.cert',
  'tls.key',
  'relay.name',
  'relay.plain',
  'relay.cert',
  'relay.key',
]);

/** The keys in which two configurations differ. */
export function compareConfigs(before: ServerConfig, after: ServerConfig): ReloadOutcome {
  const [old, now] = [flatten(before), flatten(after)];
  const changed = [...new Set([...old.keys(), ...now.keys()])].filter(
    (key) => !isDeepStrictEqual(old.get(key), now.get(key)),
  );
  // Whether there is TLS at all is decided when the server listens.
  const isLive = (key: string) =>
    LIVE.has(key) && (!key.startsWith('tls.') || (before.tls !== undefined && after.tls !== undefined));
  return {
    applied: changed.filter(isLive),
    needsRestart: changed.filter((key) => !isLive(key)),
  };
}

function flatten(config: ServerConfig): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  for (const [key, value] of Object.entries(config)) {
    if (typeof value !== 'object' || Array.isArray(value)) flat.set(key, value);
    else for (const [inner, one] of Object.entries(value)) flat.set(`${key}.${inner}`, one);
  }
  return flat;
}
