/**
 * Owns: where the configuration comes from: file, environment, command line, each over the one before.
 * Called by: main.ts. Calls: server-config.ts, config-schema.ts, the file system.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { configLeaves, type LeafKind } from './config-schema.ts';
import { checkServerConfig, ConfigError, type ServerConfig } from './server-config.ts';

const PREFIX = 'PARLEY_IMSERVER_';

/** What is no number and no truth stays a text, so that the check says so with its path. */
const READ: Readonly<Record<LeafKind, (text: string) => unknown>> = {
  string: (text) => text,
  number: (text) => (/^\d+$/.test(text) ? Number(text) : text),
  boolean: (text) => (text === 'true' ? true : text === 'false' ? false : text),
  list: (text) => text.split(',').map((one) => one.trim()),
};

/** The command line's part. */
export interface ConfigOptions {
  readonly config?: string | undefined;
  readonly data?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly domain?: string | undefined;
  readonly log?: string | undefined;
}

type Tree = Record<string, unknown>;

/** Rejects with ConfigError, which names each place that is wrong. */
export async function readConfig(
  options: ConfigOptions,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ServerConfig> {
  const home = environment['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share');
  const path = options.config ?? environment[`${PREFIX}CONFIG`];
  const tree: Tree = {
    data: join(home, 'parley-imserver'),
    ...(path === undefined ? {} : await readTree(path)),
  };
  const used = applyEnvironment(tree, environment);
  const { data, host, port, domain, log } = options;
  const own = { data, host, domain, log, port: port === undefined ? undefined : READ.number(port) };
  for (const [key, value] of Object.entries(own)) if (value !== undefined) tree[key] = value;
  const sources = [
    ...(path === undefined ? [] : [path]),
    ...(used ? ['the environment'] : []),
    'command line',
  ];
  return checkServerConfig(tree, sources.join(', '));
}

async function readTree(path: string): Promise<Tree> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${path}: cannot be read (${(error as Error).message})`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`${path}: is no JSON (${(error as Error).message})`);
  }
  if (!isTree(json)) throw new ConfigError(`${path}: has to be an object`);
  // Where editors find the schema is no business of ours.
  const { $schema: _schema, ...tree } = json;
  return tree;
}

/** Returns whether there was anything. A variable that sets nothing is a mistake in its name. */
function applyEnvironment(tree: Tree, environment: Readonly<Record<string, string | undefined>>): boolean {
  const leaves = new Map([...configLeaves()].map(([key, kind]) => [key.toLowerCase(), { key, kind }]));
  let used = false;
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || name === `${PREFIX}CONFIG` || value === undefined) continue;
    const leaf = leaves.get(name.slice(PREFIX.length).toLowerCase().replace('_', '.'));
    if (leaf === undefined) {
      const known = [...leaves.keys()].map((one) => PREFIX + one.replace('.', '_').toUpperCase());
      throw new ConfigError(`${name}: there is no such variable; there are ${known.join(', ')}`);
    }
    const { key, kind } = leaf;
    const [first = '', second] = key.split('.');
    if (second === undefined) tree[first] = READ[kind](value);
    else tree[first] = { ...(isTree(tree[first]) ? tree[first] : {}), [second]: READ[kind](value) };
    used = true;
  }
  return used;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
