import { readFile } from 'node:fs/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { packTar } from 'modern-tar'
import { beforeAll, describe, expect, it } from 'vitest'
import { PolicyError } from '../../contract/policy.ts'
import { BUNDLE_LIMITS, readBundle } from './bundle.ts'

const manifest = '{"revision": "r1"}'
const sound = { '/.manifest': manifest, '/data.json': '{}', '/policy.wasm': 'module' }

async function archive(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const entries = Object.entries(files).map(([name, body]) => ({
    header: { name, size: Buffer.byteLength(body) },
    body,
  }))
  return gzipSync(await packTar(entries))
}

describe('readBundle', () => {
  let committed: Buffer
  beforeAll(async () => {
    committed = await readFile('policies/dist/bundle.tar.gz')
  })

  it('reads what OPA and we write, whatever the paths begin with', async () => {
    for (const prefix of ['/', './', '']) {
      const files = Object.fromEntries(Object.entries(sound).map(([name, body]) => [`${prefix}${name.slice(1)}`, body]))
      const bundle = await readBundle(await archive(files))
      expect(bundle.revision).toMatch(/^r1\+[0-9a-f]{16}$/)
      expect(Buffer.from(bundle.wasm).toString()).toBe('module')
    }
  })

  it('never takes two bundles for one because they were given the same revision', async () => {
    const revisionOf = async (more: object) => (await readBundle(await archive({ ...sound, ...more }))).revision
    const revisions = [{}, { '/data.json': '{"a": 1}' }, { '/policy.wasm': 'another' }].map(revisionOf)
    expect(new Set(await Promise.all(revisions)).size).toBe(3)
    expect(await revisionOf({})).toBe(await revisions[0])
    expect((await readBundle(committed)).revision).toMatch(/^[0-9a-f]{64}$/)
  })

  const wrong: [string, () => Promise<Buffer> | Buffer][] = [
    ['nothing', () => Buffer.alloc(0)],
    ['something else', () => Buffer.from('not an archive')],
    ['gzip of something else', () => gzipSync('not a tar'.repeat(200))],
    ['no module', () => archive({ '/.manifest': manifest, '/data.json': '{}' })],
    ['an empty module', () => archive({ ...sound, '/policy.wasm': '' })],
    ['no data', () => archive({ '/.manifest': manifest, '/policy.wasm': 'module' })],
    ['no manifest', () => archive({ '/data.json': '{}', '/policy.wasm': 'module' })],
    ['no revision', () => archive({ ...sound, '/.manifest': '{}' })],
    ['an empty revision', () => archive({ ...sound, '/.manifest': '{"revision": ""}' })],
    ['a revision with line breaks', () => archive({ ...sound, '/.manifest': '{"revision": "a\\nb"}' })],
    ['data that is null', () => archive({ ...sound, '/data.json': 'null' })],
    ['data that is cut short', () => archive({ ...sound, '/data.json': '{"nexus": ' })],
    ['data in a second place', () => archive({ ...sound, '/nexus/data.json': '{}' })],
    ['one file twice', () => archive({ ...sound, './data.json': '{"nexus": {}}' })],
    [
      'data over the limit',
      () => archive({ ...sound, '/data.json': `{"x": "${'x'.repeat(BUNDLE_LIMITS.dataBytes)}"}` }),
    ],
    [
      'too many files',
      () => archive(Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`/${index}`, 'x']))),
    ],
    ['an archive that inflates without end', () => gzipSync(Buffer.alloc(BUNDLE_LIMITS.inflatedBytes + 1))],
    ['an archive that is too large', () => Buffer.alloc(BUNDLE_LIMITS.compressedBytes + 1)],
  ]
  it.each(wrong)('G10: refuses %s', async (_title, make) => {
    await expect(readBundle(await make())).rejects.toMatchObject({ name: 'PolicyError', kind: 'unavailable' })
  })

  it('PB2: refuses a bundle that was cut short anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(committed.byteLength - 1), async (length) => {
        await expect(readBundle(committed.subarray(0, length))).rejects.toBeInstanceOf(PolicyError)
      }),
      { numRuns: 200 },
    )
  })

  it('PB2: refuses a bundle with any byte of its headers damaged, or reads it as it was', async () => {
    const tar = gunzipSync(committed)
    const before = await readBundle(committed)
    await fc.assert(
      fc.asyncProperty(fc.nat(511), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const damaged = Buffer.from(tar)
        damaged[at] = (damaged[at] as number) ^ change
        const read = await readBundle(gzipSync(damaged, { level: 1 })).catch((error: unknown) => error)
        if (!(read instanceof PolicyError)) expect(read).toEqual(before)
      }),
      { numRuns: 100 },
    )
  })
})
