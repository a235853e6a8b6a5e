#!/usr/bin/env node
/**
 * Owns: what electron-builder asks of fpm, for deb and rpm: a folder and some files become a package.
 * Called by: electron-builder, as CUSTOM_FPM_PATH. Calls: request.mjs, staging.mjs, deb.mjs, rpm.mjs.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeDeb } from './deb.mjs';
import { readRequest, RequestError } from './request.mjs';
import { writeRpm } from './rpm.mjs';
import { stage } from './staging.mjs';

/** What has to be installed to make a package, and the Debian package that has it. */
const TOOLS = { 'dpkg-deb': 'dpkg', rpmbuild: 'rpm' };

/** @param {readonly string[]} args */
function main(args) {
  const request = readRequest(args);
  // An address that cannot exist stands for "none": electron-builder insists on one.
  if (/^https?:\/\/[^/]*\.invalid(\/|$)/.test(request.fields['url'] ?? '')) delete request.fields['url'];
  const folder = mkdtempSync(join(tmpdir(), 'parley-linux-package-'));
  try {
    const root = join(folder, 'root');
    const work = join(folder, 'work');
    stage(root, request);
    mkdirSync(work);
    if (request.format === 'deb') writeDeb(root, request);
    else writeRpm(root, work, request);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  main(process.argv.slice(2));
} catch (error) {
  const { code, path: tool, status } = /** @type {NodeJS.ErrnoException & { status?: number }} */ (error);
  const owner = /** @type {Record<string, string>} */ (TOOLS)[tool ?? ''];
  if (code === 'ENOENT' && owner !== undefined) {
    process.stderr.write(`${tool} is not installed: the package "${owner}" of Debian and Ubuntu has it.\n`);
  } else if (error instanceof RequestError || (error instanceof Error && status !== undefined)) {
    // A tool that refused has said why.
    process.stderr.write(`${error.message}\n`);
  } else {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  }
  process.exitCode = 1;
}
