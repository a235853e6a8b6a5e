/** The specs of people.e2e.ts on the built desktop program: on the stand-in (an emulation), and on the real Electron. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import { DesktopDesks } from '../support/desks.ts';
import { electronHosts, ROOT } from '../support/electron-driver.ts';
import { describePeople } from './people.ts';

if (!existsSync(join(ROOT, 'out/hosts/electron/main.js'))) throw new Error('Run "npm run build" first.');

/** All of them with `npm run e2e:electron`. */
const whole = process.env['npm_lifecycle_event'] === 'e2e:electron';
if (!whole) console.log('Left to "npm run e2e:electron": what two people do whatever shows the window.');

for (const { name, missing, launch } of electronHosts) {
  if (missing !== undefined) console.log(`Skipped: two people on ${name}: ${missing}.`);
  describe.skipIf(missing !== undefined)(`two people on ${name}`, () => {
    describePeople(new DesktopDesks(launch), { whole });
  });
}
