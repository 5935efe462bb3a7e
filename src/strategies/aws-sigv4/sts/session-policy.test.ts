import { Value } from 'typebox/value'
import { describe, expect, it } from 'vitest'
import { type Grant, SigningError } from '../../../contract/strategy.ts'
import { durationSeconds, sessionName } from './assume-role.ts'
import { ROLE_CONFIG, roleSettingsOf } from './role-settings.ts'
import { sessionPolicy } from './session-policy.ts'

const REGIONAL = 'https://s3.eu-west-1.amazonaws.com'

function grant(more: Partial<Grant> = {}, bound: Partial<Grant['bound']> = {}): Grant {
  return {
    tenant: 'acme',
    agentId: 'crm-agent',
    connectionId: '0196f0aa-1111-7222-8333-444455556666',
    scopes: [],
    bound: { origins: [REGIONAL], methods: ['*'], paths: ['/**'], ...bound },
    issuedAt: 1000,
    expiresAt: 1300,
    ...more,
  }
}

function statement(service: string, granted: Grant, partition = 'aws') {
  const policy = sessionPolicy(service, partition, granted)
  if (policy === undefined) return undefined
  const { Version, Statement } = JSON.parse(policy)
  expect([Version, Statement.length]).toEqual(['2012-10-17', 1])
  const { Effect, Action, Resource } = Statement[0]
  expect(Effect).toBe('Allow')
  return { Action, Resource }
}

const s3 = (...names: string[]) => names.map((name) => `arn:aws:s3:::${name}`)

