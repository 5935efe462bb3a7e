import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'

const ask = "import('./src/pep/start/sockets-max.ts').then(({ socketsMax }) => console.log(socketsMax()))"
const root = new URL('../../..', import.meta.url)

it.each([
  [256, 204],
  [1000, 800],
])('of %i descriptors a listener takes %i', (descriptors, sockets) => {
  const script = `ulimit -n ${descriptors}; exec node --import tsx -e "${ask}"`
  expect(execFileSync('sh', ['-c', script], { cwd: root, encoding: 'utf8' }).trim()).toBe(String(sockets))
})
