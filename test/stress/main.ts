/**
 * Owns: `npm run stress`: the bad days of a disk and of a program, many times, at random; a seed repeats a run.
 * Called by: package.json. Calls: store-crash.ts.
 */
import { parseArgs } from 'node:util';
import { cutPower, failDisk, killWriter, seededRandom, traceMissing, type Fault } from './store-crash.ts';

const USAGE = `Usage: npm run stress -- [--kills 500] [--cuts 500] [--faults 200] [--seed N]

  --kills N    the program is killed N times at random moments while it stores messages
  --cuts N     the power goes N times; what was not forced to the disk is there in part (needs strace)
  --faults N   the nth write or sync of the program fails: I/O error or full disk (needs strace)
  --seed N     the same seed makes the same choices; the time of the machine is its own

Ends with 1 and what was wrong when an answered message was lost, doubled or damaged.`;

/** Messages of one run whose power is cut, and moments in each. */
const CUT_MESSAGES = 600;
const CUTS_A_RUN = 50;
/** Kills of one history before the next begins. */
const KILLS_A_RUN = 50;
/** A run of the writer makes so many writes and syncs, roughly: the fault comes within them. */
const FAULT_MESSAGES = 120;
const FAULT_WITHIN = { pwrite64: 900, fsync: 35, ftruncate: 1 } as const;

function numberOf(value: string | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  const number = Number(value);
  if (Number.isInteger(number) && number >= 0) return number;
  process.stderr.write(`"${value}" is not a number.\n\n${USAGE}\n`);
  process.exit(2);
}

async function times(
  count: number,
  most: number,
  run: (count: number) => Promise<Fault[]>,
): Promise<Fault[]> {
  const found: Fault[] = [];
  for (let left = count; left > 0; left -= most) found.push(...(await run(Math.min(left, most))));
  return found;
}

function pick<const T>(choices: readonly [T, ...T[]], random: () => number): T {
  return choices[Math.floor(random() * choices.length)] ?? choices[0];
}

const { values } = parseArgs({
  options: {
    ...{ kills: { type: 'string' }, cuts: { type: 'string' }, faults: { type: 'string' } },
    ...{ seed: { type: 'string' }, help: { type: 'boolean', default: false } },
  },
});
if (values.help) {
  process.stdout.write(`${USAGE}\n`);
  process.exit(0);
}
const seed = numberOf(values.seed, Math.floor(Math.random() * 2 ** 31));
const random = seededRandom(seed);
const missing = traceMissing();
let happened = 0;

async function failRandomly(): Promise<Fault[]> {
  const call = pick(['pwrite64', 'fsync', 'ftruncate'], random);
  const nth = 1 + Math.floor(random() * FAULT_WITHIN[call]);
  const error = pick(['EIO', 'ENOSPC'], random);
  const outcome = await failDisk({ call, error, nth, lasts: random() < 0.5 }, FAULT_MESSAGES);
  if (outcome.happened) happened += 1;
  return outcome.found;
}

const found: Fault[] = [];

async function part(name: string, count: number, run: () => Promise<Fault[]>): Promise<void> {
  if (count === 0) return;
  const started = performance.now();
  const faults = await run();
  found.push(...faults);
  const seconds = Math.round((performance.now() - started) / 1_000);
  process.stdout.write(`${name}: ${count}, with faults: ${faults.length} (${seconds} s)\n`);
  for (const { day, faults: what } of faults) process.stdout.write(`  ${day}: ${what.join('; ')}\n`);
}

process.stdout.write(`seed ${seed}\n`);
const kills = numberOf(values.kills, 500);
await part('kills', kills, () => times(kills, KILLS_A_RUN, (count) => killWriter(count, random)));
if (missing === undefined) {
  const cuts = numberOf(values.cuts, 500);
  await part('power cuts', cuts, () =>
    times(cuts, CUTS_A_RUN, (count) => cutPower(count, CUT_MESSAGES, random)),
  );
  const faults = numberOf(values.faults, 200);
  await part('failing writes', faults, () => times(faults, 1, failRandomly));
  process.stdout.write(`  ${happened} of them were reached by the program\n`);
} else {
  process.stdout.write(`Left out: power cuts and failing writes (${missing}).\n`);
}
process.exitCode = found.length > 0 ? 1 : 0;
