/**
 * Owns: a schema of valibot as JSON Schema (2020-12): as much of both as our schemas use.
 * Called by: main/imserver/config-schema.ts, build/policy. Calls: nothing.
 */

interface Step {
  readonly type: string;
  readonly requirement?: unknown;
}

/** What this file has to know of valibot's own objects. */
export interface SchemaNode {
  readonly type: string;
  readonly wrapped?: SchemaNode;
  readonly default?: unknown;
  readonly entries?: Readonly<Record<string, SchemaNode>>;
  readonly item?: SchemaNode;
  /** Words of a picklist, or schemas of a variant. */
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
  readonly pipe?: readonly Step[];
}

export type JsonSchema = Record<string, unknown>;

/** `optional`: keys that may be left out although their schema does not say so. */
export function toJsonSchema(node: SchemaNode, optional: readonly string[] = []): JsonSchema {
  const { inner, initial } = unwrapSchema(node);
  const isPlain = initial !== undefined && (typeof initial !== 'object' || Array.isArray(initial));
  return { ...shapeOf(inner, optional), ...(isPlain ? { default: initial } : {}) };
}

/** A schema without its `optional`, and what it is without a value. */
export function unwrapSchema(node: SchemaNode): { readonly inner: SchemaNode; readonly initial: unknown } {
  return node.type === 'optional' && node.wrapped !== undefined
    ? { inner: node.wrapped, initial: node.default }
    : { inner: node, initial: undefined };
}

function shapeOf(node: SchemaNode, optional: readonly string[]): JsonSchema {
  if (node.entries !== undefined) {
    const entries = Object.entries(node.entries);
    const required = entries.filter(([key, { type }]) => type !== 'optional' && !optional.includes(key));
    return {
      type: 'object',
      properties: Object.fromEntries(entries.map(([key, entry]) => [key, toJsonSchema(entry, optional)])),
      ...(required.length > 0 ? { required: required.map(([key]) => key) } : {}),
      additionalProperties: false,
    };
  }
  if (node.type === 'picklist') return { enum: node.options };
  if (node.type === 'literal') return { const: node.literal };
  if (node.type === 'variant') {
    return { oneOf: (node.options ?? []).map((option) => toJsonSchema(option as SchemaNode, optional)) };
  }
  if (node.type === 'array' && node.item !== undefined) {
    return { type: 'array', items: toJsonSchema(node.item, optional), ...rulesOf(node, 'Items') };
  }
  const isInteger = node.pipe?.some(({ type }) => type === 'integer') === true;
  return { type: isInteger ? 'integer' : node.type, ...rulesOf(node, 'Length') };
}

function rulesOf({ pipe = [] }: SchemaNode, size: 'Items' | 'Length'): JsonSchema {
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
