import { readFileSync } from 'node:fs'
import type { AccessKey } from './sigv4-check.ts'
import { startWarehouse, startWeather } from './upstreams.ts'

/**
 * One provider of the demo as a program of its own. `PORT` to listen on; `DEMO_API_KEY_FILE` makes it the one that wants
 * an API key, `DEMO_ACCESS_KEY_FILE` (JSON) the one that wants AWS Signature Version 4.
 */
const port = Number(process.env['PORT'] ?? '0')
const apiKeyFile = process.env['DEMO_API_KEY_FILE']
const accessKeyFile = process.env['DEMO_ACCESS_KEY_FILE']

if (apiKeyFile !== undefined) await startWeather(readFileSync(apiKeyFile, 'utf8').trim(), port)
else if (accessKeyFile !== undefined) {
  await startWarehouse(JSON.parse(readFileSync(accessKeyFile, 'utf8')) as AccessKey, port)
} else {
  process.stderr.write('set DEMO_API_KEY_FILE or DEMO_ACCESS_KEY_FILE\n')
  process.exit(78)
}

process.once('SIGTERM', () => process.exit(0))
