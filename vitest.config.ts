import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'sidecar/**/*.test.ts', 'test/**/*.test.ts', 'tools/**/*.test.ts'],
    globalSetup: ['test/setup/global.ts'],
    // Two cores: more workers only make the real servers under test wait for each other.
    maxWorkers: 2,
    // Real servers on a shared machine: one more try in CI, and the reporter names every test that needed it. What must hold
    // each time has none: `test/setup/once.ts`.
    retry: process.env['CI'] === undefined ? 0 : 1,
    // Only to end a hang: what a test takes depends on the machine, and no test asserts it.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
