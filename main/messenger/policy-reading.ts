/**
 * Owns: how a policy is read: which of several sources decides, and what holds where one cannot be understood.
 * Called by: hosts/policy.ts. Calls: settings, policy.
 */
import * as v from 'valibot';
import { policySources, type Policy, type PolicyRule, type PolicySource } from '../../shared/policy.ts';
import { settingKeys, settingSpecs, type SettingKey } from '../../shared/settings.ts';

/** What one source says: a file, a key of the registry, the command line. */
export interface PolicyText {
  readonly source: PolicySource;
  /** Where it stands, for sentences about it. */
  readonly place: string;
  /**
   * Values of settings by key: plain, which are locked, or `{ "value": …, "locked": false }`. Undefined when nothing
   * could be read of it although something is there.
   */
  readonly values: Readonly<Record<string, unknown>> | undefined;
}

const ruleSchema = v.strictObject({ value: v.unknown(), locked: v.optional(v.boolean(), true) });
const KEYS: readonly string[] = settingKeys;

/**
 * The rules of all sources; of several for one setting that of the strongest source. A lock is never ignored: where its
 * value cannot be understood the strictest one holds, and where a source cannot be read at all everything is locked.
 */
export function readPolicy(texts: readonly PolicyText[]): Policy {
  const rules = new Map<SettingKey, PolicyRule>();
  const faults: string[] = [];
  const ordered = [...texts].sort(
    (a, b) => policySources.indexOf(a.source) - policySources.indexOf(b.source),
  );
  for (const { source, place, values } of ordered) {
    if (values === undefined) {
      faults.push(
        `${place} cannot be read. Until it can, every setting that a policy may lock is locked at its strictest value.`,
      );
      for (const key of settingKeys) if (!rules.has(key)) addStrictest(rules, key, source);
      continue;
    }
    for (const [name, value] of Object.entries(values)) {
      if (!KEYS.includes(name)) {
        faults.push(`${place}: there is no setting "${name}".`);
        continue;
      }
      const key = name as SettingKey;
      if (!settingSpecs[key].lockable) faults.push(`${place}: "${key}" cannot be set by a policy.`);
      else if (!rules.has(key)) addRule({ rules, faults, key, value, source, place });
    }
  }
  return { rules: [...rules.values()], faults };
}

function addStrictest(rules: Map<SettingKey, PolicyRule>, key: SettingKey, source: PolicySource): void {
  const { lockable, initial, strictest = initial } = settingSpecs[key];
  if (lockable) rules.set(key, { key, value: strictest, locked: true, source });
}

function addRule(given: {
  readonly rules: Map<SettingKey, PolicyRule>;
  readonly faults: string[];
  readonly key: SettingKey;
  readonly value: unknown;
  readonly source: PolicySource;
  readonly place: string;
}): void {
  const { rules, faults, key, source, place } = given;
  const rule = v.safeParse(ruleSchema, given.value);
  // A setting whose value is an object itself may stand there plainly as well.
  const { value, locked } = rule.success ? rule.output : { value: given.value, locked: true };
  const { schema } = settingSpecs[key];
  // Where there are only numbers, 0 and 1 are no and yes.
  const asFlag = v.safeParse(schema, value === 1);
  const isFlag = (value === 0 || value === 1) && asFlag.success;
  const parsed = isFlag ? asFlag : v.safeParse(schema, value);
  if (parsed.success) {
    rules.set(key, { key, value: parsed.output, locked, source });
    return;
  }
  const said = parsed.issues[0].message;
  faults.push(`${place}: "${key}" has no valid value (${said}). It is locked at its strictest value.`);
  addStrictest(rules, key, source);
}
