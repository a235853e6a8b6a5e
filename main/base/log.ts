/**
 * Owns: the structured log. Message bodies and credentials never reach a sink.
 * Called by: everybody. Calls: one sink (a line writer).
 */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

/** A logger with fixed fields. `event` is a stable dotted name (`registration.refused`). */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A logger that adds `fields` to each line. */
  with(fields: LogFields): Log;
}

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };
const SECRET_KEY = /body|content|text|password|secret|authorization|credential|token|ha1|nonce|response$/i;
const MAX_VALUE_CHARS = 500;

function redact(key: string, value: unknown): unknown {
  if (SECRET_KEY.test(key)) return '(redacted)';
  if (value instanceof Error) {
    const { code } = value as { code?: unknown };
    return { name: value.name, message: value.message.slice(0, MAX_VALUE_CHARS), code, stack: value.stack };
  }
  if (typeof value === 'string' && value.length > MAX_VALUE_CHARS)
    return `${value.slice(0, MAX_VALUE_CHARS)}…`;
  return value;
}

class StructuredLog implements Log {
  readonly #level: () => LogLevel;
  readonly #fields: LogFields;
  readonly #sink: (line: string) => void;

  constructor(level: () => LogLevel, fields: LogFields, sink: (line: string) => void) {
    this.#level = level;
    this.#fields = fields;
    this.#sink = sink;
  }

  debug(event: string, fields?: LogFields): void {
    this.#write('debug', event, fields);
  }

  info(event: string, fields?: LogFields): void {
    this.#write('info', event, fields);
  }

  warn(event: string, fields?: LogFields): void {
    this.#write('warn', event, fields);
  }

  error(event: string, fields?: LogFields): void {
    this.#write('error', event, fields);
  }

  with(fields: LogFields): Log {
    return new StructuredLog(this.#level, { ...this.#fields, ...fields }, this.#sink);
  }

  #write(level: LogLevel, event: string, fields: LogFields = {}): void {
    if (RANK[level] < RANK[this.#level()]) return;
    const line: Record<string, unknown> = { time: new Date().toISOString(), level, event };
    for (const [key, value] of Object.entries({ ...this.#fields, ...fields })) line[key] = redact(key, value);
    this.#sink(JSON.stringify(line));
  }
}

/** Builds a log that writes JSON lines of at least `level` to `sink`; a function is asked with each line. */
export function createLog(options: {
  level: LogLevel | (() => LogLevel);
  sink: (line: string) => void;
}): Log {
  const { level, sink } = options;
  return new StructuredLog(typeof level === 'function' ? level : () => level, {}, sink);
}

/** Swallows everything: for parts that are built without a log. */
export const silentLog: Log = createLog({ level: 'error', sink: () => undefined });
