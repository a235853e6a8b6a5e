/**
 * Owns: the IM Server's configuration: its schema, its defaults, reading it from a file.
 * Called by: imserver.ts, main.ts, hosts. Calls: valibot.
 */
import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { DIGEST_ALGORITHMS } from '../sip/digest.ts';

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
const port = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535));
const address = v.pipe(v.string(), v.maxLength(64));
const hostName = v.pipe(v.string(), v.minLength(1), v.maxLength(255), v.regex(/^[^\s/@;]+$/, 'a host name'));
const count = (least: number, most: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));
const file = v.pipe(v.string(), v.minLength(1));

const domain = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'a domain name such as chat.example.org'),
  v.check(
    (name) => name.toLowerCase() !== 'localhost',
    'localhost cannot be a SIP domain; take chat.home.arpa',
  ),
  v.transform((name) => name.toLowerCase()),
);

export const serverConfigSchema = v.strictObject({
  /** What stands behind the @ in the addresses of its users. */
  domain: v.optional(domain, 'chat.home.arpa'),
  /** Address to listen on, UDP and TCP. */
  host: v.optional(address, '127.0.0.1'),
  /** 0: a free one. */
  port: v.optional(port, 0),
  /** SIP over TLS on a port of its own: certificate (with its chain) and key, PEM files. Port 0: a free one. */
  tls: v.optional(
    v.strictObject({
      cert: file,
      key: file,
      port: v.optional(port, 5_061),
      /** Authorities that servers of other domains may have their certificates from, besides those of the system. */
      ca: v.optional(file),
    }),
  ),
  /** SIP by a drachtio server instead of the engine inside: `host`, `port` and `tls` are then its own. */
  drachtio: v.optional(
    v.strictObject({
      host: v.optional(address, '127.0.0.1'),
      port: v.optional(count(1, 65_535), 9_022),
      secret: v.pipe(v.string(), v.minLength(1), v.maxLength(1_000)),
    }),
  ),
  /** MSRP relay (RFC 4976) for people whom nobody reaches directly. */
  relay: v.optional(
    v.strictObject({
      enabled: v.optional(v.boolean(), true),
      /** Address to listen on; default: `host`. */
      host: v.optional(address),
      /** 0: a free one. */
      port: v.optional(port, 0),
      /** The name or address that others reach it at; default: the one at which a client has come. */
      name: v.optional(hostName),
      /** Certificate and key; default: those of `tls`, else one that it makes itself and announces. */
      cert: v.optional(file),
      key: v.optional(file),
      /** Clients may come without TLS as well. */
      plain: v.optional(v.boolean(), false),
    }),
    {},
  ),
  /** Chat rooms (RFC 7701). */
  rooms: v.optional(
    v.strictObject({
      enabled: v.optional(v.boolean(), true),
      /** Address to listen on for their messages; default: `host`. */
      host: v.optional(address),
      /** 0: a free one. */
      port: v.optional(port, 0),
      /** The name or address that others reach it at; default: the one at which a client has come. */
      name: v.optional(hostName),
      /** Clients may come without TLS as well. */
      plain: v.optional(v.boolean(), false),
      /** Users make rooms; else only who runs the server. */
      create: v.optional(v.boolean(), true),
      /** Rooms of one user. */
      perUser: v.optional(count(1, 10_000), 200),
      /** Members of one room. */
      members: v.optional(count(2, 10_000), 200),
      /** Characters of the name of a room, and of a nickname. */
      nameLength: v.optional(count(1, 500), 80),
      nicknameLength: v.optional(count(1, 200), 40),
      /** One message. */
      messageBytes: v.optional(count(1_024, 8 * 1024 * 1024), 128 * 1024),
      /** What a room keeps for members who are away. */
      historyMessages: v.optional(count(0, 1_000_000), 10_000),
      historyDays: v.optional(count(1, 3_650), 30),
    }),
    {},
  ),
  /** Where registrations, messages for the absent, rooms and users are kept. */
  storage: v.optional(
    v.strictObject({
      /** `sqlite`: files in `data`. `postgresql`: a database, which several nodes of this server may share. */
      engine: v.optional(v.picklist(['sqlite', 'postgresql']), 'sqlite'),
      /** Of the database: `postgresql://user:password@host:5432/name`, with `?sslmode=verify-full` and the like. */
      url: v.optional(
        v.pipe(v.string(), v.maxLength(2_000), v.regex(/^postgres(?:ql)?:\/\//, 'postgresql://…')),
      ),
      /** Connections of this node. */
      connections: v.optional(count(1, 100), 8),
    }),
    {},
  ),
  /** Files for people who are away. */
  files: v.optional(
    v.strictObject({
      enabled: v.optional(v.boolean(), true),
      /** Where they lie; default: `files` in `data`. Several nodes need one that they share, else they keep none. */
      folder: v.optional(file),
      /** Address to listen on for them; default: `host`. */
      host: v.optional(address),
      /** 0: a free one. */
      port: v.optional(port, 0),
      /** The name or address that others reach it at; default: the one at which a client has come. */
      name: v.optional(hostName),
      /** Clients may come without TLS as well. */
      plain: v.optional(v.boolean(), false),
      /** One file; a larger one waits at its sender. */
      fileBytes: v.optional(count(1, 1024 ** 3), 10 * 1024 ** 2),
      /** All that wait for one user, and all together. */
      userBytes: v.optional(count(1, 1024 ** 4), 200 * 1024 ** 2),
      totalBytes: v.optional(count(1, 1024 ** 5), 10 * 1024 ** 3),
      /** Days until a file that nobody fetches is deleted. */
      days: v.optional(count(1, 3_650), 30),
    }),
    {},
  ),
  policy: v.optional(
    v.strictObject({
      /** Domains whose people may talk with those of this server. Without any, people of this server talk with each other. */
      domains: v.optional(v.pipe(v.array(domain), v.maxLength(1_000)), []),
    }),
    {},
  ),
  /** Addresses of proxies in front of the server, which say where a request comes from (`X-Client-Address`). */
  trustedFronts: v.optional(v.pipe(v.array(address), v.maxLength(100)), []),
  presence: v.optional(
    v.strictObject({
      /** Whether somebody sees the presence of a user who has decided nothing about him: only when he asks, or always. */
      permission: v.optional(v.picklist(['ask', 'allow']), 'ask'),
    }),
    {},
  ),
  /** `/healthz`, `/readyz` and `/metrics` over HTTP, for this computer; none unless it is there. */
  metrics: v.optional(v.strictObject({ host: v.optional(address, '127.0.0.1'), port: v.optional(port, 0) })),
  /** What is written to standard error. */
  log: v.optional(v.picklist(LOG_LEVELS), 'warn'),
  /** Digest algorithms that are offered, in this order. Some older clients take the first only, and know MD5 only. */
  digest: v.optional(v.pipe(v.array(v.picklist(DIGEST_ALGORITHMS)), v.minLength(1)), [...DIGEST_ALGORITHMS]),
  /** Folder of the user file, registrations and deferred messages. */
  data: v.pipe(v.string(), v.minLength(1)),
});

export type ServerConfig = v.InferOutput<typeof serverConfigSchema>;

/** Reads certificate and key. Throws ConfigError when one of them cannot be read. */
export async function readCertificate(
  tls: { readonly cert: string; readonly key: string; readonly ca?: string | undefined },
  place = 'tls',
): Promise<{ cert: string; key: string; ca?: readonly string[] }> {
  const read = async (path: string): Promise<string> => {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      throw new ConfigError(`${place}: ${path} cannot be read (${(error as Error).message})`);
    }
  };
  return {
    cert: await read(tls.cert),
    key: await read(tls.key),
    ...(tls.ca === undefined ? {} : { ca: [await read(tls.ca)] }),
  };
}

/** A configuration that cannot be used; each line names the place and what is wrong there. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Checks a configuration. Throws ConfigError. */
export function checkServerConfig(input: unknown, source: string): ServerConfig {
  const parsed = v.safeParse(serverConfigSchema, input);
  if (parsed.success) {
    const { storage, policy, tls, drachtio, trustedFronts } = parsed.output;
    const { engine, url } = storage;
    if (engine === 'postgresql' && url === undefined) {
      throw new ConfigError(`${source}:\n  storage.url: the engine postgresql needs the URL of a database`);
    }
    const isOnTls = tls !== undefined || drachtio !== undefined || trustedFronts.length > 0;
    if (policy.domains.length > 0 && !isOnTls) {
      throw new ConfigError(
        `${source}:\n  policy.domains: servers of other domains come over TLS; set tls, or trustedFronts where a proxy has it`,
      );
    }
    return parsed.output;
  }
  const lines = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? '(all of it)'}: ${sentenceOf(issue)}`);
  throw new ConfigError(`${source}:\n  ${lines.join('\n  ')}`);
}

function sentenceOf(issue: v.BaseIssue<unknown>): string {
  return issue.type === 'strict_object' && issue.expected === 'never'
    ? 'there is no such key; the documentation lists all of them'
    : issue.message;
}
