/**
 * Owns: the relay as the configuration wants it: its certificate, and what is announced of it. Called by: imserver.ts.
 * Calls: msrp-relay.ts, server-config.ts.
 */
import { X509Certificate } from 'node:crypto';
import type { RelayLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { WireTap } from '../base/wire-tap.ts';
import { formatFingerprint } from '../msrp/fingerprint.ts';
import type { MsrpIdentity } from '../msrp/tls-identity.ts';
import { MsrpRelay } from './msrp-relay.ts';
import type { PasswordCheck } from './password-check.ts';
import { ConfigError, readCertificate, type ServerConfig } from './server-config.ts';
import type { Users } from './users.ts';

export interface RelayStartOptions {
  readonly config: ServerConfig;
  readonly log: Log;
  readonly passwords: PasswordCheck;
  readonly users: Users;
  /** That of SIP. */
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
  readonly relayLimits?: Partial<RelayLimits>;
  readonly tap?: WireTap;
}

/** Undefined when there is to be none. Rejects with ConfigError, or with the system's error when it cannot listen. */
export async function startRelay(options: RelayStartOptions): Promise<MsrpRelay | undefined> {
  const { config, log, passwords, users, tap, relayLimits } = options;
  const { enabled, host = config.host, port, name, plain } = config.relay;
  if (!enabled) return undefined;
  const identity = await readIdentity(config, options.certificate);
  return MsrpRelay.start({
    passwords,
    users,
    log,
    host,
    port,
    name,
    plain,
    identity,
    ...(relayLimits === undefined ? {} : { limits: relayLimits }),
    tap,
  });
}

/**
 * The certificate of the relay: its own, else that of SIP; undefined: it makes one. Rejects with ConfigError.
 */
export async function readIdentity(
  { relay: { cert, key } }: ServerConfig,
  ofSip: RelayStartOptions['certificate'],
): Promise<MsrpIdentity | undefined> {
  if ((cert === undefined) !== (key === undefined)) {
    throw new ConfigError('relay: cert and key belong together');
  }
  const own =
    cert !== undefined && key !== undefined ? await readCertificate({ cert, key }, 'relay') : undefined;
  const certificate = own ?? ofSip;
  return certificate === undefined ? undefined : identityOf(certificate);
}

function identityOf({ cert, key }: { cert: string; key: string }): MsrpIdentity {
  try {
    return { cert, key, fingerprint: formatFingerprint(new X509Certificate(cert).raw) };
  } catch (error) {
    throw new ConfigError(`relay: the certificate cannot be read (${(error as Error).message})`);
  }
}
