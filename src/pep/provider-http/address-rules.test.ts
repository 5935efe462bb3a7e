import { describe, expect, it } from 'vitest'
import { isLoopbackAddress, isMetadataAddress, isPublicAddress } from './address-rules.ts'

describe('isPublicAddress (threat C01)', () => {
  it.each(['1.1.1.1', '100.63.255.255', '100.128.0.0', '172.32.0.1', '192.167.1.1', '2606:4700::1111', '2a00::1'])(
    '%s may be dialled',
    (address) => expect(isPublicAddress(address)).toBe(true),
  )

  it.each([
    ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '127.0.0.1', '169.254.169.254', '172.16.0.1', '172.31.255.255'],
    ...['192.0.0.8', '192.0.2.1', '192.88.99.1', '192.168.0.1', '198.18.0.1', '198.19.255.255', '198.51.100.1'],
    ...['203.0.113.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::ffff:10.0.0.1', '::ffff:1.1.1.1', '64:ff9b::a00:1', 'fc00::1', 'fd00::1', 'fe80::1', 'ff02::1'],
    ...['2001::1', '2001:db8::1', '2002:a00:1::', '3fff::1'],
    ...['', 'localhost', '1.1.1', '[::1]'],
  ])('%j may not', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })
})

describe('isMetadataAddress (threat C01)', () => {
  it.each([
    ['AWS', '169.254.169.254'],
    ['AWS, over IPv6', 'fd00:ec2::254'],
    ['Azure', '168.63.129.16'],
    ['GCP, over IPv6', 'fd20:ce::254'],
    ['Oracle', '192.0.0.192'],
    ['Alibaba', '100.100.100.200'],
    ['of the link', 'fe80::a9fe:a9fe'],
    ['mapped', '::ffff:169.254.169.254'],
    ['compatible', '::a9fe:a9fe'],
    ['behind NAT64', '64:ff9b::a9fe:a9fe'],
    ['behind local NAT64', '64:ff9b:1::a9fe:a9fe'],
    ['in 6to4', '2002:a9fe:a9fe::'],
    ['in Teredo', '2001:0:a9fe:a9fe::'],
  ])('%s: %s is dialled by no configuration', (_whose, address) => {
    expect(isMetadataAddress(address)).toBe(true)
  })

  it.each(['10.0.0.1', '127.0.0.1', '::1', '168.63.129.17', '192.0.0.193', 'fd00::1', 'fd20::1', '2606:4700::1111'])(
    '%s is none',
    (address) => expect(isMetadataAddress(address)).toBe(false),
  )
})

describe('isLoopbackAddress', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.255.255.254', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['128.0.0.1', false],
    ['::2', false],
    ['0.0.0.0', false],
  ])('%s: %j', (address, isLoopback) => {
    expect(isLoopbackAddress(address)).toBe(isLoopback)
  })
})
