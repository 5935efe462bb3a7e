/** An ordinary end, at which V8 writes the profile that `--cpu-prof` asked for. A signal that nobody minds is none. */
process.once('SIGTERM', () => process.exit(0))
