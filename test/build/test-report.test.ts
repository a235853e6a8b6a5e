import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { addUp, countReport, readReport, summary } from '../../build/test-report.mjs';

const report = { numPassedTests: 5, numFailedTests: 0, numPendingTests: 2, numTodoTests: 1, testResults: [] };
const failedFile = (
  ...assertionResults: { status: string; fullName: string; failureMessages: string[] }[]
) => ({
  name: resolve('test/a.test.ts'),
  status: 'failed',
  message: 'SyntaxError: unexpected end\n  at line 7',
  assertionResults,
});
const passed = { status: 'passed', fullName: 'one holds', failureMessages: [] };
const failed = {
  status: 'failed',
  fullName: 'one breaks',
  failureMessages: ['\u001b[31mAssertionError: 1 is not 2\u001b[39m\n  at somewhere'],
};

describe('the last lines of the tests', () => {
  it('count what passed, failed and was skipped', () => {
    expect(countReport(report, 0)).toMatchObject({ passed: 5, failed: 0, skipped: 3 });
    const one = { ...report, numFailedTests: 1, testResults: [failedFile(passed, failed)] };
    expect(countReport(one, 1)).toMatchObject({ passed: 5, failed: 1, skipped: 3 });
  });

  it('count a file that could not be loaded as a failure', () => {
    expect(countReport({ ...report, testResults: [failedFile()] }, 1).failed).toBe(1);
  });

  it('never say "0 failed" of a run that failed', () => {
    expect(countReport(report, 1).failed).toBe(1);
    expect(readReport('/nowhere/report.json', 1)).toMatchObject({ passed: 0, failed: 1, skipped: 0 });
  });

  it('are one sentence over everything', () => {
    const counts = { passed: 5, failed: 0, skipped: 3, failures: [] };
    expect(summary(addUp([counts, counts]))).toBe('10 passed, 0 failed, 6 skipped');
  });

  it('name what failed, so that nobody has to look for it', () => {
    const broken = countReport({ ...report, testResults: [failedFile(passed, failed), failedFile()] }, 1);
    expect(summary(addUp([broken])).split('\n')).toEqual([
      'FAILED test/a.test.ts: one breaks: AssertionError: 1 is not 2',
      'FAILED test/a.test.ts: SyntaxError: unexpected end',
      '5 passed, 2 failed, 3 skipped',
    ]);
    expect(summary(countReport(report, 1))).toMatch(/^FAILED the run ended with 1 outside of any test\n/);
  });
});
