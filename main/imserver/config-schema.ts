/**
 * Owns: the configuration's schema in other forms: as JSON Schema, and as the list of its keys. Called by: main.ts,
 * config-sources.ts. Calls: server-config.ts, json-schema.ts.
 */
import { toJsonSchema, unwrapSchema, type JsonSchema, type SchemaNode } from '../../shared/json-schema.ts';
import { serverConfigSchema } from './server-config.ts';

/** Of a key that has no keys of its own. */
export type LeafKind = 'string' | 'number' | 'boolean' | 'list';

const root = serverConfigSchema as unknown as SchemaNode;

/** Every key without keys of its own, with dots (`relay.port`). */
export function configLeaves(node: SchemaNode = root, path = ''): Map<string, LeafKind> {
  const { inner } = unwrapSchema(node);
  const leaves = new Map<string, LeafKind>();
  if (inner.entries === undefined) {
    leaves.set(path, kindOf(inner));
    return leaves;
  }
  for (const [key, entry] of Object.entries(inner.entries)) {
    for (const leaf of configLeaves(entry, path === '' ? key : `${path}.${key}`)) leaves.set(...leaf);
  }
  return leaves;
}

/** The whole as JSON Schema (2020-12), for editors and for who writes configurations by program. */
export function configJsonSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of the Parley IM Server',
    // What the program fills in by itself has not to be written down.
    ...toJsonSchema(root, ['data']),
  };
}

function kindOf({ type }: SchemaNode): LeafKind {
  if (type === 'array') return 'list';
  return type === 'number' || type === 'boolean' ? type : 'string';
}
