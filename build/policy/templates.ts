/**
 * Owns: what an administrator's tools need to know of the settings: JSON Schema, Windows ADMX and ADML, a manifest for
 * macOS profiles, and the table of the documentation. All of it is made of shared/settings.ts.
 * Called by: main.ts, test/build/policy.test.ts. Calls: settings, json-schema.
 */
import { toJsonSchema, type JsonSchema } from '../../shared/json-schema.ts';
import { settingKeys, settingSpecs, type SettingKey } from '../../shared/settings.ts';

interface Managed {
  readonly key: SettingKey;
  readonly description: string;
  readonly initial: unknown;
  readonly schema: JsonSchema;
}

const managed: readonly Managed[] = settingKeys
  .filter((key) => settingSpecs[key].lockable)
  .map((key) => {
    const { description, initial, schema } = settingSpecs[key];
    return { key, description, initial, schema: toJsonSchema(schema) };
  });

/** The files, by name. */
export function policyFiles(): ReadonlyMap<string, string> {
  return new Map([
    ['build/policy/policy.schema.json', `${JSON.stringify(jsonSchema(), null, 2)}\n`],
    ['build/policy/parley.admx', admx()],
    ['build/policy/en-US/parley.adml', adml()],
    ['build/policy/org.parley.messenger.plist', profileManifest()],
    ['docs/policy-settings.md', settingTable()],
  ]);
}

/** A policy file: plain values are locked, `{ "value": …, "locked": false }` are defaults. */
function jsonSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Policy of Parley',
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(
      managed.map(({ key, description, schema, initial }) => [
        key,
        {
          description,
          default: initial,
          anyOf: [
            schema,
            {
              type: 'object',
              properties: { value: schema, locked: { type: 'boolean', default: true } },
              required: ['value'],
              additionalProperties: false,
            },
          ],
        },
      ]),
    ),
  };
}

const REGISTRY = String.raw`Software\Policies\Parley`;

