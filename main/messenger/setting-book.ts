/**
 * Owns: the settings that hold: what a policy has locked, else what the user has chosen, else what a policy or the
 * program begins with. Called by: messenger.ts. Calls: settings, policy.
 */
import * as v from 'valibot';
import { noPolicy, type Policy, type ShownPolicy } from '../../shared/policy.ts';
import {
  initialSettings,
  settingKeys,
  settingSpecs,
  type SettingKey,
  type Settings,
} from '../../shared/settings.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { Log } from '../base/log.ts';

/** The settings of one profile. */
export class SettingBook {
  #chosen: Partial<Settings> = {};
  #policy: Policy = noPolicy;
  #values: Settings = initialSettings();

  /** What holds now. */
  get values(): Settings {
    return this.#values;
  }

  get policy(): ShownPolicy {
    const { rules, faults } = this.#policy;
    return { rules: rules.map(({ key, locked, source }) => ({ key, locked, source })), faults: [...faults] };
  }

  /** A policy has decided this one. */
  isLocked(key: SettingKey): boolean {
    return this.#policy.rules.some((rule) => rule.key === key && rule.locked);
  }

  /** What the user has chosen, as it lies on disk. What is not valid any more is left out and told to the log. */
  load(stored: Readonly<Record<string, string>>, log: Log): void {
    for (const key of settingKeys) {
      const text = stored[key];
      if (text === undefined || settingSpecs[key].policyOnly === true) continue;
      const parsed = v.safeParse(settingSpecs[key].schema, parseJson(text));
      if (parsed.success) this.#chosen = { ...this.#chosen, [key]: parsed.output };
      else log.warn('setting.invalid', { key });
    }
    this.#resolve();
  }

  /** Another policy holds from now on. Returns the settings that are other ones than before. */
  applyPolicy(policy: Policy): SettingKey[] {
    const before = this.#values;
    this.#policy = policy;
    this.#resolve();
    return settingKeys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(this.#values[key]));
  }

  /** A value that the user may choose. Throws CallError `locked` or `invalid-input`. */
  check(key: SettingKey, value: unknown): unknown {
    if (this.isLocked(key)) {
      throw new CallError('locked', `${key} is decided by whoever administers this computer.`);
    }
    if (settingSpecs[key].policyOnly === true)
      throw new CallError('locked', `${key} is set by a policy only.`);
    const parsed = v.safeParse(settingSpecs[key].schema, value);
    if (parsed.success) return parsed.output;
    throw new CallError('invalid-input', `${key}: ${parsed.issues[0].message}`);
  }

  /** The user has chosen; `value` comes from {@link check} and is on disk. */
  apply(key: SettingKey, value: unknown): void {
    this.#chosen = { ...this.#chosen, [key]: value };
    this.#resolve();
  }

  #resolve(): void {
    const ruled = (locked: boolean) =>
      Object.fromEntries(
        this.#policy.rules.filter((rule) => rule.locked === locked).map(({ key, value }) => [key, value]),
      );
    this.#values = { ...initialSettings(), ...ruled(false), ...this.#chosen, ...ruled(true) };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
