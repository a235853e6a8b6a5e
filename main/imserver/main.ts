/**
 * Owns: the command line of the IM Server that runs alone. Called by: `npm run imserver`. Calls: imserver.ts,
 * config-sources.ts, user-commands.ts, control-server.ts, control-client.ts.
 */
import { createWriteStream } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { createLog } from '../base/log.ts';
import { formatTapLine, type WireRecord } from '../base/wire-tap.ts';
import { StoreError } from '../store/database.ts';
import { configJsonSchema } from './config-schema.ts';
import { readConfig } from './config-sources.ts';
import { askServer } from './control-client.ts';
import { ControlServer } from './control-server.ts';
import type { ReloadOutcome } from './imserver-reload.ts';
import { ImServer } from './imserver.ts';
import { readIdentity } from './relay-start.ts';
import { ConfigError, readCertificate, type ServerConfig } from './server-config.ts';
import { runRoomCommand } from './room-commands.ts';
import { runUserCommand } from './user-commands.ts';
import { UserFileError } from './user-file.ts';

const HELP = `The IM Server: registrations, sessions, an MSRP relay, and messages for the absent.

  imserver [--config FILE] [--data FOLDER] [--host ADDRESS] [--port PORT] [--domain NAME]
      Runs until it is stopped. Prints one JSON line when it is ready. Without a configuration
      it listens on free ports of this computer only. SIGHUP reads the configuration again.
  imserver schema                prints the JSON Schema of the configuration
  imserver check                 says what is wrong with the configuration, and where; else prints all of it

  imserver user add NAME [--name "Display Name"] [--password TEXT | --password-stdin]
  imserver user passwd NAME [--password TEXT | --password-stdin]
      Without a password they make one and print it.
  imserver user disable|enable|remove NAME
  imserver user list

  Of the server that runs on the same data folder:
  imserver sessions              one line of JSON for each session
  imserver rooms                 one line of JSON for each chat room
  imserver rooms add NAME [--name "Title"]   makes a room that everybody joins by its address
  imserver rooms remove NAME     closes a room, with all that it keeps
  imserver drain [--wait SECONDS]   takes no new sessions; waits until none is left (ends with 1 if some are)
  imserver resume                takes new sessions again
  imserver reload                reads the configuration again

  --log debug|info|warn|error    what is written to standard error (default warn)
  --wire-tap FILE                writes every byte sent to FILE, messages included: for proofs only

Each key of the configuration can be set in the environment as well: PARLEY_IMSERVER_PORT, PARLEY_IMSERVER_RELAY_NAME …
`;

const DRAIN_LOOK_MS = 250;

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
      'password-stdin': { type: 'boolean' },
      name: { type: 'string' },
      wait: { type: 'string' },
      log: { type: 'string' },
      'wire-tap': { type: 'string' },
      help: { type: 'boolean' },
    },
  });
}

type Values = ReturnType<typeof parseCommandLine>['values'];

const readNow = (values: Values): Promise<ServerConfig> => readConfig(values, process.env);

async function run(values: Values): Promise<void> {
  let config = await readNow(values);
  if ((await askServer(config.data, 'GET', '/sessions')) !== undefined) {
    throw new ConfigError(`A server runs on ${config.data} already. Stop it, or choose another folder.`);
  }
  const log = createLog({ level: () => config.log, sink: (line) => process.stderr.write(`${line}\n`) });
  const tapFile = values['wire-tap'];
  const tapped = tapFile === undefined ? undefined : createWriteStream(tapFile, { mode: 0o600 });
  const tap = (record: WireRecord) => {
    const line = formatTapLine(record);
    if (line !== undefined) tapped?.write(line);
  };
  await using server = await ImServer.start({ config, log, ...(tapped ? { tap } : {}) });
  const reload = async (): Promise<ReloadOutcome> => {
    const next = await readNow(values);
    const outcome = await server.reload(next);
    config = { ...config, log: next.log };
    log.info('imserver.reloaded', { ...outcome });
    if (outcome.needsRestart.length > 0) log.warn('imserver.needs-restart', { keys: outcome.needsRestart });
    return outcome;
  };
  await using control = await ControlServer.open({
    server,
    data: config.data,
    metrics: config.metrics,
    log,
    reload,
  });
  process.on('SIGHUP', () => {
    // What is wrong is said, and the server goes on with what it has.
    reload().catch((error: unknown) => log.error('imserver.not-reloaded', { error }));
  });
  // A listening socket does not outlive its owner: this keeps the process until a signal comes.
  const stopped = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      stopped.resolve();
    });
  const { sip, relays, domain } = server;
  const metrics = control.metricsUrl;
  say(JSON.stringify({ sip, domain, relays, ...(metrics === undefined ? {} : { metrics }) }));
  await stopped.promise;
  log.info('imserver.stopping', { sessions: server.sessionCount });
  tapped?.end();
}

