/**
 * Owns: starting one of our programs as a process of its own and reading the line that says it is ready.
 * Called by: flow.ts, bench, tests. Calls: node:child_process.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const READY_MS = 20_000;
const STOP_MS = 10_000;

/** A program that is running. */
export class Program implements AsyncDisposable {
  readonly process: ChildProcess;
  /** The JSON line that it printed when it was ready. */
  readonly ready: unknown;
  readonly #exited: Promise<void>;

  private constructor(process: ChildProcess, ready: unknown, exited: Promise<void>) {
    this.process = process;
    this.ready = ready;
    this.#exited = exited;
  }

  /** Runs `script` (relative to this folder) with Node. Rejects with what it wrote when it ends before it is ready. */
  static async start(script: string, args: readonly string[]): Promise<Program> {
    const path = fileURLToPath(new URL(script, import.meta.url));
    const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const exited = new Promise<void>((done) => child.once('exit', () => done()));
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    let output = '';
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = `${complaint}${chunk.toString('utf8')}`.slice(-4_000);
    });
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
      const end = output.indexOf('\n');
      if (end >= 0) resolve(JSON.parse(output.slice(0, end)));
    });
    void exited.then(() => {
      reject(new Error(`${script} ended before it was ready: ${complaint.trim() || 'it said nothing'}`));
    });
    const timer = setTimeout(() => {
      reject(new Error(`${script} was not ready within ${READY_MS} ms: ${complaint.trim()}`));
    }, READY_MS);
    try {
      return new Program(child, await promise, exited);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends it without a chance to tidy up, as a power cut would. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.#exited;
  }

  /** Asks it to stop, and waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill('SIGTERM');
    const force = setTimeout(() => this.process.kill('SIGKILL'), STOP_MS);
    await this.#exited;
    clearTimeout(force);
  }
}
