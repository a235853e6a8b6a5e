/** Somebody sets the clock of the machine: what holds for a while holds for that while, not for years. */
import { expect, it } from 'vitest';
import { DeadTargets } from '../../../main/sip/engine/dead-targets.ts';
import { DnsCache } from '../../../main/sip/engine/dns-cache.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const YEAR_MS = 365 * 24 * 3_600_000;

it.each([-YEAR_MS, YEAR_MS])(
  'a server that failed is behind the others for its time (set by %i ms)',
  (byMs) => {
    const clock = new ManualClock();
    const dead = new DeadTargets(clock);
    dead.add('udp', '192.0.2.1', 5_060, 30_000);
    clock.set(byMs);
    clock.advance(29_999);
    expect(dead.has('udp', '192.0.2.1', 5_060)).toBe(true);
    clock.advance(1);
    expect(dead.has('udp', '192.0.2.1', 5_060)).toBe(false);
  },
);

it.each([-YEAR_MS, YEAR_MS])(
  'an answer of DNS is kept as long as it says (RFC 1035 §3.2.1; set by %i ms)',
  async (byMs) => {
    const clock = new ManualClock();
    const cache = new DnsCache(clock);
    const answers = ['192.0.2.1', '192.0.2.2'];
    const ask = () =>
      cache.get(
        'A server.example',
        () => Promise.resolve(answers.shift()),
        () => 60_000,
      );
    expect(await ask()).toBe('192.0.2.1');
    clock.set(byMs);
    clock.advance(59_999);
    expect(await ask()).toBe('192.0.2.1');
    clock.advance(1);
    expect(await ask()).toBe('192.0.2.2');
  },
);
