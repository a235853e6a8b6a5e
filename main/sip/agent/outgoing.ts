/**
 * Owns: what leaves through drachtio-srf in the shape that it takes, and the error when it cannot.
 * Called by: agent.ts, agent-request.ts, agent-server-request.ts. Calls: nothing.
 */

/** Header lines of an outgoing message. An array makes one line of each value. */
export type OutgoingHeaders = Readonly<Record<string, string | readonly string[]>>;

/** The engine could not be used for a request and nothing went out, or the server takes no request of ours. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: 'ENGINE_NOT_CONNECTED' | 'ENGINE_REFUSED' | 'NO_DIALOG' | 'ALWAYS_STALE';

  constructor(code: EngineError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** A line break in a value would start a header of somebody else's choosing. */
function checkHeaderValue(name: string, value: string): string {
  if (/[\r\n\0]/.test(value)) throw new RangeError(`line break in header ${name}`);
  return value;
}

/**
 * Headers as drachtio-srf takes them: one string a name. It joins repeated headers with commas, which no reader of
 * challenges can take apart reliably; so several values become several lines here.
 */
export function toDrachtioHeaders(headers: OutgoingHeaders = {}): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const values = typeof value === 'string' ? [value] : value;
    if (values.length === 0) continue;
    out[name] = values.map((one) => checkHeaderValue(name, one)).join(`\r\n${name}: `);
  }
  return out;
}
