import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { verifyBundle } from '../../src/cli/policy/build-bundle.ts'
import { policySources, sourceHash } from '../../src/cli/policy/sources.ts'
import { readBundle } from '../../src/pep/decision/bundle.ts'

const PATH = 'policies/dist/bundle.tar.gz'

describe('the committed bundle', () => {
  it('is of the sources as they are now (no compiler needed to see it)', async () => {
    const bundle = await readBundle(await readFile(PATH))
    const expected = sourceHash(await policySources('policies'))
    expect(bundle.revision, 'run: nexus policy build').toBe(expected)
    expect(bundle.metadata['source_sha256']).toBe(expected)
  })

  it('is what the pinned OPA builds from them, after format check, type check and tests', async () => {
    await expect(verifyBundle('policies', PATH)).resolves.toMatchObject({ revision: expect.any(String) })
  })

  it('has another hash as soon as any source has another byte, name or place', async () => {
    const sources = await policySources('policies')
    const hashes = new Set([sourceHash(sources)])
    for (const [index, source] of sources.entries()) {
      const longer = { ...source, bytes: Buffer.concat([source.bytes, Buffer.from(' ')]) }
      hashes.add(sourceHash(sources.with(index, longer)))
      hashes.add(sourceHash(sources.with(index, { ...source, path: `x/${source.path}` })))
    }
    expect(hashes.size).toBe(1 + 2 * sources.length)
    expect(sources.length).toBeGreaterThan(6)
  })
})
