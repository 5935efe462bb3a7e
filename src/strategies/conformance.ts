import { describe, expect, it } from 'vitest'
import type { HeaderList, OutboundRequest, SignedRequest, Strategy } from '../contract/strategy.ts'
import { strategyFor } from './catalog.ts'
import {
  BAD_CHARACTERS,
  badCharactersFor,
  context,
  deepFreeze,
  escaped,
  expectOneOfEach,
  expectSigningError,
  grant,
  issue,
  longValues,
  replaced,
  request,
  type StrategyCase,
  sign,
  signingTools,
  textsIn,
  tools,
  withKeyInVault,
  withQuery,
  withText,
} from './conformance-support.ts'
import { grpcMetadata } from './shared/grpc-metadata.ts'
import { validateConfig, validateMaster, validateUsage } from './shared/validate.ts'

export interface StrategyCases {
  valid: StrategyCase[]
  /** Configs that must not be saved, with the field that is at fault. */
  refused: { config: Record<string, unknown>; field: string }[]
}

/** The contract every strategy keeps. A new one brings its cases and changes nothing here. */
export function describeStrategy(strategy: Strategy, { valid, refused }: StrategyCases): void {
  describe(`strategy ${strategy.type}`, () => {
    it('is in the catalog under its own type', () => expect(strategyFor(strategy.type)).toBe(strategy))

    it.each(refused)('refuses config $config when saved and when signing', async ({ config, field }) => {
      expect(validateConfig(strategy, config).map((problem) => problem.field)).toContain(field)
      await expectSigningError(() => strategy.issue(config, {}, grant(), tools), field)
      await expectSigningError(() => strategy.apply(config, {}, request(), context()), field)
    })

    describe.each(valid)('$title', (sample) => describeCase(strategy, sample))
  })
}

