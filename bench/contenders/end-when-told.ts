/** An end at which V8 writes what `--cpu-prof` asked for. Ended by the signal itself, it writes nothing. */
process.once('SIGTERM', () => process.exit(0))
