/**
 * Owns: how large what was packed is, said at the end of `npm run package`. Called by: electron-builder (electron-builder.yml).
 * Calls: node:fs.
 */
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

/**
 * Electron-builder's hook, after everything has been made. Adds no files to it.
 * @param {{ outDir: string, artifactPaths: readonly string[] }} result
 * @returns {string[]}
 */
export function afterAllArtifactBuild({ outDir, artifactPaths }) {
  const unpacked = readdirSync(outDir)
    .map((name) => join(outDir, name))
    .filter((folder) => existsSync(join(folder, 'resources', 'app.asar')));
  const parts = unpacked.flatMap((folder) => [
    folder,
    join(folder, 'resources', 'app.asar'),
    join(folder, 'resources', 'app.asar.unpacked'),
  ]);
  for (const path of [...parts, ...[...artifactPaths].sort()].filter((path) => existsSync(path))) {
    const name = parts.includes(path) ? relative(outDir, path) : basename(path);
    process.stdout.write(`${megabytes(sizeOf(path)).padStart(9)}  ${name}\n`);
  }
  return [];
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/**
 * Of a file, or of all files in a folder; links count as themselves.
 * @param {string} path
 * @returns {number} bytes
 */
function sizeOf(path) {
  const stats = lstatSync(path);
  if (!stats.isDirectory()) return stats.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}