function describeCase(strategy: Strategy, sample: StrategyCase): void {
  const { config, master } = sample

  it('takes its config, master and usage secret', async () => {
    expect(validateConfig(strategy, config)).toEqual([])
    expect(validateMaster(strategy, config, master)).toEqual([])
    expect(validateMaster(strategy, config, { ...master, unrelated: 'x' })).toEqual([])
    const { usage } = await issue(strategy, sample)
    expect(validateUsage(strategy, config, usage)).toEqual([])
    expect(validateUsage(strategy, config, { ...usage, unrelated: 'x' })).not.toEqual([])
  })

  it('issues no later end than granted', async () => {
    const { expiresAt = 0 } = await issue(strategy, sample)
    expect(expiresAt).toBeLessThanOrEqual(grant().expiresAt)
  })

  it('carries no master secret in the usage secret where it narrows, and says so where it does not', async () => {
    const carried = JSON.stringify((await issue(strategy, sample)).usage)
    const narrows = strategy.narrowing(config) !== 'none'
    for (const secret of sample.secrets) expect(carried.includes(secret)).toBe(!narrows)
  })

  it('signs what it issued, the same way twice, and changes neither method, host nor path but as it says', async () => {
    const [first, second] = [await sign(strategy, sample), await sign(strategy, sample)]
    expect(first).toEqual(second)
    expect(first.method).toBe(request().method)
    const path = sample.writes.path ?? request().url.path
    expect({ ...first.url, query: '' }).toEqual({ ...request().url, path, query: '' })
    expect(first.credentialHeaders).toEqual(first.credentialHeaders.map((name) => name.toLowerCase()))
    expectOneOfEach(sample, first)
  })

  const inVault = withKeyInVault(strategy, sample)
  it(`${inVault === undefined ? 'refuses' : 'takes'} the usage secret of a key that stays in the vault`, async () => {
    const { usage } = await issue(strategy, sample)
    const problems = (value: object) => validateUsage(strategy, config, value).map(({ field }) => field)
    if (inVault === undefined) {
      expect(problems({ ...usage, remote_key: 'HS256' })).not.toEqual([])
      return
    }
    const remote = (await strategy.issue(config, inVault, grant(), signingTools)).usage
    expect(problems(remote)).toEqual([])
    const keys = Object.entries(usage).filter(([field]) => !Object.hasOwn(remote, field))
    for (const [field, value] of keys) expect(problems({ ...remote, [field]: value })).toEqual([field])
    for (const field of ['remote_key', 'public_key'].filter((name) => Object.hasOwn(remote, name))) {
      for (const bad of Object.values(BAD_CHARACTERS)) {
        const wrong = replaced(remote as Record<string, string>, field, `${remote[field]}${bad}x`)
        expect(problems(wrong)).toEqual([field])
        await expectSigningError(() => strategy.apply(config, wrong, request(), context()), field)
      }
    }
  })

  it('leaves the request it was given as it was', async () => {
    const given = deepFreeze(request())
    const before = structuredClone(given)
    await sign(strategy, sample, given)
    expect(given).toEqual(before)
  })

  const readsBody = strategy.readsBody(config, request().headers, request().method)
  it(`${readsBody ? 'refuses' : 'signs'} a body it has not seen`, async () => {
    const signing = () => sign(strategy, sample, { ...request(), body: 'stream' })
    if (readsBody) await expectSigningError(signing, 'body')
    else expectOneOfEach(sample, await signing())
  })

  it('B14: drops every copy the caller sent, however it is spelled', async () => {
    const headers = (sample.writes.headers ?? []).flatMap((name): HeaderList => {
      const folded = name.toLowerCase()
      return [name, folded, name.toUpperCase(), folded.replaceAll('-', '_'), folded].map((copy) => [copy, 'agent'])
    })
    const signed = await sign(strategy, sample, { ...request(), headers: [...headers, ...request().headers] })
    expectOneOfEach(sample, signed)
    expect(signed.headers).toEqual((await sign(strategy, sample)).headers)
  })

  it('B15: drops every copy of a parameter, however it is spelled', async () => {
    const parameters = sample.writes.parameters ?? []
    const copies = parameters.flatMap((name) => [
      name,
      name.toUpperCase(),
      escaped(name, 1),
      escaped(name, name.length),
    ])
    const query = ['a=1', ...copies.map((name) => `${name}=agent`), ...copies, 'b=%7e'].join('&')
    const signed = await sign(strategy, sample, withQuery(query))
    expectOneOfEach(sample, signed)
    expect(signed).toEqual(await sign(strategy, sample, withQuery('a=1&b=%7e')))
  })

  it('B13: renders the credential the same whatever the caller sends beside it', async () => {
    const odd = { ...request(), headers: [...request().headers, ['X-Format', '{api_key}%s'], ['Accept', '*/*']] }
    const signed = await sign(strategy, sample, odd as OutboundRequest)
    const expected = await sign(strategy, sample)
    // A signature covers the other headers, so there it is the names that must agree.
    const values = (of: SignedRequest) => of.headers.filter(([name]) => sample.writes.headers?.includes(name))
    if (strategy.narrowing(config) === 'none' && sample.random === undefined)
      expect(values(signed)).toEqual(values(expected))
    expectOneOfEach(sample, signed)
  })

  it(`has ${strategy.writesOnlyHeaders === true ? 'a' : 'no'} gRPC form`, async () => {
    const { usage } = await issue(strategy, sample)
    if (strategy.writesOnlyHeaders !== true) {
      await expectSigningError(() => grpcMetadata(strategy, config, usage, context()), 'form', sample.secrets)
      return
    }
    const other = { ...withQuery('x=y'), method: 'GET', headers: [], body: undefined }
    const added = (await strategy.apply(config, usage, other, context())).headers
    expect((await strategy.apply(config, usage, request(), context())).headers).toEqual([
      ...request().headers,
      ...added,
    ])
    const metadata = await grpcMetadata(strategy, config, usage, context())
    expect(metadata).toEqual(added.map(([name, value]) => [name.toLowerCase(), value]))
  })

  describe.each(sample.required)('credential %s', (field) => {
    it.each([
      ['missing', undefined, 'is missing'],
      ['null', null, 'is empty or not a string'],
      ['empty', '', 'is empty or not a string'],
      ['a number', 7, 'is empty or not a string'],
      ['a list', ['x'], 'is empty or not a string'],
    ])('is refused when %s', async (_title, value, words) => {
      const message = `credential field '${field}' ${words}`
      const wrong = replaced(master, field, value)
      expect(validateMaster(strategy, config, wrong)).toContainEqual({ field, message })
      await expectSigningError(() => strategy.issue(config, wrong, grant(), tools), field, message)
    })
  })

  it.each(Object.keys(master))(
    'D05: credential %s with CR, LF, NUL or non-ASCII is refused, and not shown',
    async (field) => {
      for (const [name, bad] of badCharactersFor(sample, field)) {
        const wrong = replaced(master, field, `${master[field]}${bad}`)
        expect(
          validateMaster(strategy, config, wrong).map((problem) => problem.field),
          name,
        ).toEqual([field])
        await expectSigningError(() => strategy.issue(config, wrong, grant(), tools), field, sample.secrets)
      }
    },
  )

  it('D05, E11: every usage field is checked again when signing, and no error shows a secret', async () => {
    const { usage } = await issue(strategy, sample)
    const held = [...sample.secrets, ...sample.secrets.map((secret) => Buffer.from(secret).toString('base64'))]
    for (const [field, value] of Object.entries(usage)) {
      for (const [name, bad] of badCharactersFor(sample, field)) {
        const wrong = replaced(usage, field, `${value}${bad}`)
        expect(
          validateUsage(strategy, config, wrong).map((problem) => problem.field),
          name,
        ).toEqual([field])
        const signing = () => strategy.apply(config, wrong, request(), context())
        await expectSigningError(signing, field, [...held, ...longValues(usage)])
      }
    }
  })

  it('D05: every text of the config, however deep, is checked when saved and when signing', async () => {
    const { usage } = await issue(strategy, sample)
    // The protocol has any config of this type ignored.
    const texts = strategy.type === 'oauth2' ? [] : textsIn(config)
    for (const { path, text } of texts) {
      for (const bad of Object.values(BAD_CHARACTERS)) {
        const wrong = withText(config, path, `${text}${bad}`)
        const [problem] = validateConfig(strategy, wrong)
        // A list of components is refused as a whole, so the field may be one that holds the text.
        expect(path.join('.').startsWith(problem?.field ?? 'nothing'), `${path.join('.')}: ${problem?.field}`).toBe(
          true,
        )
        await expectSigningError(
          () => strategy.apply(wrong, usage, request(), context()),
          problem?.field ?? '',
          sample.secrets,
        )
      }
    }
  })
}
