import { describe, expect, it } from 'vitest';
import { startSrf } from '../support/srf.ts';
import { freePort } from '../support/free-port.ts';
import { runSipp, sippMissing } from './sipp/run-sipp.ts';

if (sippMissing !== undefined) console.log(`skipped: ${sippMissing}`);

describe.skipIf(sippMissing !== undefined)('an application on the engine calls sipp', () => {
  it('five calls over udp: 180, 200, ACK, BYE', async () => {
    await using app = await startSrf('connect');
    const port = await freePort();
    const sipp = runSipp({ scenario: 'uas', transport: 'udp', calls: 5, port });
    // Until sipp is there the INVITE is repeated (timer A).
    const rung: number[] = [];
    const calls = Array.from({ length: 5 }, async () => {
      const uac = await app.srf.createUAC(
        `sip:callee@127.0.0.1:${port}`,
        { localSdp: 'v=0\r\n' },
        { cbProvisional: ({ status }) => rung.push(status) },
      );
      expect(uac.remote.sdp).toContain('m=message');
      await uac.destroy();
    });
    await Promise.all([sipp, ...calls]);
    expect(rung).toEqual([180, 180, 180, 180, 180]);
    expect(app.engine.load.dialogs).toBe(0);
  });
});
