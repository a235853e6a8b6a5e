/** The specs of people.e2e.ts on the built desktop program: on the stand-in (an emulation), and on the real Electron. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import { DesktopDesks } from '../support/desks.ts';
import { electronHosts, ROOT } from '../support/electron-driver.ts';
import { describePeople } from './people.ts';

if (!existsSync(join(ROOT, 'out/hosts/electron/main.js'))) throw new Error('Run "npm run build" first.');

for (const { name, missing, launch } of electronHosts) {
  if (missing !== undefined) console.log(`Skipped: two people on ${name}: ${missing}.`);
  describe.skipIf(missing !== undefined)(`two people on ${name}`, () => {
    describePeople(new DesktopDesks(launch));
  });
}
