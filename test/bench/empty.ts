/** A process that is ready at once, and stays until it is stopped: the floor of every start-up time. */
process.stdout.write('{}\n');
setInterval(() => undefined, 60_000);
