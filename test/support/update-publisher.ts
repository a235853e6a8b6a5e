/**
 * Owns: a publisher of newer versions: packages of 0.2.0 with a feed that the program for publishers has made and signed, on a
 * server of this computer. Called by: tests of updates. Calls: build/update-feed.mjs.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';

const run = promisify(execFile);
const feedTool = resolve(import.meta.dirname, '../../build/update-feed.mjs');
export const NEW = 'the new program';
export const OLD = 'the old program';

export async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-updates-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Ends with the test. `asked`: what the server was asked for. */
export async function publish() {
  const folder = await temporary();
  const pem = join(await temporary(), 'private.pem');
  const { stdout } = await run(process.execPath, [feedTool, '--new-key', pem]);
  const key = /updates\.key: (\S+)/.exec(stdout)?.[1] ?? '';
  await writeFile(join(folder, 'Parley-0.2.0-x64.AppImage'), NEW);
  const write = (version = '0.2.0') =>
    run(process.execPath, [feedTool, '--folder', folder, '--version', version, '--key', pem]);
  await write();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    readFile(join(folder, decodeURIComponent((request.url ?? '').slice(1)))).then(
      (content) => response.end(content),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { folder, key, url, write, asked };
}
