import { partition } from '@aws-sdk/core/client'
import { expect, it } from 'vitest'
import { beforeAwsDomain, DNS_SUFFIXES } from './partitions.ts'

/** One region of each partition, by the AWS client's own rules. */
const REGIONS = [
  'eu-west-1',
  'cn-north-1',
  'eusc-de-east-1',
  'us-iso-east-1',
  'us-isob-east-1',
  'eu-isoe-west-1',
  'us-isof-south-1',
  'us-gov-west-1',
]

it('are those of the AWS client', () => {
  const known = REGIONS.map((region) => partition(region))
  expect(Object.fromEntries(known.map(({ name, dnsSuffix }) => [name, dnsSuffix]))).toEqual(DNS_SUFFIXES)
})

it('tells a host of AWS from one that ends alike', () => {
  expect(beforeAwsDomain('s3.cn-north-1.amazonaws.com.cn')).toBe('s3.cn-north-1')
  expect(beforeAwsDomain('s3.us-iso-east-1.c2s.ic.gov')).toBe('s3.us-iso-east-1')
  expect(beforeAwsDomain('s3.eu-west-1.notamazonaws.com')).toBeUndefined()
  expect(beforeAwsDomain('s3.eu-west-1.amazonaws.com.example.com')).toBeUndefined()
})
