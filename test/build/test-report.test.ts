import { describe, expect, it } from 'vitest';
import { addUp, countReport, readReport, summary } from '../../build/test-report.mjs';

const report = { numPassedTests: 5, numFailedTests: 0, numPendingTests: 2, numTodoTests: 1, testResults: [] };
const failedFile = (...statuses: string[]) => ({
  status: 'failed',
  assertionResults: statuses.map((status) => ({ status })),
});

describe('the last line of the tests', () => {
  it('counts what passed, failed and was skipped', () => {
    expect(countReport(report, 0)).toEqual({ passed: 5, failed: 0, skipped: 3 });
    const one = { ...report, numFailedTests: 1, testResults: [failedFile('passed', 'failed')] };
    expect(countReport(one, 1)).toEqual({ passed: 5, failed: 1, skipped: 3 });
  });

  it('counts a file that could not be loaded as a failure', () => {
    expect(countReport({ ...report, testResults: [failedFile()] }, 1).failed).toBe(1);
  });

  it('never says "0 failed" of a run that failed', () => {
    expect(countReport(report, 1).failed).toBe(1);
    expect(readReport('/nowhere/report.json', 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  it('is one sentence over everything', () => {
    const counts = { passed: 5, failed: 1, skipped: 3 };
    expect(summary(addUp([counts, counts]))).toBe('10 passed, 2 failed, 6 skipped');
  });
});
