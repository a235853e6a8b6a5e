/**
 * Owns: the configuration's schema in other forms: as JSON Schema, and as the list of its keys. Called by: main.ts,
 * config-sources.ts. Calls: server-config.ts.
 */
import { serverConfigSchema } from './server-config.ts';

/** Of a key that has no keys of its own. */
export type LeafKind = 'string' | 'number' | 'boolean' | 'list';

interface Step {
  readonly type: string;
  readonly requirement?: unknown;
}

/** What this file has to know of valibot's own objects. */
interface Node {
  readonly type: string;
  readonly wrapped?: Node;
  readonly default?: unknown;
  readonly entries?: Readonly<Record<string, Node>>;
  readonly item?: Node;
  readonly options?: readonly string[];
  readonly pipe?: readonly Step[];
}

type JsonSchema = Record<string, unknown>;

const root = serverConfigSchema as unknown as Node;

/** Every key without keys of its own, with dots (`relay.port`). */
export function configLeaves(node: Node = root, path = ''): Map<string, LeafKind> {
  const { inner } = unwrap(node);
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
    ...toJsonSchema(root),
  };
}

function toJsonSchema(node: Node): JsonSchema {
  const { inner, initial } = unwrap(node);
  const isPlain = initial !== undefined && (typeof initial !== 'object' || Array.isArray(initial));
  return { ...shapeOf(inner), ...(isPlain ? { default: initial } : {}) };
}

function shapeOf(node: Node): JsonSchema {
  if (node.entries !== undefined) {
    const entries = Object.entries(node.entries);
    // What the program fills in by itself has not to be written down.
    const required = entries.filter(([key, { type }]) => type !== 'optional' && key !== 'data');
    return {
      type: 'object',
      properties: Object.fromEntries(entries.map(([key, entry]) => [key, toJsonSchema(entry)])),
      ...(required.length > 0 ? { required: required.map(([key]) => key) } : {}),
      additionalProperties: false,
    };
  }
  if (node.type === 'picklist') return { enum: node.options };
  if (node.type === 'array' && node.item !== undefined) {
    return { type: 'array', items: toJsonSchema(node.item), ...rulesOf(node, 'Items') };
  }
  const isInteger = node.pipe?.some(({ type }) => type === 'integer') === true;
  return { type: isInteger ? 'integer' : node.type, ...rulesOf(node, 'Length') };
}

function rulesOf({ pipe = [] }: Node, size: 'Items' | 'Length'): JsonSchema {
  const rules: JsonSchema = {};
  for (const { type, requirement } of pipe) {
    if (type === 'min_value') rules['minimum'] = requirement;
    else if (type === 'max_value') rules['maximum'] = requirement;
    else if (type === 'min_length') rules[`min${size}`] = requirement;
    else if (type === 'max_length') rules[`max${size}`] = requirement;
    else if (requirement instanceof RegExp) rules['pattern'] = requirement.source;
  }
  return rules;
}

function unwrap(node: Node): { readonly inner: Node; readonly initial: unknown } {
  return node.type === 'optional' && node.wrapped !== undefined
    ? { inner: node.wrapped, initial: node.default }
    : { inner: node, initial: undefined };
}

function kindOf({ type }: Node): LeafKind {
  if (type === 'array') return 'list';
  return type === 'number' || type === 'boolean' ? type : 'string';
}