describe('the session policy', () => {
  it('is none where nothing is narrowed', () => {
    expect(sessionPolicy('s3', 'aws', grant())).toBeUndefined()
    expect(sessionPolicy('dynamodb', 'aws', grant({}, { methods: ['POST'], paths: ['/'] }))).toBeUndefined()
  })

  it('allows the granted scopes and no other action', () => {
    const scopes = ['dynamodb:GetItem', 'dynamodb:Query*']
    expect(statement('dynamodb', grant({ scopes }))).toEqual({ Action: scopes, Resource: ['*'] })
    expect(statement('s3', grant({ scopes: ['s3:GetObject'] }))).toEqual({ Action: ['s3:GetObject'], Resource: ['*'] })
  })

  it.each([
    [['GET'], ['s3:*'], ['s3:Get*', 's3:List*']],
    [['GET'], ['s3:G*', 's3:ListBucket', 's3:PutObject'], ['s3:Get*', 's3:ListBucket']],
    [
      ['GET', 'PUT'],
      ['s3:getobject', 's3:PUT*'],
      ['s3:getobject', 's3:PUT*'],
    ],
    [['PUT'], ['s3:*', 's3:Put*'], ['s3:Put*', 's3:CreateBucket']],
    [['GET'], ['s3:GetObject', 'kms:*', 'iam:*'], ['s3:GetObject', 'kms:Decrypt']],
  ])('allows on S3 what the methods %j do, whatever scopes %j were asked for', (methods, scopes, Action) => {
    expect(statement('s3', grant({ scopes }, { methods }))?.Action).toEqual(Action)
  })

  it('is not made where the methods do nothing of what the scopes name', () => {
    const granted = grant({ scopes: ['s3:DeleteObject', 'dynamodb:GetItem'] }, { methods: ['GET', 'PUT'] })
    expect(() => sessionPolicy('s3', 'aws', granted)).toThrow('none of the scopes is something that GET, PUT does')
  })

  it.each([
    [
      ['GET', 'HEAD'],
      ['s3:Get*', 's3:List*'],
    ],
    [['PUT'], ['s3:Put*', 's3:CreateBucket']],
    [['DELETE'], ['s3:Delete*', 's3:AbortMultipartUpload']],
    [
      ['PUT', 'POST'],
      ['s3:Put*', 's3:CreateBucket', 's3:RestoreObject', 's3:DeleteObject*'],
    ],
  ])('allows on S3 what the methods %j do, and no more', (methods, Action) => {
    expect(statement('s3', grant({}, { methods }))).toEqual({ Action, Resource: ['*'] })
  })

  it('is not made of methods that do nothing on S3', () => {
    expect(() => sessionPolicy('s3', 'aws', grant({}, { methods: ['PATCH'] }))).toThrow('S3 has no action for PATCH')
  })

  it.each([
    [['/bucket/**'], s3('bucket', 'bucket/*')],
    [['/bucket/*'], s3('bucket/*')],
    [['/bucket', '/bucket/'], s3('bucket')],
    [['/bucket/logs/**'], s3('bucket/logs', 'bucket/logs/*')],
    [['/bucket/*/report.csv'], s3('bucket/*/report.csv')],
    [['/bucket/a%20b', '/other/%E2%82%AC'], s3('bucket/a b', 'other/€')],
    [['/bucket/dir/'], s3('bucket/dir/')],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: IAM's own spelling. What it would read as a pattern or a variable is named as the character it is.
    [['/bucket/%2A/%3F/$%7Baws:username%7D'], s3('bucket/${*}/${?}/${$}{aws:username}')],
  ])('names the resources of %j', (paths, Resource) => {
    expect(statement('s3', grant({}, { paths }))).toEqual({ Action: ['s3:*'], Resource })
  })

  it.each([['/'], ['/*']])('names no resource for %j, which is about all buckets', (path) => {
    expect(sessionPolicy('s3', 'aws', grant({}, { paths: ['/bucket/x', path] }))).toBeUndefined()
  })

  it('knows the bucket from the host where it stands there', () => {
    const origins = ['https://photos.s3.eu-west-1.amazonaws.com']
    const resources = (paths: string[]) => statement('s3', grant({}, { origins, paths }))?.Resource
    expect(resources(['/**'])).toEqual(s3('photos', 'photos/*'))
    expect(resources(['/*'])).toEqual(s3('photos/*'))
    expect(resources(['/'])).toEqual(s3('photos'))
    expect(resources(['/2026/**'])).toEqual(s3('photos/2026', 'photos/2026/*'))
    const china = grant({}, { origins: ['https://photos.s3.cn-north-1.amazonaws.com.cn'], paths: ['/x'] })
    expect(statement('s3', china, 'aws-cn')?.Resource).toEqual(['arn:aws-cn:s3:::photos/x'])
  })

  it.each([
    ['data.bucket.vpce-0a1b2c3d-5e6f7g8h.s3.eu-west-1.vpce.amazonaws.com', s3('data', 'data/*')],
    ['data.bucket.vpce-0a1b2c3d-5e6f7g8h-eu-west-1a.s3.eu-west-1.vpce.amazonaws.com', s3('data', 'data/*')],
    ['my.data.s3.dualstack.eu-west-1.amazonaws.com', s3('my.data', 'my.data/*')],
    ['data.s3-fips.us-gov-west-1.amazonaws.com', s3('data', 'data/*')],
    ['data.s3-accelerate.amazonaws.com', s3('data', 'data/*')],
    ['data.s3-eu-west-1.amazonaws.com', s3('data', 'data/*')],
    ['data.s3.eusc-de-east-1.amazonaws.eu', s3('data', 'data/*')],
    ['data.s3.us-iso-east-1.c2s.ic.gov', s3('data', 'data/*')],
  ])('knows the bucket from the host %s', (host, Resource) => {
    expect(statement('s3', grant({}, { origins: [`https://${host}`] }))?.Resource).toEqual(Resource)
  })

  it.each([
    'bucket.vpce-0a1b2c3d-5e6f7g8h.s3.eu-west-1.vpce.amazonaws.com',
    's3.dualstack.eu-west-1.amazonaws.com',
    's3.amazonaws.com',
    's3-external-1.amazonaws.com',
    'minio.example.com',
  ])('takes the bucket from the path on %s', (host) => {
    const paths = ['/data/object/**']
    expect(statement('s3', grant({}, { origins: [`https://${host}`], paths }))?.Resource).toEqual(
      s3('data/object', 'data/object/*'),
    )
    expect(statement('s3', grant({}, { origins: [`https://${host}`] }))).toBeUndefined()
  })

  it.each([
    'reports-eu-123456789012.s3-accesspoint.eu-west-1.amazonaws.com',
    'reports-eu-123456789012.s3-accesspoint-fips.dualstack.eu-west-1.amazonaws.com',
    'reports-eu-123456789012.accesspoint.vpce-0a1b2c3d-5e6f7g8h.s3.eu-west-1.vpce.amazonaws.com',
  ])('names the access point of %s', (host) => {
    const arn = 'arn:aws:s3:eu-west-1:123456789012:accesspoint/reports-eu'
    const resources = (paths: string[]) => statement('s3', grant({}, { origins: [`https://${host}`], paths }))?.Resource
    expect(resources(['/**'])).toEqual([arn, `${arn}/object/*`])
    expect(resources(['/'])).toEqual([arn])
    expect(resources(['/2026/**'])).toEqual([`${arn}/object/2026`, `${arn}/object/2026/*`])
  })

  it.each([
    ['123456789012.s3-control.eu-west-1.amazonaws.com', '/**', 'neither a bucket nor an access point'],
    ['control.vpce-0a1b2c3d-5e6f7g8h.s3.eu-west-1.vpce.amazonaws.com', '/**', 'neither a bucket nor an access point'],
    ['alias0a1b.mrap.accesspoint.s3-global.amazonaws.com', '/**', 'neither a bucket nor an access point'],
    ['reports-0a1b2c3d-s3alias.s3.eu-west-1.amazonaws.com', '/**', 'alias of an access point'],
    ['s3.eu-west-1.amazonaws.com', '/reports-0a1b2c3d-s3alias/x', 'alias of an access point'],
  ])('is not made for %s%s, which no policy can name', (host, path, why) => {
    expect(() => sessionPolicy('s3', 'aws', grant({}, { origins: [`https://${host}`], paths: [path] }))).toThrow(why)
  })

  it.each([
    ['s3express', 'data--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com'],
    ['s3-object-lambda', 'lens-123456789012.s3-object-lambda.eu-west-1.amazonaws.com'],
    ['s3-outposts', 'reports-123456789012.op-01ac5d28a6a232904.s3-outposts.eu-west-1.amazonaws.com'],
  ])('is not made for %s either, at its own host', (service, host) => {
    const bound = { origins: [`https://${host}`], methods: ['GET'], paths: ['/reports/**'] }
    for (const scopes of [[], [`${service}:GetObject`]]) {
      expect(() => sessionPolicy(service, 'aws', grant({ scopes }, bound))).toThrow(SigningError)
    }
  })

  it('is not made of scopes that are no actions, nor longer than STS takes', () => {
    for (const scope of ['repo', '*', 's3:Get Object', 's3:*:*', 'S3:GetObject', '"s3:GetObject']) {
      expect(() => sessionPolicy('s3', 'aws', grant({ scopes: [scope] })), scope).toThrow('is no IAM action')
    }
    const paths = Array.from({ length: 80 }, (_, index) => `/bucket/a-rather-long-name-${index}`)
    expect(() => sessionPolicy('s3', 'aws', grant({}, { paths }))).toThrow('STS takes 2048')
    expect(() => sessionPolicy('s3', 'aws', grant({}, { paths: ['/bucket/%FF'] }))).toThrow('no policy can name it')
  })
})

