/**
 * Owns: the order in which files are tested: what takes longest begins first, so that no run ends with one file alone.
 * Called by: vitest.config.ts. Calls: vitest.
 */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const TESTS = resolve(import.meta.dirname, '..');

/** Below test/, the longest first; a fresh clone knows only how large a file is, which says little. */
const LONGEST = [
  'e2e/bad-days.e2e.ts',
  'e2e/people.e2e.ts',
  'e2e/electron-people.e2e.ts',
  'e2e/electron-desktop.e2e.ts',
  'e2e/window-states.e2e.ts',
  'e2e/access.e2e.ts',
  'e2e/gallery.e2e.ts',
  'e2e/focus.e2e.ts',
  'e2e/flow.e2e.ts',
  'e2e/thread-layout.e2e.ts',
  'e2e/contrast.e2e.ts',
  'e2e/reading.e2e.ts',
  'bad-days/disk.test.ts',
  'interop/kamailio/nodes.test.ts',
  'messenger/groups/groups.test.ts',
  'messenger/groups/files.test.ts',
  'imserver/deferred-messages.test.ts',
  'messenger/transfers/bad-days.test.ts',
  'messenger/history-lock.test.ts',
  'imserver/rooms/membership.test.ts',
  'messenger/archive-export.test.ts',
  'build/package.test.ts',
  'messenger/transfers/device-files.test.ts',
  'bad-days/absence.test.ts',
  'messenger/devices.test.ts',
  'interop/strangers/strangers.test.ts',
  'bad-days/sessions.test.ts',
  'messenger/transfers/transfers.test.ts',
  'imserver/nodes.test.ts',
  'fuzz/msrp-session.fuzz.ts',
].map((name) => resolve(TESTS, name));

/** Those in their order, then all others as Vitest sorts them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // Throws for one that has got another name.
    for (const path of LONGEST) statSync(path);
    const place = ({ moduleId }: TestSpecification): number => {
      const found = LONGEST.indexOf(moduleId);
      return found < 0 ? LONGEST.length : found;
    };
    return (await super.sort(files)).sort((one, other) => place(one) - place(other));
  }
}
