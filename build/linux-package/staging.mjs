/**
 * Owns: the folder tree of a package as it will be installed: one owner's modes, whatever the umask here.
 * Called by: fpm.mjs. Calls: node:fs.
 */
import { chmodSync, copyFileSync, cpSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

const FOLDER_MODE = 0o755;
const PROGRAM_MODE = 0o755;
const FILE_MODE = 0o644;

/**
 * Copies everything below `root`, which must not exist yet.
 * @param {string} root
 * @param {import('./request.mjs').PackageRequest} request
 */
export function stage(root, { contents, directories }) {
  mkdirSync(root);
  for (const { from, to } of contents) {
    const target = join(root, to);
    mkdirSync(dirname(target), { recursive: true });
    if (from.endsWith('/')) cpSync(from, target, { recursive: true, verbatimSymlinks: true });
    else copyFileSync(from, target);
  }
  for (const directory of directories) mkdirSync(join(root, directory), { recursive: true });
  normalise(root);
}

/**
 * The plain files below a folder, with their sizes, as paths relative to it, in a stable order.
 * @param {string} root
 */
export function stagedFiles(root) {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((path) => ({ path, found: lstatSync(join(root, path)) }))
    .filter(({ found }) => found.isFile())
    .map(({ path, found }) => ({ path, bytes: found.size }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** @param {string} path */
function normalise(path) {
  const found = lstatSync(path);
  if (found.isSymbolicLink()) return;
  if (found.isDirectory()) {
    chmodSync(path, FOLDER_MODE);
    for (const name of readdirSync(path)) normalise(join(path, name));
  } else {
    chmodSync(path, (found.mode & 0o100) === 0 ? FILE_MODE : PROGRAM_MODE);
  }
}
