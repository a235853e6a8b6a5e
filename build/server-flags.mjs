/**
 * Owns: how V8 runs in a program that serves many. Called by: run.mjs with `--server`, the bench. Calls: nothing.
 * parley-imserver.service and compose.yaml say the same.
 *
 * A call or message waits as long as the collector takes, or takes away a processor: young memory is small, so that each
 * pause is short; one thread collects beside the program instead of four; and old memory is gone through when there is
 * something to find. With what V8 chooses by itself the slowest answers of a busy server take several times as long.
 */
export const SERVER_FLAGS = ['--max-semi-space-size=4', '--v8-pool-size=1', '--initial-old-space-size=256'];
