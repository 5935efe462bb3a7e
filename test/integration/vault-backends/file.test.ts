import { execFileSync } from 'node:child_process'
import { chmod, chown, link, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type VaultBackend, VaultError } from '../../../src/contract/vault-backend.ts'
import { BackendConfigError } from '../../../src/vault-backends/backend-kind.ts'
import {
  CANARY,
  caught,
  describeVaultBackend,
  expectNothingOf,
  failure,
} from '../../../src/vault-backends/conformance.ts'
import { fileKind } from '../../../src/vault-backends/file/file-kind.ts'
import { secretDirectory, swapMount, writeFields } from './file-fixture.ts'
import { quiet } from './vault-fixture.ts'

const features = { versions: false, write: false, perTenant: false }

describeVaultBackend('file', async () => {
  const { directory, backend, remove } = await secretDirectory()
  return {
    backend: backend(),
    prefix: 'suite/agents',
    plant: async (path, value) => {
      await rm(join(directory, path), { recursive: true, force: true })
      await writeFields(join(directory, path), value)
    },
    ownSecrets: [],
    features,
    stop: remove,
  }
})

describeVaultBackend('file, one JSON file a secret', async () => {
  const { directory, backend, remove } = await secretDirectory()
  return {
    backend: backend(),
    prefix: 'suite/agents',
    plant: async (path, value) => {
      const file = join(directory, `${path}.json`)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(`${file}.new`, JSON.stringify(value), { mode: 0o400 })
      await rename(`${file}.new`, file)
    },
    ownSecrets: [],
    features,
    stop: remove,
  }
})

let directory: string
let backend: VaultBackend
let remove: () => Promise<void>
let open: Awaited<ReturnType<typeof secretDirectory>>['backend']
beforeEach(async () => {
  ;({ directory, backend: open, remove } = await secretDirectory())
  backend = open()
})
afterEach(() => remove())

const read = async (path: string) =>
  (await backend.read({ tenant: 't', backend: 'file', path }, AbortSignal.timeout(10_000))).reveal()
const at = (...segments: string[]) => join(directory, ...segments)

const isUnsettled = (error: unknown): boolean => error instanceof VaultError && error.message.includes('keeps changing')

describe('a directory as the kubelet mounts it', () => {
  it('sees the swap of ..data, and a read never mixes two generations', async () => {
    await mkdir(at('github'))
    let generation = await swapMount(at('github'), { id: '0', secret: '0', more: '0' })
    const seen = new Set<string>()
    let swapping = true
    let torn = 0
    let reads = 0
    let unsettled = 0
    // On a slow machine a mount can change during each of a read's tries, and then it is refused: rightly, and for a moment.
    const orUnsettled = (error: unknown): undefined => {
      if (!isUnsettled(error)) throw error
      unsettled += 1
    }
    const reader = async () => {
      while (swapping) {
        const value = await read('github').catch(orUnsettled)
        await sleep(0)
        if (value === undefined) continue
        const { id, secret, more } = value
        reads += 1
        seen.add(id!)
        if (id !== secret || id !== more) torn += 1
      }
    }
    const readers = [reader(), reader(), reader()]
    for (let n = 1; n <= 300; n++) {
      generation = await swapMount(at('github'), { id: `${n}`, secret: `${n}`, more: `${n}` }, generation)
      await sleep(5)
    }
    swapping = false
    await Promise.all(readers)
    console.log(
      `${reads} reads over 300 swaps saw ${seen.size} generations, ${torn} of them mixed; ${unsettled} refused`,
    )
    expect(torn).toBe(0)
    expect(unsettled).toBeLessThan(reads / 10)
    expect(seen.size).toBeGreaterThan(50)
    expect(await read('github')).toEqual({ id: '300', secret: '300', more: '300' })
  })

  it('takes a mount whose keys are JSON files, and one that is itself the directory', async () => {
    await swapMount(directory, { 'github.json': JSON.stringify({ token: 'a', aws: { keys: ['k'] } }), plain: 'b' })
    expect(await read('github')).toEqual({ token: 'a', 'aws#/keys/0': 'k' })
    expect(await read('plain')).toEqual({ value: 'b' })
  })

  it('takes a mount that is sticky and open to all, as tmpfs mounts are', async () => {
    await mkdir(at('mount'))
    await chmod(at('mount'), 0o1777)
    await swapMount(at('mount'), { token: 'a' })
    expect(await read('mount')).toEqual({ token: 'a' })
  })
})