/** Everything that can be wrong before anything listens. */
async function check(config: ServerConfig): Promise<void> {
  const certificate = config.tls === undefined ? undefined : await readCertificate(config.tls);
  await readIdentity(config, certificate);
  const { drachtio, storage } = config;
  const shown = {
    ...config,
    ...(drachtio === undefined ? {} : { drachtio: { ...drachtio, secret: '(set)' } }),
    storage: storage.url === undefined ? storage : { ...storage, url: '(set)' },
  };
  say(JSON.stringify(shown, null, 2));
}

async function ask(config: ServerConfig, method: 'GET' | 'POST', path: string): Promise<unknown> {
  const answer = await askServer(config.data, method, path);
  if (answer === undefined) throw new ConfigError(`No server runs on ${config.data}.`);
  return answer;
}

async function drain(config: ServerConfig, waitS: number): Promise<void> {
  await ask(config, 'POST', '/drain');
  const until = performance.now() + waitS * 1_000;
  for (;;) {
    const sessions = (await ask(config, 'GET', '/sessions')) as readonly unknown[];
    if (sessions.length === 0 || performance.now() >= until) {
      say(JSON.stringify({ draining: true, sessions: sessions.length }));
      if (sessions.length > 0) process.exitCode = 1;
      return;
    }
    await delay(DRAIN_LOOK_MS);
  }
}

async function firstLine(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) return line;
  return '';
}

async function runCommand(words: readonly string[], values: Values): Promise<void> {
  if (words[0] === 'schema') {
    say(JSON.stringify(configJsonSchema(), null, 2));
    return;
  }
  const config = await readNow(values);
  switch (words[0]) {
    case 'check':
      return check(config);
    case 'user':
      return runUserCommand(words.slice(1), config, {
        password: values.password,
        readPassword: values['password-stdin'] === true ? firstLine : undefined,
        displayName: values.name,
        say,
      });
    case 'sessions':
      for (const session of (await ask(config, 'GET', '/sessions')) as readonly unknown[]) {
        say(JSON.stringify(session));
      }
      return;
    case 'rooms':
      return runRoomCommand(words.slice(1), { data: config.data, title: values.name, say });
    case 'drain':
      return drain(config, Number(values.wait ?? 0));
    case 'resume':
    case 'reload':
      say(JSON.stringify(await ask(config, 'POST', `/${words[0]}`)));
      return;
    default:
      throw new ConfigError(`imserver: unknown word "${words[0] ?? ''}"; try --help`);
  }
}

const EXPECTED_CODES = ['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL'];

try {
  const { values, positionals } = parseCommandLine();
  if (values.help) say(HELP);
  else if (positionals.length > 0) await runCommand(positionals, values);
  else await run(values);
} catch (error) {
  const code = String((error as { code?: unknown }).code);
  const expected =
    error instanceof ConfigError ||
    error instanceof UserFileError ||
    error instanceof StoreError ||
    EXPECTED_CODES.includes(code) ||
    code.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${expected ? (error as Error).message : String((error as Error).stack)}\n`);
  process.exitCode = 1;
}
