/**
 * Owns: what a rollout decides for its people: values of settings that they cannot change, or begin with.
 * Called by: contract, main/hosts/policy.ts, main/messenger/setting-book.ts, settings views. Calls: settings.ts.
 */
import * as v from 'valibot';
import { settingKeys, type SettingKey } from './settings.ts';

/** Strongest first. */
export const policySources = ['machine', 'user', 'command-line'] as const;
export type PolicySource = (typeof policySources)[number];

/** One setting that somebody else has decided. */
export interface PolicyRule {
  readonly key: SettingKey;
  /** Valid for its setting. */
  readonly value: unknown;
  /** The user cannot change it; else it is what he begins with. */
  readonly locked: boolean;
  readonly source: PolicySource;
}

/** Everything that is decided, at most one rule for each setting; and what could not be read, a sentence each. */
export interface Policy {
  readonly rules: readonly PolicyRule[];
  readonly faults: readonly string[];
}

export const noPolicy: Policy = { rules: [], faults: [] };

/** As the window is told: without the values, which are those of the settings. */
export const policySchema = v.object({
  rules: v.array(
    v.object({ key: v.picklist(settingKeys), locked: v.boolean(), source: v.picklist(policySources) }),
  ),
  faults: v.array(v.string()),
});
export type ShownPolicy = v.InferOutput<typeof policySchema>;
