/**
 * Owns: running the conformance checks against one endpoint and what came of each.
 * Called by: main.ts, own-endpoint.test.ts. Calls: sections.ts, visit-sections.ts.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { MsrpPeer } from '../../support/msrp-peer.ts';
import { CannotTell, Link, newId, NotConformant } from './link.ts';
import { SECTIONS } from './sections.ts';
import { VISIT_SECTIONS } from './visit-sections.ts';

/** What a check may use. */
export interface CheckContext {
  readonly link: Link;
  /** Another connection to the endpoint's own address; CannotTell when it cannot be connected to. */
  readonly openAnother: () => Promise<Link>;
  /** Makes the endpoint send a text of so many bytes; undefined where nobody can make it. */
  readonly askToSend: ((bytes: number) => void) | undefined;
}

/** One rule of an RFC. */
export interface Check {
  /** `RFC 4975 §7.2`. */
  readonly section: string;
  readonly title: string;
  /** Throws NotConformant or CannotTell. */
  run(context: CheckContext): Promise<void>;
}

export interface CheckResult {
  readonly section: string;
  readonly title: string;
  readonly outcome: 'pass' | 'fail' | 'skip';
  /** Why it failed or was skipped. */
  readonly detail: string;
  /** What was sent (`>`) and what came (`<`). */
  readonly record: readonly string[];
}

export interface SuiteOptions {
  /** How long an answer may take. */
  readonly patienceMs?: number;
  readonly askToSend?: (bytes: number) => void;
  /** Our own path, when the endpoint has to know it beforehand. */
  readonly path?: string;
  readonly receiveResult?: (result: CheckResult) => void;
}

const PATIENCE_MS = 5_000;

async function runCheck(check: Check, context: CheckContext): Promise<CheckResult> {
  const { section, title } = check;
  context.link.clear();
  const result = (outcome: CheckResult['outcome'], detail: string): CheckResult => ({
    section,
    title,
    outcome,
    detail,
    record: [...context.link.record],
  });
  try {
    await check.run(context);
    return result('pass', '');
  } catch (error) {
    if (error instanceof CannotTell) return result('skip', error.message);
    if (error instanceof NotConformant) return result('fail', error.message);
    return result('fail', String(error));
  }
}

async function runChecks(
  checks: readonly Check[],
  context: CheckContext,
  options: SuiteOptions,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const check of checks) {
    const result = await runCheck(check, context);
    options.receiveResult?.(result);
    results.push(result);
  }
  return results;
}

/** The suite as the active side: it connects to `target` and visits. Rejects when there is no connection. */
export async function runActive(target: string, options: SuiteOptions = {}): Promise<CheckResult[]> {
  const { patienceMs = PATIENCE_MS, askToSend, path } = options;
  await using link = await Link.open(target, patienceMs, path);
  const openAnother = () => Link.open(target, patienceMs);
  return await runChecks(SECTIONS, { link, openAnother, askToSend }, options);
}

/** A listener for the suite as the passive side. */
export class PassiveSuite implements AsyncDisposable {
  readonly path: string;
  readonly #server: Server;
  readonly #arrived = Promise.withResolvers<Socket>();

  private constructor(server: Server, host: string) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.path = `msrp://${host.includes(':') ? `[${host}]` : host}:${port}/conformance${newId()};tcp`;
    server.once('connection', (socket) => this.#arrived.resolve(socket));
  }

  /** Listens; the endpoint under test has to visit `path`. */
  static async listen(host: string): Promise<PassiveSuite> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    await new Promise<void>((done, failed) => {
      server.once('error', failed);
      server.listen(0, host, () => done());
    });
    return new PassiveSuite(server, host);
  }

  /** Waits for the visit, checks it, and then runs what the active side runs. */
  async run(options: SuiteOptions = {}): Promise<CheckResult[]> {
    const { patienceMs = PATIENCE_MS, askToSend } = options;
    const peer = new MsrpPeer(await this.#arrived.promise, this.path);
    await using visited = new Link(peer, '', patienceMs);
    const openAnother = () =>
      Promise.reject(new CannotTell('the endpoint visits; its own address is not tried'));
    const results = await runChecks(VISIT_SECTIONS, { link: visited, openAnother, askToSend }, options);
    const target = peer.remotePath;
    if (target === '') return results;
    const link = new Link(peer, target, patienceMs);
    return [...results, ...(await runChecks(SECTIONS, { link, openAnother, askToSend }, options))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((done) => this.#server.close(() => done()));
  }
}
