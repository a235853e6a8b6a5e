/**
 * Owns: a deb of a staged folder: control file, checksums, scripts.
 * Called by: fpm.mjs. Calls: dpkg-deb.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RequestError } from './request.mjs';
import { stagedFiles } from './staging.mjs';

/** What electron-builder calls a compression, and what dpkg-deb calls it. */
const COMPRESSIONS = new Map([
  ['gz', 'gzip'],
  ['xz', 'xz'],
  ['zst', 'zstd'],
]);

/**
 * Writes the package to `request.fields.file`. Throws when dpkg-deb is missing or refuses.
 * @param {string} root
 * @param {import('./request.mjs').PackageRequest} request
 */
export function writeDeb(root, request) {
  const { fields } = request;
  const files = stagedFiles(root);
  const control = join(root, 'DEBIAN');
  mkdirSync(control);
  chmodSync(control, 0o755);
  writeControl(join(control, 'control'), controlText(request, files));
  writeControl(
    join(control, 'md5sums'),
    files.map(({ path }) => `${md5(join(root, path))}  ${path}\n`).join(''),
  );
  for (const [script, name] of /** @type {const} */ ([
    [fields['afterInstall'], 'postinst'],
    [fields['afterRemove'], 'postrm'],
  ])) {
    if (script === undefined) continue;
    copyFileSync(script, join(control, name));
    chmodSync(join(control, name), 0o755);
  }
  const asked = fields['compression'] ?? 'xz';
  const compression = COMPRESSIONS.get(asked);
  if (compression === undefined)
    throw new RequestError(`A deb is not compressed with ${asked}: gz, xz or zst.`);
  execFileSync(
    'dpkg-deb',
    ['--root-owner-group', `-Z${compression}`, '--build', root, fields['file'] ?? ''],
    { stdio: 'inherit' },
  );
}

/**
 * @param {import('./request.mjs').PackageRequest} request
 * @param {{ bytes: number }[]} files
 */
function controlText({ fields, depends, recommends }, files) {
  const kilobytes = files.reduce((sum, { bytes }) => sum + Math.ceil(bytes / 1024), 0);
  const iteration = fields['iteration'];
  const [synopsis = '', ...rest] = (fields['description'] ?? '').trim().split('\n');
  const lines = rest.map((line) => line.trim()).filter((line) => line !== synopsis.trim());
  const entries = [
    ['Package', fields['name']],
    ['Version', iteration === undefined ? fields['version'] : `${fields['version']}-${iteration}`],
    ['Architecture', fields['architecture']],
    ['Maintainer', fields['maintainer']],
    ['Installed-Size', String(kilobytes)],
    ['Depends', depends.join(', ')],
    ['Recommends', recommends.join(', ')],
    ['Section', fields['section'] ?? 'net'],
    ['Priority', fields['priority'] ?? 'optional'],
    ['Homepage', fields['url']],
    ['Description', [synopsis.trim(), ...lines.map((line) => ` ${line === '' ? '.' : line}`)].join('\n')],
  ];
  return entries
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('');
}

/**
 * @param {string} path
 * @param {string} text
 */
function writeControl(path, text) {
  writeFileSync(path, text);
  chmodSync(path, 0o644);
}

/** @param {string} path */
function md5(path) {
  return createHash('md5').update(readFileSync(path)).digest('hex');
}
