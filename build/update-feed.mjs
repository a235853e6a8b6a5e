/**
 * Owns: the feed of newer versions: what lies in a folder of packages, with lengths and hashes, and its signature.
 * Called by: package.json, for whoever publishes: `npm run update-feed -- --folder dist --version 0.2.0 --key private.pem [--channel stable]`;
 * `--new-key private.pem` makes a key and prints what belongs into the setting `updates.key`. Calls: node:crypto.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** Ends of file names that electron-builder gives to packages. */
const KINDS = [
  ['.AppImage', 'linux', 'AppImage'],
  ['.deb', 'linux', 'deb'],
  ['.rpm', 'linux', 'rpm'],
  ['.tar.gz', 'linux', 'tar.gz'],
  ['.exe', 'win32', 'nsis'],
  ['.msi', 'win32', 'msi'],
  ['.dmg', 'darwin', 'dmg'],
  ['.pkg', 'darwin', 'pkg'],
];

/** @param {string} path */
async function sha512Of(path) {
  const hash = createHash('sha512');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('base64');
}

/** @param {import('node:crypto').KeyObject} privateKey what `updates.key` takes */
function publicKeyOf(privateKey) {
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url').toString('base64');
}

/** @param {string} path */
function makeKey(path) {
  if (existsSync(path))
    throw new Error(`${path} is there already: a key that is in use is not written over.`);
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(path, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  process.stdout.write(`updates.key: ${publicKeyOf(privateKey)}\n`);
}

/** @param {{ folder: string, version: string, key: string, channel: string }} options */
async function writeFeed({ folder, version, key, channel }) {
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error('--version is three numbers, as 0.2.0');
  const files = [];
  for (const name of readdirSync(folder).sort()) {
    const [, platform, kind] = KINDS.find(([end = '']) => name.endsWith(end)) ?? [];
    // A folder may have older versions in it as well.
    if (platform === undefined || !name.includes(version)) continue;
    const path = join(folder, name);
    const arch = /arm64|aarch64/.test(name) ? 'arm64' : 'x64';
    files.push({ platform, arch, kind, name, bytes: statSync(path).size, sha512: await sha512Of(path) });
  }
  if (files.length === 0) throw new Error(`There is no package of version ${version} in ${folder}.`);
  const text = Buffer.from(`${JSON.stringify({ version, files }, null, 2)}\n`);
  const privateKey = createPrivateKey(readFileSync(key));
  const path = join(folder, `${channel}.json`);
  writeFileSync(path, text);
  writeFileSync(`${path}.sig`, `${sign(null, text, privateKey).toString('base64')}\n`);
  process.stdout.write(
    `${path}: ${files.length} packages of ${version}, for updates.key ${publicKeyOf(privateKey)}\n`,
  );
}

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: 'dist' },
    version: { type: 'string' },
    key: { type: 'string' },
    channel: { type: 'string', default: 'stable' },
    'new-key': { type: 'string' },
  },
});
const { folder, version, key, channel, 'new-key': newKey } = values;
try {
  if (newKey !== undefined) makeKey(newKey);
  else if (version === undefined || key === undefined) throw new Error('--version and --key are needed.');
  else await writeFeed({ folder, version, key, channel });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
