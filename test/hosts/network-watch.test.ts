import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, type NetworkInterfaceInfo } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../main/base/clock.ts';
import { NetworkWatch } from '../../main/hosts/network-watch.ts';
import { readAuthorities } from '../../main/hosts/trusted-authorities.ts';
import { ManualClock } from '../support/manual-clock.ts';

const at = (address: string, internal = false) => ({ address, internal }) as NetworkInterfaceInfo;

describe('the network watch', () => {
  let clock: ManualClock;
  let asleepMs: number;
  let present: NodeJS.Dict<NetworkInterfaceInfo[]>;
  let changes: number;
  let watch: NetworkWatch;

  beforeEach(() => {
    clock = new ManualClock();
    asleepMs = 0;
    changes = 0;
    present = { lo: [at('127.0.0.1', true)], eth0: [at('192.0.2.1')] };
    const wall: Clock = {
      now: () => clock.now() + asleepMs,
      monotonicUs: () => clock.monotonicUs(),
      startTimer: (ms, run) => clock.startTimer(ms, run),
    };
    watch = new NetworkWatch({
      clock: wall,
      interfaces: () => present,
      receiveChange: () => {
        changes += 1;
      },
    });
    watch.start();
  });

  it('says nothing while nothing changes, and nothing of loopback', () => {
    clock.advance(10_000);
    present = { ...present, lo: [at('127.0.0.1', true), at('::1', true)] };
    clock.advance(10_000);
    expect(changes).toBe(0);
    watch[Symbol.dispose]();
    expect(clock.pending).toBe(0);
  });

  it('tells of another address within 1.5 s, once for a burst', () => {
    present = { lo: present['lo'], eth0: [] };
    clock.advance(1_000);
    present = { lo: present['lo'], wlan0: [at('198.51.100.7')] };
    clock.advance(300);
    expect(changes).toBe(0);
    clock.advance(300);
    expect(changes).toBe(1);
    clock.advance(20_000);
    expect(changes).toBe(1);
  });

  it('tells at last, when it does not come to rest', () => {
    for (let step = 0; step < 20; step += 1) {
      present = { eth0: [at(`192.0.2.${step + 10}`)] };
      clock.advance(100);
    }
    expect(changes).toBe(1);
  });

  it('tells when the computer has slept for more than five seconds, not when it was only busy', () => {
    asleepMs += 4_000;
    clock.advance(2_000);
    expect(changes).toBe(0);
    asleepMs += 60_000;
    clock.advance(1_300);
    expect(changes).toBe(1);
  });
});

it('authorities come from a file with certificates, or there is a sentence', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-authorities-'));
  const one = '-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----';
  await writeFile(join(folder, 'ca.pem'), `a comment\n${one}\n${one}\n`);
  await writeFile(join(folder, 'none.pem'), 'nothing');
  expect(readAuthorities(join(folder, 'ca.pem'))).toEqual([one, one]);
  expect(() => readAuthorities(join(folder, 'none.pem'))).toThrow('has no certificate in it');
  expect(() => readAuthorities(join(folder, 'missing.pem'))).toThrow('cannot be read');
  await rm(folder, { recursive: true });
});
