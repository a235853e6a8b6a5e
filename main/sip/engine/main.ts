/**
 * Owns: the command line of the engine alone, for any drachtio application.
 * Called by: `node main/sip/engine/main.ts --admin 127.0.0.1:9022 --secret S --sip 127.0.0.1:5060`. Calls: engine.ts.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createLog, type LogLevel } from '../../base/log.ts';
import { SipEngine } from './engine.ts';
import type { SipTlsOptions } from './tls-identity.ts';

const USAGE = `usage: main.ts --secret SECRET [--admin HOST:PORT] [--sip HOST:PORT] [--tls HOST:PORT --cert FILE --key FILE]
               [--ca FILE] [--user-agent TEXT] [--log LEVEL]

  --admin   where applications connect (default 127.0.0.1:9022; port 0: any)
  --sip     where SIP is spoken, UDP and TCP (default 127.0.0.1:5060; port 0: any that is free on both)
  --tls     where SIP is spoken over TLS (port 0: any); needs --cert and --key
  --cert    our certificate with its chain, PEM; shown as client certificate as well
  --key     its key, PEM
  --ca      further authorities that are trusted, PEM
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
  readonly tls: Endpoint | undefined;
  readonly certificates: SipTlsOptions;
  readonly secret: string;
  readonly userAgent: string | undefined;
  readonly level: LogLevel;
}

function readPem(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--${option}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function readCertificates(files: { cert?: string; key?: string; ca?: string }): SipTlsOptions {
  return {
    ...(files.cert === undefined ? {} : { cert: readPem('cert', files.cert) }),
    ...(files.key === undefined ? {} : { key: readPem('key', files.key) }),
    ...(files.ca === undefined ? {} : { ca: [readPem('ca', files.ca)] }),
  };
}

function readSettings(args: readonly string[]): Settings | 'help' {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        admin: { type: 'string', default: '127.0.0.1:9022' },
        sip: { type: 'string', default: '127.0.0.1:5060' },
        tls: { type: 'string' },
        cert: { type: 'string' },
        key: { type: 'string' },
        ca: { type: 'string' },
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
  if ((values.cert === undefined) !== (values.key === undefined)) {
    throw new UsageError('--cert and --key belong together');
  }
  if (values.tls !== undefined && values.cert === undefined) {
    throw new UsageError('--tls needs --cert and --key');
  }
  return {
    admin: parseEndpoint('admin', values.admin),
    sip: parseEndpoint('sip', values.sip),
    tls: values.tls === undefined ? undefined : parseEndpoint('tls', values.tls),
    certificates: readCertificates(values),
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
    tls: settings.certificates,
    ...(settings.userAgent === undefined ? {} : { userAgent: settings.userAgent }),
  });
  const ended = new Promise<void>((done) => {
    process.once('SIGINT', () => done());
    process.once('SIGTERM', () => done());
  });
  await engine.listenBoth(settings.sip.host, settings.sip.port);
  if (settings.tls !== undefined) await engine.listen({ transport: 'tls', ...settings.tls });
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
