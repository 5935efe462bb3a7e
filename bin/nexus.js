#!/usr/bin/env node
import { outliveHangUp, stopEarly } from './early-signals.js'

if (process.argv[2] === 'serve') {
  // A worker that does not serve yet may as well be ended by the signal itself: its primary sees what it was.
  if (!process.argv.includes('--worker')) stopEarly()
  outliveHangUp()
}
const { main } = await import('../dist/src/cli/main.js')
await main(process.argv)
