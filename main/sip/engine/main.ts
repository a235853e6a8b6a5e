/**
 * Owns: the command line of the engine alone, for any drachtio application.
 * Called by: `node main/sip/engine/main.ts --admin 127.0.0.1:9022 --secret S --sip 127.0.0.1:5060`. Calls: engine.ts.
 */
import { parseArgs } from 'node:util';
import { createLog, type LogLevel } from '../../base/log.ts';
import { SipEngine } from './engine.ts';

const USAGE = `usage: main.ts --secret SECRET [--admin HOST:PORT] [--sip HOST:PORT] [--user-agent TEXT] [--log LEVEL]

  --admin   where applications connect (default 127.0.0.1:9022; port 0: any)
  --sip     where SIP is spoken, UDP and TCP (default 127.0.0.1:5060; port 0: any that is free on both)
  --secret  what applications have to show
  --log     debug, info, warn (default) or error, to standard error

Prints one line of JSON when it is ready: {"admin":{…},"sip":[…]}. SIGINT and SIGTERM end it.`;

class UsageError extends Error {}

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

function parseEndpoint(option: string, text: string): Endpoint {
  const [, bracketed, plain, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port > 65_535) throw new UsageError(`--${option} takes HOST:PORT, not ${text}`);
  return { host, port };
}

function isLogLevel(text: string): text is LogLevel {
  return ['debug', 'info', 'warn', 'error'].includes(text);
}

interface Settings {
  readonly admin: Endpoint;
  readonly sip: Endpoint;
  readonly secret: string;
  readonly userAgent: string | undefined;
  readonly level: LogLevel;
}

function readSettings(args: readonly string[]): Settings | 'help' {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        admin: { type: 'string', default: '127.0.0.1:9022' },
        sip: { type: 'string', default: '127.0.0.1:5060' },
        secret: { type: 'string' },
        'user-agent': { type: 'string' },
        log: { type: 'string', default: 'warn' },
        help: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  if (values.help) return 'help';
  if (values.secret === undefined || values.secret === '') throw new UsageError('--secret is missing');
  if (/[|\r\n]/.test(values.secret)) throw new UsageError('--secret must not contain | or line ends');
  if (!isLogLevel(values.log))
    throw new UsageError(`--log takes debug, info, warn or error, not ${values.log}`);
  return {
    admin: parseEndpoint('admin', values.admin),
    sip: parseEndpoint('sip', values.sip),
    secret: values.secret,
    userAgent: values['user-agent'],
    level: values.log,
  };
}

async function run(settings: Settings): Promise<void> {
  const log = createLog({ level: settings.level, sink: (line) => process.stderr.write(`${line}\n`) });
  await using engine = new SipEngine({
    secret: settings.secret,
    log,
    ...(settings.userAgent === undefined ? {} : { userAgent: settings.userAgent }),
  });
  const ended = new Promise<void>((done) => {
    process.once('SIGINT', () => done());
    process.once('SIGTERM', () => done());
  });
  await engine.listenBoth(settings.sip.host, settings.sip.port);
  const admin = await engine.listenAdmin(settings.admin);
  process.stdout.write(`${JSON.stringify({ admin, sip: engine.listening })}\n`);
  await ended;
}

try {
  const settings = readSettings(process.argv.slice(2));
  if (settings === 'help') process.stdout.write(`${USAGE}\n`);
  else await run(settings);
} catch (error) {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(error instanceof UsageError ? `${text}\n\n${USAGE}\n` : `cannot run: ${text}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
