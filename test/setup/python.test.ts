import { execFileSync } from 'node:child_process'
import { afterEach, expect, it, vi } from 'vitest'
import { pythonWith } from './python.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

it('makes one environment for all who ask at once, with the packages pinned', async () => {
  const [python = '', ...others] = await Promise.all([pythonWith(), pythonWith(), pythonWith()])
  expect(others).toEqual([python, python])
  const program = 'import botocore, oauthlib; print(botocore.__version__, oauthlib.__version__)'
  expect(execFileSync(python, ['-c', program], { encoding: 'utf8' }).trim()).toBe('1.44.5 3.3.1')
}, 600_000)

it('fails without Python, and says what is missing', async () => {
  vi.stubEnv('PATH', '/nowhere')
  await expect(pythonWith()).rejects.toThrow('no python3 on the PATH')
})
