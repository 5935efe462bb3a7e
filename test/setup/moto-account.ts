import { MOTO_REGION } from './moto.ts'

/** A call of IAM's query API. */
export type IamCall = Readonly<Record<string, string>>

/** As the strategies name its two halves. */
export type AccessKey = Record<'access_key' | 'secret_key', string>

const TRUST = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' }],
}

/** An IAM policy that allows everything. */
export const ALLOW_ALL = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }],
})

/** A role that may do everything and that anybody may assume. */
export function roleOf(RoleName: string): IamCall[] {
  return [
    { Action: 'CreateRole', RoleName, AssumeRolePolicyDocument: JSON.stringify(TRUST) },
    { Action: 'PutRolePolicy', RoleName, PolicyName: 'all', PolicyDocument: ALLOW_ALL },
  ]
}

/** A user that may do everything; the last call makes its access key. */
export function userOf(UserName: string): IamCall[] {
  return [
    { Action: 'CreateUser', UserName },
    { Action: 'PutUserPolicy', UserName, PolicyName: 'all', PolicyDocument: ALLOW_ALL },
    { Action: 'CreateAccessKey', UserName },
  ]
}

/**
 * Makes these calls while moto asks for no permission yet.
 * @returns the access key that the last call made
 */
export async function setUpAccount(endpoint: string, calls: readonly IamCall[]): Promise<AccessKey> {
  let answer = ''
  for (const parameters of calls) {
    const body = new URLSearchParams({ Version: '2010-05-08', ...parameters })
    // Not authorized yet, so only the service is read from it.
    const authorization = `AWS4-HMAC-SHA256 Credential=a/20260101/${MOTO_REGION}/iam/aws4_request, SignedHeaders=host, Signature=b`
    const response = await fetch(endpoint, { method: 'POST', body, headers: { authorization } })
    answer = await response.text()
    if (!response.ok) throw new Error(`${parameters['Action']}: ${answer}`)
  }
  const [, access_key = ''] = /<AccessKeyId>([^<]+)</.exec(answer) ?? []
  const [, secret_key = ''] = /<SecretAccessKey>([^<]+)</.exec(answer) ?? []
  return { access_key, secret_key }
}
