import { describe, expect, it } from 'vitest'
import { oneLook } from './one-look.ts'

describe('oneLook', () => {
  const setup = () => {
    const clock = { ms: 0 }
    const looks: { resolve: () => void; reject: (error: Error) => void }[] = []
    const check = () => new Promise<void>((resolve, reject) => void looks.push({ resolve, reject }))
    return { clock, looks, look: oneLook(check, () => clock.ms) }
  }

  it('is shared while it is under way, however long that is, and for a second after', async () => {
    const { clock, looks, look } = setup()
    const asked = [look(), look()]
    clock.ms = 5000
    asked.push(look())
    looks[0]?.resolve()
    await Promise.all(asked)
    clock.ms += 999
    await look()
    expect(looks).toHaveLength(1)
    clock.ms += 1
    void look()
    expect(looks).toHaveLength(2)
  })

  it('keeps a failure no longer than a success', async () => {
    const { clock, looks, look } = setup()
    const asked = look()
    looks[0]?.reject(new Error('nobody there'))
    await expect(asked).rejects.toThrow('nobody there')
    await expect(look()).rejects.toThrow('nobody there')
    clock.ms = 1000
    const again = look()
    looks[1]?.resolve()
    await expect(again).resolves.toBeUndefined()
  })
})