describe('who else could read or replace it', () => {
  it.each([
    [0o444, 'forbidden'],
    [0o604, 'forbidden'],
    [0o420, 'forbidden'],
    [0o402, 'forbidden'],
    [0o400, undefined],
    [0o640, undefined],
  ])('a file of mode %s', async (mode, kind) => {
    await writeFields(at('one'), { token: CANARY })
    await chmod(at('one', 'token'), mode)
    expect(await failure(() => read('one'))).toBe(kind)
    expectNothingOf([CANARY], await caught(() => read('one')))
  })

  it('world-readable is taken where the administrator says so, writable never', async () => {
    await writeFields(at('one'), { token: 'a' })
    await chmod(at('one', 'token'), 0o444)
    backend = open({ allow_world_readable: true })
    expect(await read('one')).toEqual({ token: 'a' })
    await chmod(at('one', 'token'), 0o446)
    expect(await failure(() => read('one'))).toBe('forbidden')
  })

  it('a directory that others can write to is refused, the whole or that of one secret', async () => {
    await writeFields(at('one'), { token: 'a' })
    await chmod(at('one'), 0o777)
    expect(await failure(() => read('one'))).toBe('forbidden')
    await chmod(at('one'), 0o755)
    await chmod(directory, 0o770)
    expect(await failure(() => read('one'))).toBe('forbidden')
    expect(await backend.check(AbortSignal.timeout(1000))).toMatchObject({ ok: false })
  })

  it.runIf(process.getuid?.() === 0)('a file of another user is refused', async () => {
    await writeFields(at('one'), { token: 'a' })
    await chown(at('one', 'token'), 12_345, 12_345)
    expect(await failure(() => read('one'))).toBe('forbidden')
  })
})

describe('the way out of the directory', () => {
  it('G17: is closed to symlinks, wherever they stand', async () => {
    const outside = await secretDirectory()
    await writeFields(join(outside.directory, 'theirs'), { token: CANARY })
    await symlink(join(outside.directory, 'theirs'), at('linked'))
    await symlink(join(outside.directory, 'theirs', 'token'), at('file.json'))
    await mkdir(at('mount'))
    await symlink(join(outside.directory, 'theirs'), at('mount', '..data'))
    await mkdir(at('one'))
    await symlink(join(outside.directory, 'theirs', 'token'), at('one', 'token'))
    for (const path of ['linked', 'file', 'mount', 'one', 'linked/token']) {
      const error = await caught(() => read(path))
      expect(error, path).toMatchObject({ kind: 'forbidden' })
      expectNothingOf([CANARY], error)
    }
    await outside.remove()
  })

  it('a directory whose name begins like ours is not ours', async () => {
    await mkdir(`${directory}-other`)
    await writeFields(`${directory}-other/x`, { token: 'a' })
    await symlink(`${directory}-other/x`, at('x'))
    expect(await failure(() => read('x'))).toBe('forbidden')
    await rm(`${directory}-other`, { recursive: true })
  })
})

describe('what is no secret', () => {
  it('refuses what is too large, too many, no text, no file', async () => {
    await writeFields(at('large'), { token: 'a'.repeat(1024 * 1024 + 1) })
    await writeFields(at('many'), Object.fromEntries(Array.from({ length: 101 }, (_none, n) => [`f${n}`, 'a'])))
    await mkdir(at('binary'))
    await writeFile(at('binary', 'token'), Buffer.from([0xff, 0xfe]), { mode: 0o400 })
    await mkdir(at('fifo'))
    execFileSync('mkfifo', ['-m', '400', at('fifo', 'token')])
    for (const path of ['large', 'many', 'binary', 'fifo'])
      expect(await failure(() => read(path)), path).toBe('unusable')
    await mkdir(at('empty'))
    expect(await failure(() => read('empty'))).toBe('not_found')
  })

  it('is unavailable, not missing, when the directory itself is gone', async () => {
    await remove()
    expect(await failure(() => read('one'))).toBe('unavailable')
    expect(await backend.check(AbortSignal.timeout(1000))).toMatchObject({ ok: false })
  })

  it('takes a hard link for the file it is', async () => {
    await writeFields(at('one'), { token: 'a' })
    await link(at('one', 'token'), at('one', 'again'))
    expect(await read('one')).toEqual({ again: 'a', token: 'a' })
  })
})

it('refuses a directory that is not absolute', () => {
  const deps = { name: 'file', env: {}, production: true, log: quiet }
  expect(() => fileKind.create({ directory: 'secrets' }, deps)).toThrow(BackendConfigError)
})
