// @vitest-environment jsdom
/** The templates for administrators: made of the settings, well-formed, and as they lie in the tree. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { policyFiles } from '../../build/policy/templates.ts';
import { settingKeys, settingSpecs } from '../../shared/settings.ts';

const root = resolve(import.meta.dirname, '../..');
const files = policyFiles();
const lockable = settingKeys.filter((key) => settingSpecs[key].lockable);

it.each([...files.keys()])('%s is as the settings are now (npm run policy)', (name) => {
  expect(readFileSync(resolve(root, name), 'utf8')).toBe(files.get(name));
});

it.each([...files.keys()])('%s names every setting that a policy may decide', (name) => {
  for (const key of lockable) expect(files.get(name)).toContain(key);
});

it('JSON Schema: its defaults are values that it allows', () => {
  const schema = JSON.parse(files.get('build/policy/policy.schema.json') ?? '') as {
    properties: Record<string, { default: unknown; anyOf: [{ type?: string; enum?: unknown[] }] }>;
  };
  for (const [key, { default: initial, anyOf }] of Object.entries(schema.properties)) {
    const [{ enum: options, type }] = anyOf;
    if (options !== undefined) expect(options, key).toContain(initial);
    else if (type === 'boolean') expect(typeof initial, key).toBe('boolean');
    else if (type === 'integer') expect(Number.isInteger(initial), key).toBe(true);
  }
});

it('the XML files are well-formed, and each text that ADMX asks for is in ADML', () => {
  const [admx = '', adml = ''] = ['build/policy/parley.admx', 'build/policy/en-US/parley.adml'].map((name) =>
    files.get(name),
  );
  for (const text of [admx, adml, files.get('build/policy/org.parley.messenger.plist') ?? '']) {
    const document = new DOMParser().parseFromString(text, 'application/xml');
    expect(document.querySelector('parsererror')?.textContent ?? '').toBe('');
  }
  for (const [, id = ''] of admx.matchAll(/\$\(string\.([^)]+)\)/g))
    expect(adml).toContain(`<string id="${id}">`);
  for (const [, id = ''] of admx.matchAll(/\$\(presentation\.([^)]+)\)/g))
    expect(adml).toContain(`<presentation id="${id}">`);
});
