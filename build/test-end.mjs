/**
 * Owns: the word of a test run that it is over, and how; it is there before its process ends.
 * Called by: vitest (a reporter). Calls: node:fs.
 */
import { writeFileSync } from 'node:fs';

/** The environment names the file. */
export const END_FILE = 'PARLEY_TEST_END';

/** Writes whether everything passed, also what is outside of any test: the exit code that it will have. */
export default class TestEnd {
  /**
   * @param {readonly unknown[]} _modules
   * @param {readonly unknown[]} errors outside of any test
   * @param {string} reason
   */
  onTestRunEnd(_modules, errors, reason) {
    const file = process.env[END_FILE];
    if (file !== undefined) writeFileSync(file, reason === 'passed' && errors.length === 0 ? '0' : '1');
  }
}
