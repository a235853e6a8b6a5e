/**
 * Owns: the event package of registrations (RFC 3680), for a user's own devices: which others are signed in.
 * Called by: sip/agent/notifier.ts, presence-server.ts. Calls: registrar.ts.
 */
import type { Clock } from '../base/clock.ts';
import type { PresenceLimits } from '../base/presence-limits.ts';
import type { NotifierSubscription } from '../sip/agent/notifier-subscription.ts';
import { formatRegInfo, REG_EVENT, REG_INFO_TYPE } from '../sip/device-list.ts';
import { OwnEventPackage } from './own-event-package.ts';
import type { Registrar } from './registrar.ts';

/** The devices of each user, for himself. */
export class RegistrationEvents extends OwnEventPackage {
  readonly event = REG_EVENT;
  readonly contentType = REG_INFO_TYPE;
  readonly minIntervalMs: number;
  readonly #registrar: Pick<Registrar, 'devicesOf'>;
  readonly #clock: Clock;

  constructor(options: {
    registrar: Pick<Registrar, 'devicesOf'>;
    limits: PresenceLimits;
    clock: Clock;
    userOfUri: (uri: string) => string | undefined;
  }) {
    super(options.userOfUri);
    this.#registrar = options.registrar;
    this.#clock = options.clock;
    this.minIntervalMs = options.limits.deviceListMs;
  }

  stateFor({ resource, subscriber, version }: NotifierSubscription): string {
    const nowMs = this.#clock.now();
    const devices = this.#registrar.devicesOf(subscriber).map((device) => ({
      contact: device.contact,
      instance: (device.instance.split(' ')[0] ?? '').replace(/^<|>$/g, ''),
      name: device.description,
      expiresS: Math.max(1, Math.round((device.expiresMs - nowMs) / 1_000)),
    }));
    return formatRegInfo(resource, version, devices);
  }
}