function xml(text: string): string {
  return text.replace(
    /[&<>"]/g,
    (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char] ?? '',
  );
}

const idOf = (key: string): string => key.replace(/[^A-Za-z0-9]/g, '_');
const categoryOf = (key: string): string => key.split('.')[0] ?? '';
const categories = [...new Set(managed.map(({ key }) => categoryOf(key)))];

function admxElement({ key, schema }: Managed): string {
  const id = idOf(key);
  const options = schema['enum'] as readonly string[] | undefined;
  if (options !== undefined) {
    const items = options.map(
      (option) =>
        `          <item displayName="$(string.${id}_${idOf(option)})"><value><string>${xml(option)}</string></value></item>`,
    );
    return `        <enum id="${id}" valueName="${key}" required="true">\n${items.join('\n')}\n        </enum>`;
  }
  if (schema['type'] === 'integer' || schema['type'] === 'number') {
    const least = Math.max(0, Math.ceil(Number(schema['minimum'] ?? 0)));
    const most = Math.min(4_294_967_295, Math.floor(Number(schema['maximum'] ?? 4_294_967_295)));
    return `        <decimal id="${id}" valueName="${key}" minValue="${least}" maxValue="${most}" required="true" />`;
  }
  return `        <text id="${id}" valueName="${key}" maxLength="4096" required="true" />`;
}

/** Each setting twice: locked, and as a default under `Recommended`. */
function admx(): string {
  const policies = [false, true].flatMap((recommended) =>
    managed.map((setting) => {
      const { key, schema } = setting;
      const id = idOf(key);
      const name = recommended ? `${id}_recommended` : id;
      const where = recommended ? `${REGISTRY}\\Recommended` : REGISTRY;
      const head = `    <policy name="${name}" class="Both" displayName="$(string.${id})" explainText="$(string.${id}_explain)" key="${where}"`;
      const parent = `      <parentCategory ref="${categoryOf(key)}${recommended ? '_recommended' : ''}" />\n      <supportedOn ref="supported" />`;
      if (schema['type'] === 'boolean') {
        return `${head} valueName="${key}">\n${parent}\n      <enabledValue><decimal value="1" /></enabledValue>\n      <disabledValue><decimal value="0" /></disabledValue>\n    </policy>`;
      }
      return `${head} presentation="$(presentation.${id})">\n${parent}\n      <elements>\n${admxElement(setting)}\n      </elements>\n    </policy>`;
    }),
  );
  const tree = categories.flatMap((name) => [
    `    <category name="${name}" displayName="$(string.category_${name})"><parentCategory ref="parley" /></category>`,
    `    <category name="${name}_recommended" displayName="$(string.category_${name})"><parentCategory ref="recommended" /></category>`,
  ]);
  return `<?xml version="1.0" encoding="utf-8"?>
<policyDefinitions xmlns="http://schemas.microsoft.com/GroupPolicy/2006/07/PolicyDefinitions" revision="1.0" schemaVersion="1.0">
  <policyNamespaces>
    <target prefix="parley" namespace="Parley.Policies" />
    <using prefix="windows" namespace="Microsoft.Policies.Windows" />
  </policyNamespaces>
  <resources minRequiredRevision="1.0" />
  <supportedOn><definitions><definition name="supported" displayName="$(string.supported)" /></definitions></supportedOn>
  <categories>
    <category name="parley" displayName="$(string.parley)" />
    <category name="recommended" displayName="$(string.recommended)"><parentCategory ref="parley" /></category>
${tree.join('\n')}
  </categories>
  <policies>
${policies.join('\n')}
  </policies>
</policyDefinitions>
`;
}

function adml(): string {
  const strings: [string, string][] = [
    ['supported', 'Parley 0.1 or later'],
    ['parley', 'Parley'],
    ['recommended', 'Defaults, which users may change'],
    ...categories.map((name): [string, string] => [`category_${name}`, name]),
    ...managed.flatMap(({ key, description, schema }): [string, string][] => [
      [idOf(key), key],
      [`${idOf(key)}_explain`, description],
      ...((schema['enum'] ?? []) as string[]).map((option): [string, string] => [
        `${idOf(key)}_${idOf(option)}`,
        option,
      ]),
    ]),
  ];
  const presentations = managed.flatMap(({ key, schema }) => {
    const id = idOf(key);
    if (schema['type'] === 'boolean') return [];
    const isNumber = schema['type'] === 'integer' || schema['type'] === 'number';
    const box =
      schema['enum'] !== undefined
        ? `<dropdownList refId="${id}">${key}</dropdownList>`
        : isNumber
          ? `<decimalTextBox refId="${id}">${key}</decimalTextBox>`
          : `<textBox refId="${id}"><label>${key}</label></textBox>`;
    return [`      <presentation id="${id}">${box}</presentation>`];
  });
  return `<?xml version="1.0" encoding="utf-8"?>
<policyDefinitionResources xmlns="http://schemas.microsoft.com/GroupPolicy/2006/07/PolicyDefinitions" revision="1.0" schemaVersion="1.0">
  <displayName>Parley</displayName>
  <description>Settings of Parley that a rollout decides</description>
  <resources>
    <stringTable>
${strings.map(([id, text]) => `      <string id="${id}">${xml(text)}</string>`).join('\n')}
    </stringTable>
    <presentationTable>
${presentations.join('\n')}
    </presentationTable>
  </resources>
</policyDefinitionResources>
`;
}

/** A value as a property list has it, indented by `pad`. */
function plist(value: unknown, pad: string): string {
  if (typeof value === 'boolean') return `${pad}<${String(value)}/>`;
  if (typeof value === 'number') {
    const type = Number.isInteger(value) ? 'integer' : 'real';
    return `${pad}<${type}>${value}</${type}>`;
  }
  if (typeof value === 'string') return `${pad}<string>${xml(value)}</string>`;
  if (Array.isArray(value)) {
    if (value.length === 0) return `${pad}<array/>`;
    return `${pad}<array>\n${value.map((one) => plist(one, `${pad}  `)).join('\n')}\n${pad}</array>`;
  }
  const entries = Object.entries(value as Record<string, unknown>);
  if (entries.length === 0) return `${pad}<dict/>`;
  const inside = entries.map(([key, one]) => `${pad}  <key>${xml(key)}</key>\n${plist(one, `${pad}  `)}`);
  return `${pad}<dict>\n${inside.join('\n')}\n${pad}</dict>`;
}

function pfmType({ schema }: Managed): string {
  if (schema['enum'] !== undefined || schema['type'] === 'string') return 'string';
  if (schema['type'] === 'boolean') return 'boolean';
  if (schema['type'] === 'integer') return 'integer';
  if (schema['type'] === 'number') return 'real';
  return schema['type'] === 'array' ? 'array' : 'dictionary';
}

/** The manifest that profile editors read; the preferences of the profile go to the domain of its name. */
function profileManifest(): string {
  const subkeys = managed.map((setting) => {
    const { key, description, schema, initial } = setting;
    return {
      pfm_name: key,
      pfm_title: key,
      pfm_description: description,
      pfm_type: pfmType(setting),
      pfm_default: initial,
      ...(schema['enum'] === undefined ? {} : { pfm_range_list: schema['enum'] }),
      ...(schema['minimum'] === undefined ? {} : { pfm_range_min: schema['minimum'] }),
      ...(schema['maximum'] === undefined ? {} : { pfm_range_max: schema['maximum'] }),
      ...(schema['type'] === 'array' ? { pfm_subkeys: [{ pfm_name: 'item', pfm_type: 'string' }] } : {}),
    };
  });
  const manifest = {
    pfm_format_version: 1,
    pfm_version: 1,
    pfm_domain: 'org.parley.messenger',
    pfm_title: 'Parley',
    pfm_description: 'Settings of Parley that a rollout decides; each is locked.',
    pfm_platforms: ['macOS'],
    pfm_subkeys: subkeys,
  };
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
${plist(manifest, '')}
</plist>
`;
}

/** A line for people; bars would end a cell. */
function cell(value: unknown): string {
  return JSON.stringify(value).replaceAll('|', '\\|');
}

function valuesOf({ schema }: Managed): string {
  const options = schema['enum'] as readonly unknown[] | undefined;
  if (options !== undefined) return options.map((option) => `\`${cell(option)}\``).join(', ');
  const { minimum, maximum, type = 'object' } = schema as Record<string, string | number | undefined>;
  const range = minimum === undefined ? '' : ` ${minimum} to ${maximum ?? ''}`;
  return `${type}${range}`;
}

function settingTable(): string {
  const rows = managed.map(
    (setting) =>
      `| \`${setting.key}\` | ${valuesOf(setting)} | \`${cell(setting.initial)}\` | ${setting.description.replaceAll('|', '\\|')} |`,
  );
  return `# Settings that a policy may decide

Made by \`npm run policy\`; how policies are read is in [policy.md](policy.md).

| key | values | without a policy | what it does |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}
