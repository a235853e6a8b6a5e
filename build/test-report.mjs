/**
 * Owns: what the reports of the test runs add up to. Called by: test.mjs. Calls: node:fs.
 */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/**
 * `failures`: a line each: file, name of the test and the first line of what it said.
 * @typedef {{ passed: number, failed: number, skipped: number, failures: readonly string[] }} Counts
 */

/**
 * @typedef {{ name: string, status: string, message?: string, assertionResults:
 *   { status: string, fullName: string, failureMessages?: (string | null)[] | null }[] }} FileResult
 */

/**
 * What vitest's JSON report says. A file that could not even be loaded, and a run that failed outside of any test,
 * count as one failure each: a run with exit code 1 is never "0 failed".
 * @param {string} file
 * @param {number} code
 * @returns {Counts}
 */
export function readReport(file, code) {
  let report;
  try {
    report = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skipped: 0, failures: [`${file}: no report was written`] };
  }
  return countReport(report, code);
}

/** @param {string | null | undefined} text */
function firstLine(text) {
  return (
    stripVTControlCharacters(text ?? '')
      .trim()
      .split('\n')[0] ?? ''
  );
}

/** @param {FileResult} result */
function failuresIn({ name, message, assertionResults }) {
  const file = relative('', name);
  const failed = assertionResults.filter(({ status }) => status === 'failed');
  if (failed.length === 0) return [`${file}: ${firstLine(message)}`];
  return failed.map(
    ({ fullName, failureMessages }) => `${file}: ${fullName}: ${firstLine(failureMessages?.[0])}`,
  );
}

/**
 * @param {{ numPassedTests: number, numFailedTests: number, numPendingTests: number, numTodoTests?: number,
 *   testResults: FileResult[] }} report
 * @param {number} code
 * @returns {Counts}
 */
export function countReport(report, code) {
  const failures = report.testResults.filter(({ status }) => status === 'failed').flatMap(failuresIn);
  if (failures.length === 0 && code !== 0)
    failures.push(`the run ended with ${String(code)} outside of any test`);
  return {
    passed: report.numPassedTests,
    failed: failures.length,
    skipped: report.numPendingTests + (report.numTodoTests ?? 0),
    failures,
  };
}

/**
 * @param {readonly Counts[]} counts
 * @returns {Counts}
 */
export function addUp(counts) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of counts) {
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  }
  return { ...total, failures: counts.flatMap(({ failures }) => failures) };
}

/**
 * Every failure by name, then one line over everything.
 * @param {Counts} counts
 */
export function summary({ passed, failed, skipped, failures }) {
  const line = `${passed} passed, ${failed} failed, ${skipped} skipped`;
  return [...failures.map((failure) => `FAILED ${failure}`), line].join('\n');
}
