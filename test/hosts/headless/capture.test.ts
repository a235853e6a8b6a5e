import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Capture, type CaptureLimits, startCapture } from '../../../main/hosts/headless/capture.ts';

/** A capture that nobody stops. Undefined, and the test is skipped, where there is no dumpcap. */
async function leaveBehind(limits: CaptureLimits): Promise<Capture | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-capture-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return startCapture(join(folder, 'left.pcap'), limits);
}

it('a capture that nobody stops ends after its time', async ({ skip }) => {
  const capture = await leaveBehind({ maxSeconds: 1, maxKilobytes: 1_000_000 });
  if (capture === undefined) return skip('dumpcap is not installed, or may not capture');
  await expect(capture.ended).resolves.toBeUndefined();
});

it('and when its file is as large as it may become', async ({ skip }) => {
  const capture = await leaveBehind({ maxSeconds: 300, maxKilobytes: 100 });
  if (capture === undefined) return skip('dumpcap is not installed, or may not capture');
  const socket = createSocket('udp4');
  onTestFinished(() => void socket.close());
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const traffic = setInterval(() => {
    socket.send(Buffer.alloc(8_000), socket.address().port, '127.0.0.1');
  }, 2);
  onTestFinished(() => clearInterval(traffic));
  await expect(capture.ended).resolves.toBeUndefined();
});
