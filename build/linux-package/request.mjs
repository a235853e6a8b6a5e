/**
 * Owns: what electron-builder asks of fpm, read from its arguments.
 * Called by: fpm.mjs. Calls: node:path.
 */
import { posix } from 'node:path';

/** Arguments that ask for something that these packages are anyway. */
const SWITCHES = new Set(['--force', '--debug', '--verbose']);

/** Arguments with a value that have no meaning for a package of plain files. */
const WITHOUT_EFFECT = new Set(['--log', '--rpm-os']);

const REPEATED = new Map([
  ['-d', 'depends'],
  ['--depends', 'depends'],
  ['--deb-recommends', 'recommends'],
  ['--directories', 'directories'],
]);

const SINGLE = new Map([
  ['-s', 'source'],
  ['-t', 'format'],
  ['--architecture', 'architecture'],
  ['--after-install', 'afterInstall'],
  ['--after-remove', 'afterRemove'],
  ['--description', 'description'],
  ['--version', 'version'],
  ['--iteration', 'iteration'],
  ['--package', 'file'],
  ['--name', 'name'],
  ['--maintainer', 'maintainer'],
  ['--vendor', 'vendor'],
  ['--url', 'url'],
  ['--license', 'license'],
  ['--category', 'section'],
  ['--deb-priority', 'priority'],
  ['--deb-compression', 'compression'],
  ['--rpm-compression', 'compression'],
  ['--rpm-summary', 'summary'],
]);

const NEEDED = ['format', 'architecture', 'version', 'file', 'name', 'maintainer', 'description'];

/** An argument that this program does not know, or one that is missing; the message says which. */
export class RequestError extends Error {}

/**
 * One package to be made. `contents` are pairs: a source (a file, or a folder when it ends with a slash, of which
 * the contents are meant) and the path that it has once installed. `directories` are owned and may be empty.
 * @typedef {object} PackageRequest
 * @property {'deb' | 'rpm'} format
 * @property {Record<string, string>} fields
 * @property {string[]} depends
 * @property {string[]} recommends
 * @property {string[]} directories
 * @property {{ from: string, to: string }[]} contents
 */

/**
 * Reads the arguments. Throws RequestError for whatever it cannot do: a package that lacks something is worse
 * than none.
 * @param {readonly string[]} args
 * @returns {PackageRequest}
 */
export function readRequest(args) {
  /** @type {Record<string, string>} */
  const fields = {};
  /** @type {Record<string, string[]>} */
  const lists = { depends: [], recommends: [], directories: [] };
  const contents = [];
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? '';
    if (SWITCHES.has(arg)) continue;
    if (!arg.startsWith('-')) {
      contents.push(readContent(arg));
      continue;
    }
    const cut = arg.startsWith('--') ? arg.indexOf('=') : -1;
    const option = cut < 0 ? arg : arg.slice(0, cut);
    const value = cut < 0 ? args[(at += 1)] : arg.slice(cut + 1);
    if (value === undefined) throw new RequestError(`${option} needs a value.`);
    const list = REPEATED.get(option);
    const single = SINGLE.get(option);
    if (list !== undefined) lists[list]?.push(value);
    else if (single !== undefined) fields[single] = value;
    else if (!WITHOUT_EFFECT.has(option)) throw new RequestError(`The option ${option} is not known here.`);
  }
  const missing = NEEDED.filter((name) => (fields[name] ?? '') === '');
  if (missing.length > 0) throw new RequestError(`Missing: ${missing.join(', ')}.`);
  const format = fields['format'];
  if (format !== 'deb' && format !== 'rpm') {
    throw new RequestError(`${format} packages cannot be made here: deb and rpm can.`);
  }
  const { depends = [], recommends = [], directories = [] } = lists;
  for (const directory of directories) checkInstalled(directory);
  return { format, fields, depends, recommends, directories, contents };
}

/** @param {string} arg */
function readContent(arg) {
  const cut = arg.lastIndexOf('=');
  if (cut < 1) throw new RequestError(`"${arg}" does not say where it goes: SOURCE=/INSTALLED/PATH.`);
  return { from: arg.slice(0, cut), to: checkInstalled(arg.slice(cut + 1)) };
}

/** @param {string} path */
function checkInstalled(path) {
  if (!posix.isAbsolute(path) || posix.normalize(path) !== path || /[\n"%]/.test(path)) {
    throw new RequestError(`"${path}" is not a plain absolute path.`);
  }
  return path;
}
