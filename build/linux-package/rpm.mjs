/**
 * Owns: an rpm of a staged folder: the spec file and the run of rpmbuild.
 * Called by: fpm.mjs. Calls: rpmbuild.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RequestError } from './request.mjs';

const ARCHITECTURES = new Map([
  ['amd64', 'x86_64'],
  ['x64', 'x86_64'],
  ['arm64', 'aarch64'],
]);

/** What electron-builder calls a compression, and how rpmbuild writes it. */
const PAYLOADS = new Map([
  ['gzip', 'w6.gzdio'],
  ['xz', 'w6.xzdio'],
  ['xzmt', 'w6T0.xzdio'],
]);

/**
 * Writes the package to `request.fields.file`; `work` is an empty folder of its own. Throws when rpmbuild is
 * missing or refuses.
 * @param {string} root
 * @param {string} work
 * @param {import('./request.mjs').PackageRequest} request
 */
export function writeRpm(root, work, request) {
  const { fields } = request;
  const spec = join(work, 'package.spec');
  writeFileSync(spec, specText(root, request));
  const architecture = fields['architecture'] ?? '';
  const asked = fields['compression'] ?? 'xz';
  const payload = PAYLOADS.get(asked);
  if (payload === undefined)
    throw new RequestError(`An rpm is not compressed with ${asked}: gzip, xz or xzmt.`);
  const macros = {
    _topdir: work,
    _rpmfilename: 'package.rpm',
    // The files are as they shall be: nothing is stripped, renamed or compressed anew.
    debug_package: '%{nil}',
    __os_install_post: '%{nil}',
    _build_id_links: 'none',
    _binary_payload: payload,
  };
  const defines = Object.entries(macros).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
  execFileSync(
    'rpmbuild',
    ['-bb', '--target', ARCHITECTURES.get(architecture) ?? architecture, ...defines, spec],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  copyFileSync(join(work, 'RPMS', 'package.rpm'), fields['file'] ?? '');
}

/**
 * @param {string} root
 * @param {import('./request.mjs').PackageRequest} request
 */
function specText(root, { fields, depends, directories, contents }) {
  const description = (fields['description'] ?? '').trim();
  const tags = [
    ['Name', fields['name']],
    ['Version', fields['version']],
    ['Release', fields['iteration'] ?? '1'],
    ['Summary', fields['summary'] ?? description.split('\n')[0]],
    ['License', fields['license']],
    ['URL', fields['url']],
    ['Vendor', fields['vendor']],
    ['Packager', fields['maintainer']],
    ['AutoReqProv', 'no'],
    ...depends.map((name) => ['Requires', name]),
  ];
  return [
    ...tags
      .filter(([, value]) => value !== undefined && value !== '')
      .map(([name, value]) => `${name}: ${literal(value ?? '')}`),
    '%description',
    literal(description),
    '%install',
    `cp -a "${literal(root)}/." "%{buildroot}/"`,
    ...scriptSection('post', fields['afterInstall']),
    ...scriptSection('postun', fields['afterRemove']),
    '%files',
    '%defattr(-,root,root,-)',
    ...directories.map((path) => `%dir "${path}"`),
    ...contents.map(({ to }) => `"${to}"`),
    '',
  ].join('\n');
}

/**
 * @param {string} name
 * @param {string | undefined} script
 */
function scriptSection(name, script) {
  return script === undefined ? [] : [`%${name} -p /bin/sh`, literal(readFileSync(script, 'utf8'))];
}

/**
 * Text in which rpmbuild expands nothing.
 * @param {string} text
 */
function literal(text) {
  return text.replaceAll('%', '%%');
}
