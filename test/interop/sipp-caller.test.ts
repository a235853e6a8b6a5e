import { describe, expect, it } from 'vitest';
import { startSrf } from '../support/srf.ts';
import { freePort } from '../support/free-port.ts';
import { runSipp, sippMissing } from './sipp/run-sipp.ts';

if (sippMissing !== undefined) console.log(`skipped: ${sippMissing}`);

describe.skipIf(sippMissing !== undefined)('sipp calls an application on the engine', () => {
  it.each(['udp', 'tcp'] as const)('ten calls over %s: 180, 200, ACK, INFO, BYE', async (transport) => {
    const bodies: string[] = [];
    let ended = 0;
    await using app = await startSrf('connect', (srf) => {
      srf.invite((request, response) => {
        response.send(180);
        void srf.createUAS(request, response, { localSdp: 'v=0\r\n' }).then((dialog) => {
          dialog.on('info', (info, answer) => {
            bodies.push(`${info.protocol} ${info.body.trim()}`);
            answer.send(200);
          });
          dialog.on('destroy', () => (ended += 1));
        });
      });
    });
    const target = `127.0.0.1:${app.port}`;
    await runSipp({ scenario: 'uac', transport, calls: 10, port: await freePort(), target });
    expect(ended).toBe(10);
    expect(bodies).toEqual(Array.from({ length: 10 }, () => `${transport} hello`));
    expect(app.engine.load.dialogs).toBe(0);
  });
});