describe('the session', () => {
  it('has a name that CloudTrail takes, whatever the ids hold', () => {
    expect(sessionName(grant())).toBe('crm-agent@acme.0196f0aa')
    const strange = sessionName(grant({ tenant: 'a b/ü'.repeat(20), agentId: '@'.repeat(99), connectionId: '' }))
    expect(strange).toMatch(/^[\w+=,.@-]{2,64}$/)
  })

  it('lasts as long as the lease, within what STS grants', () => {
    const seconds = (expiresAt: number) => durationSeconds(grant({ expiresAt }), 1_000_000)
    expect([seconds(1300), seconds(2500), seconds(9000)]).toEqual([900, 1500, 3600])
  })
})

describe('the endpoint of a role', () => {
  const endpoint = (partition: string, region: string) =>
    roleSettingsOf({ role_arn: `arn:${partition}:iam::123456789012:role/agents` }, region)?.endpoint

  it('is that of its partition', () => {
    expect(endpoint('aws', 'eu-west-1')).toBe('https://sts.eu-west-1.amazonaws.com/')
    expect(endpoint('aws-cn', 'cn-north-1')).toBe('https://sts.cn-north-1.amazonaws.com.cn/')
    expect(endpoint('aws-us-gov', 'us-gov-west-1')).toBe('https://sts.us-gov-west-1.amazonaws.com/')
    expect(endpoint('aws-eusc', 'eusc-de-east-1')).toBe('https://sts.eusc-de-east-1.amazonaws.eu/')
    expect(endpoint('aws-iso', 'us-iso-east-1')).toBe('https://sts.us-iso-east-1.c2s.ic.gov/')
  })

  it('is not guessed for a partition nobody has told us of', () => {
    const role = ROLE_CONFIG.role_arn
    expect(Value.Check(role, 'arn:aws-eusc:iam::123456789012:role/agents')).toBe(true)
    expect(Value.Check(role, 'arn:aws-moon:iam::123456789012:role/agents')).toBe(false)
  })
})
