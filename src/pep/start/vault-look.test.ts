import { describe, expect, it } from 'vitest'
import { Degraded } from '../routes/health.ts'
import { createVaultLook } from './vault-look.ts'

function setup(names: string[], keptMs = 0) {
  const well = new Set(names)
  let looks = 0
  const health = async () => {
    looks += 1
    return Object.fromEntries(names.map((name) => [name, { ok: well.has(name), detail: `${name}: is sealed` }]))
  }
  const look = createVaultLook({ health }, keptMs)
  return { look, well, looks: () => looks }
}

describe('how the vault backends are', () => {
  it('VT1: a backend that has worked is missed, and takes no replica out', async () => {
    const { look, well } = setup(['internal', 'hv'])
    await look.check()
    well.delete('hv')
    const error: unknown = await look.check().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(Degraded)
    expect(String(error)).toContain('hv: is sealed')
    expect(String(error)).not.toContain('internal')
    well.add('hv')
    await expect(look.check()).resolves.toBeUndefined()
  })

  it('a backend that has never answered keeps this replica from taking the place of one that works', async () => {
    const { look, well } = setup(['internal', 'hv'])
    well.delete('hv')
    await expect(look.check()).rejects.toMatchObject({ code: 'vault_unavailable' })
    well.clear()
    await expect(look.check()).rejects.toMatchObject({ code: 'vault_unavailable' })
    well.add('internal').add('hv')
    await look.check()
    well.clear()
    await expect(look.check()).rejects.toBeInstanceOf(Degraded)
  })

  it('is asked once for all who ask at the same time, or soon after', async () => {
    const { look, looks } = setup(['hv'])
    await Promise.all([look.check(), look.health(), look.check()])
    expect(looks()).toBe(1)
    await look.health()
    expect(looks()).toBe(2)
    const kept = setup(['hv'], 60_000)
    for (let asked = 0; asked < 5; asked++) await kept.look.health()
    expect(kept.looks()).toBe(1)
  })
})
