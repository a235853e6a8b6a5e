/**
 * Owns: the command line of the IM Server that runs alone. Called by: `npm run imserver`. Calls: imserver.ts, user-file.ts.
 */
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createLog, type LogLevel } from '../base/log.ts';
import { formatTapLine, type WireRecord } from '../base/wire-tap.ts';
import { StoreError } from '../store/database.ts';
import { ImServer } from './imserver.ts';
import { checkServerConfig, ConfigError, readServerConfig, type ServerConfig } from './server-config.ts';
import { UserFile, UserFileError } from './user-file.ts';

const HELP = `The IM Server: registrations, sessions and messages for the absent.

  imserver [--config FILE] [--data FOLDER] [--host ADDRESS] [--port PORT] [--domain NAME]
      Runs until it is stopped. Prints one JSON line when it is ready. Without a configuration
      it listens on a free port of this computer only.
  imserver user add NAME [--password TEXT] [--name "Display Name"]
      Adds a user, or changes his password. Without --password it makes one and prints it.
  imserver user list
  imserver user remove NAME

  --log debug|info|warn|error    what is written to standard error (default warn)
  --wire-tap FILE                writes every byte sent to FILE, messages included: for proofs only
`;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function parseCommandLine() {
  return parseArgs({
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      data: { type: 'string' },
      host: { type: 'string' },
      port: { type: 'string' },
      domain: { type: 'string' },
      password: { type: 'string' },
      name: { type: 'string' },
      log: { type: 'string' },
      'wire-tap': { type: 'string' },
      help: { type: 'boolean' },
    },
  });
}

type Values = ReturnType<typeof parseCommandLine>['values'];

async function readConfig(values: Values): Promise<ServerConfig> {
  const overrides = {
    ...(values.data === undefined ? {} : { data: values.data }),
    ...(values.host === undefined ? {} : { host: values.host }),
    ...(values.port === undefined ? {} : { port: Number(values.port) }),
    ...(values.domain === undefined ? {} : { domain: values.domain }),
  };
  const defaults = {
    data: join(process.env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'parley-imserver'),
  };
  if (values.config === undefined) return checkServerConfig({ ...defaults, ...overrides }, 'command line');
  const config = await readServerConfig(values.config, defaults);
  return checkServerConfig({ ...config, ...overrides }, 'command line');
}

async function manageUsers(words: readonly string[], values: Values, config: ServerConfig): Promise<void> {
  const users = new UserFile(config.data, config.domain);
  const [action, user] = words;
  if (action === 'list') {
    for (const [name, { displayName }] of await users.list()) say(`${name}@${config.domain}\t${displayName}`);
    return;
  }
  if (user === undefined) throw new ConfigError('imserver user add|remove needs a user name');
  if (action === 'add') {
    const password = values.password ?? randomBytes(9).toString('base64url');
    await users.add(user, password, values.name);
    say(JSON.stringify({ address: `${user}@${config.domain}`, ...(values.password ? {} : { password }) }));
  } else if (action === 'remove') {
    if (!(await users.remove(user))) throw new UserFileError(`There is no user "${user}".`);
  } else throw new ConfigError(`imserver user: "${action ?? ''}" is not add, list or remove`);
}

async function run(config: ServerConfig, level: LogLevel, tapFile: string | undefined): Promise<void> {
  const log = createLog({ level, sink: (line) => process.stderr.write(`${line}\n`) });
  const tapped = tapFile === undefined ? undefined : createWriteStream(tapFile, { mode: 0o600 });
  const tap = (record: WireRecord) => {
    const line = formatTapLine(record);
    if (line !== undefined) tapped?.write(line);
  };
  const server = await ImServer.start({ config, log, ...(tapped ? { tap } : {}) });
  // A listening socket does not outlive its owner: this keeps the process until a signal comes.
  const stopped = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      stopped.resolve();
    });
  say(JSON.stringify({ sip: server.sip, domain: server.domain, relays: server.relays }));
  await stopped.promise;
  await server[Symbol.asyncDispose]();
  tapped?.end();
}

async function main(): Promise<void> {
  const { values, positionals } = parseCommandLine();
  if (values.help) {
    say(HELP);
    return;
  }
  const config = await readConfig(values);
  if (positionals[0] === 'user') await manageUsers(positionals.slice(1), values, config);
  else if (positionals.length > 0)
    throw new ConfigError(`imserver: unknown word "${positionals[0] ?? ''}"; try --help`);
  else await run(config, (values.log ?? 'warn') as LogLevel, values['wire-tap']);
}

try {
  await main();
} catch (error) {
  const expected =
    error instanceof ConfigError ||
    error instanceof UserFileError ||
    error instanceof StoreError ||
    ['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL'].includes(String((error as { code?: unknown }).code)) ||
    String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${expected ? (error as Error).message : String((error as Error).stack)}\n`);
  process.exitCode = 1;
}
