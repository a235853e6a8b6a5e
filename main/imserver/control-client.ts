/**
 * Owns: asking the server that runs on a data folder. Called by: main.ts, user-commands.ts. Calls: node:http.
 */
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { IMSERVER_LIMITS } from '../base/limits.ts';
import { CONTROL_FILE } from './control-server.ts';
import { ConfigError } from './server-config.ts';

/** The server's answer; undefined when none runs there. Rejects with ConfigError when it says that it cannot. */
export async function askServer(data: string, method: 'GET' | 'POST', path: string): Promise<unknown> {
  let socketPath: string;
  try {
    const place = JSON.parse(await readFile(join(data, CONTROL_FILE), 'utf8')) as { socket: string };
    socketPath = place.socket;
  } catch {
    return undefined;
  }
  const answer = await exchange(socketPath, method, path);
  if (answer === undefined) return undefined;
  const body = JSON.parse(answer.text) as { error?: string };
  if (answer.status !== 200) throw new ConfigError(body.error ?? `the server answers ${answer.status}`);
  return body;
}

/** Undefined: nobody listens there any more. */
function exchange(
  socketPath: string,
  method: string,
  path: string,
): Promise<{ status: number; text: string } | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath, method, path, timeout: IMSERVER_LIMITS.controlRequestMs },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (piece: string) => (text += piece));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', reject);
      },
    );
    asked.on('timeout', () => asked.destroy(new ConfigError('the server does not answer')));
    asked.on('error', (error: NodeJS.ErrnoException) => {
      if (['ECONNREFUSED', 'ENOENT'].includes(error.code ?? '')) resolve(undefined);
      else reject(error);
    });
    asked.end();
  });
}
