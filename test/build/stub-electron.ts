/**
 * Owns: an Electron that cannot run and can be packed: the packing itself is looked at, without a network.
 * Called by: package.test.ts, linux-packages.test.ts. Calls: node:fs.
 */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
/** What marks the fuses in Electron's binary, the version of their list, and how many there are. */
const SENTINEL = 'dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX';
const FUSES = '01111001';

/** Writes it into a folder that does not exist yet. */
export async function writeStubElectron(folder: string): Promise<void> {
  const { version } = JSON.parse(
    await readFile(join(root, 'node_modules/electron/package.json'), 'utf8'),
  ) as { version: string };
  await mkdir(join(folder, 'locales'), { recursive: true });
  await writeFile(join(folder, 'LICENSE'), '');
  await writeFile(join(folder, 'version'), version);
  const wire = Buffer.concat([Buffer.from(SENTINEL), Buffer.from([1, FUSES.length]), Buffer.from(FUSES)]);
  await writeFile(join(folder, 'electron'), Buffer.concat([Buffer.alloc(64), wire, Buffer.alloc(64)]));
  await writeFile(join(folder, 'chrome-sandbox'), '');
  for (const program of ['electron', 'chrome-sandbox']) await chmod(join(folder, program), 0o755);
}
