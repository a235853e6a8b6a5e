/**
 * Owns: knowing whether something was made from exactly these files already.
 * Called by: setup.mjs. Calls: node:fs.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * A hash over the names, sizes and times of files; folders are read to their depths. Missing ones count as missing.
 * @param {string} root
 * @param {readonly string[]} paths relative to `root`
 */
export function hashOfFiles(root, paths) {
  const hash = createHash('sha256');
  const visit = (/** @type {string} */ path) => {
    const found = statSync(join(root, path), { throwIfNoEntry: false });
    if (found === undefined) hash.update(`${path} missing\n`);
    else if (found.isDirectory())
      for (const name of readdirSync(join(root, path)).sort()) visit(`${path}/${name}`);
    else hash.update(`${path} ${found.size} ${found.mtimeMs}\n`);
  };
  for (const path of paths) visit(path);
  return hash.digest('hex');
}

/**
 * A hash over what is in files.
 * @param {string} root
 * @param {readonly string[]} paths relative to `root`
 */
export function hashOfContents(root, paths) {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(readFileSync(join(root, path)));
  return hash.digest('hex');
}

/**
 * True when `file` holds this stamp.
 * @param {string} file
 * @param {string} stamp
 */
export function isStamped(file, stamp) {
  try {
    return readFileSync(file, 'utf8') === stamp;
  } catch {
    return false;
  }
}

/**
 * @param {string} file
 * @param {string} stamp
 */
export function writeStamp(file, stamp) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, stamp);
}
