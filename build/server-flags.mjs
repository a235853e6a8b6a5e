/**
 * Owns: how V8 runs in a program that serves many. Called by: run.mjs with `--server`, the bench. Calls: nothing.
 * parley-imserver.service and compose.yaml say the same.
 *
 * A call or message waits as long as the collector takes. Young memory is small, so that each pause is short, and is
 * collected by the thread that has stopped for it: with several it waits until each of them was given a processor, which
 * takes long on a busy machine. Old memory is gone through when there is something to find.
 */
export const SERVER_FLAGS = [
  '--max-semi-space-size=8',
  '--no-parallel-scavenge',
  '--initial-old-space-size=256',
];
